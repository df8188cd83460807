// Hidden states of the data's items, computed once: what the frozen layers below the lowest adapter make of
// an item never changes while the adapter is trained.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "train/operand.h"

namespace loam::train {

/// Rows of one width for items of known lengths, in memory or in a file without a name, which is gone with
/// the process however it ends. Not for several threads at once.
class FeatureCache {
 public:
  /// Rows that the items take, in bytes.
  static std::uint64_t bytes(Precision precision, std::size_t width, std::span<const std::size_t> lengths);
  /// Memory that is not touched before it is written. Throws std::bad_alloc.
  static std::unique_ptr<FeatureCache> in_memory(Precision precision, std::size_t width,
                                                 std::span<const std::size_t> lengths);
  /// A file in `folder`, all of its room taken now: out_of_room names the bytes.
  static Result<std::unique_ptr<FeatureCache>> on_disk(const std::filesystem::path& folder,
                                                       Precision precision, std::size_t width,
                                                       std::span<const std::size_t> lengths);
  ~FeatureCache();

  bool has(std::size_t item) const;
  /// Keeps rows [first_row, first_row + length of the item) of `states`.
  Result<void> put(std::size_t item, const Operand& states, std::size_t first_row);
  /// Writes the item's rows to `states`, which has its shape, from row `first_row` on.
  Result<void> get(std::size_t item, Operand& states, std::size_t first_row);

 private:
  struct State;
  explicit FeatureCache(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace loam::train
