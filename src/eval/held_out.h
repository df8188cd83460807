// Two parts of a data set: one to develop on as often as one likes, one to be looked at once.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace loam::eval {

/// Fewer independent groups than this cannot show any difference at level 0.05: random signs of five groups
/// are all the same in 2 of 32 cases (p = 0.0625), of six in 2 of 64.
inline constexpr std::size_t kLeastGroups = 6;

struct HeldOutSplit {
  std::vector<std::size_t> development;  ///< in the order in which a search takes them: groups by turns
  std::vector<std::size_t> held_out;     ///< ascending
  std::size_t development_groups = 0, held_out_groups = 0;
};

/// Items of one group stay together; an empty name: the item stands alone. Which part a group belongs to
/// depends on its name and the seed (and, at the edge, on the sizes of the others), so that most items stay
/// where they were when the data grows. bad_data, with how many are needed, when either part would have fewer
/// than kLeastGroups groups; bad_request for a share that is not between 0.1 and 0.9.
Result<HeldOutSplit> hold_out(std::span<const std::string> group_of, double held_out_share,
                              std::uint64_t seed);

/// How many groups of about equal size are needed for a share.
std::size_t groups_needed(double held_out_share);

/// `development` in the order in which a search takes it: by turns from each group, groups and items by hash.
std::vector<std::size_t> search_order(std::span<const std::size_t> development,
                                      std::span<const std::string> group_of, std::uint64_t seed);

}  // namespace loam::eval
