#include "eval/held_out.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>

#include "base/hash.h"

namespace loam::eval {
namespace {

/// What the group of an item is called; an item that stands alone is a group of its own.
std::string name_of_group(std::span<const std::string> group_of, std::size_t item) {
  return group_of[item].empty() ? "\n" + std::to_string(item) : group_of[item];
}

std::string rank_of(std::string_view what, std::uint64_t seed, std::string_view name) {
  return sha256_hex(std::string(what) + "\n" + std::to_string(seed) + "\n" + std::string(name));
}

struct Group {
  std::string rank;
  std::vector<std::size_t> items;
};

std::vector<Group> ranked_groups(std::span<const std::size_t> items, std::span<const std::string> group_of,
                                 std::string_view what, std::uint64_t seed) {
  std::map<std::string, std::vector<std::size_t>> by_name;
  for (const std::size_t item : items) by_name[name_of_group(group_of, item)].push_back(item);
  std::vector<Group> groups;
  for (auto& [name, members] : by_name) groups.push_back({rank_of(what, seed, name), std::move(members)});
  std::sort(groups.begin(), groups.end(), [](const Group& x, const Group& y) { return x.rank < y.rank; });
  return groups;
}

}  // namespace

std::size_t groups_needed(double held_out_share) {
  const double smaller = std::min(held_out_share, 1 - held_out_share);
  return static_cast<std::size_t>(std::ceil(static_cast<double>(kLeastGroups) / smaller - 1e-9));
}

std::vector<std::size_t> search_order(std::span<const std::size_t> development,
                                      std::span<const std::string> group_of, std::uint64_t seed) {
  std::vector<Group> groups = ranked_groups(development, group_of, "order", seed);
  for (Group& group : groups) {
    std::vector<std::pair<std::string, std::size_t>> ranked;
    for (const std::size_t item : group.items)
      ranked.emplace_back(rank_of("item", seed, std::to_string(item)), item);
    std::sort(ranked.begin(), ranked.end());
    for (std::size_t i = 0; i < ranked.size(); ++i) group.items[i] = ranked[i].second;
  }
  std::vector<std::size_t> order;
  for (std::size_t turn = 0; order.size() < development.size(); ++turn) {
    for (const Group& group : groups) {
      if (turn < group.items.size()) order.push_back(group.items[turn]);
    }
  }
  return order;
}

Result<HeldOutSplit> hold_out(std::span<const std::string> group_of, double held_out_share,
                              std::uint64_t seed) {
  if (!(held_out_share >= 0.1 && held_out_share <= 0.9)) {
    return Error{Kind::bad_request, "the held-out part", "its share must be between 0.1 and 0.9", "0.4"};
  }
  std::vector<std::size_t> all(group_of.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  const std::vector<Group> groups = ranked_groups(all, group_of, "part", seed);
  HeldOutSplit split;
  const double wanted = held_out_share * static_cast<double>(all.size());
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const Group& group = groups[g];
    const auto size = static_cast<double>(group.items.size());
    const auto held = static_cast<double>(split.held_out.size());
    // The part comes nearer to its share with the group than without. Groups of very different sizes may fill
    // it before it has enough of them to show anything: then more small ones go in while others are left.
    const bool nearer = std::abs(wanted - held - size) < std::abs(wanted - held);
    const bool too_few = split.held_out_groups < kLeastGroups && groups.size() - g > kLeastGroups &&
                         size <= std::max(1.0, wanted / static_cast<double>(kLeastGroups));
    if (nearer || too_few) {
      split.held_out.insert(split.held_out.end(), group.items.begin(), group.items.end());
      ++split.held_out_groups;
    } else {
      split.development.insert(split.development.end(), group.items.begin(), group.items.end());
      ++split.development_groups;
    }
  }
  if (split.held_out_groups < kLeastGroups || split.development_groups < kLeastGroups) {
    const auto plural = [](std::size_t n, const char* what) {
      return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
    };
    return Error{Kind::bad_data, "the data",
                 plural(all.size(), "item") + " in " + plural(groups.size(), "independent group") +
                     " are too few to develop on one part and confirm on another",
                 "give at least " + std::to_string(groups_needed(held_out_share)) + " independent items"};
  }
  std::sort(split.held_out.begin(), split.held_out.end());
  std::sort(split.development.begin(), split.development.end());
  split.development = search_order(split.development, group_of, seed);
  return split;
}

}  // namespace loam::eval
