// Parts of labelled texts: which item belongs to which part, and a part as data of its own. Internal to
// tasks.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tasks/classifier.h"

namespace loam::tasks {

/// 0..folds-1 for each item: each label spread evenly, items with the same non-zero group together.
std::vector<int> folds_of(std::span<const int> labels, std::span<const std::size_t> group, int folds,
                          std::uint64_t seed);

/// Examples that own what they show.
struct OwnedExamples {
  std::vector<std::string> texts;
  std::vector<int> labels;
  std::vector<float> vectors;
  int classes = 0;
  Examples view() const& { return {texts, labels, vectors, classes}; }
  Examples view() && = delete;
};
OwnedExamples subset(const Examples& all, std::span<const std::size_t> which);

}  // namespace loam::tasks
