// Dividing labelled texts so that what is learnt from and what is tested on share nothing.
#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "eval/cases.h"
#include "eval/data_file.h"
#include "eval/resample.h"
#include "reader/text.h"

namespace loam::eval {
namespace {

/// Sets that grow together (Tarjan's union-find with path halving).
class Groups {
 public:
  explicit Groups(std::size_t n) : parent_(n) { std::iota(parent_.begin(), parent_.end(), std::size_t{0}); }
  std::size_t root(std::size_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void join(std::size_t i, std::size_t j) {
    const std::size_t a = root(i);
    const std::size_t b = root(j);
    parent_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<std::size_t> parent_;
};

/// Items that must stay together: of one cluster, or of one text but for case, punctuation and spaces.
std::vector<std::vector<std::size_t>> groups_of(const ClassificationData& data) {
  Groups groups(data.items.size());
  std::unordered_map<std::string, std::size_t> first_of_text;
  std::unordered_map<std::string, std::size_t> first_of_cluster;
  for (std::size_t i = 0; i < data.items.size(); ++i) {
    const LabelledText& item = data.items[i];
    groups.join(i, first_of_text.try_emplace(normalised_text(item.text), i).first->second);
    if (!item.cluster.empty()) groups.join(i, first_of_cluster.try_emplace(item.cluster, i).first->second);
  }
  std::map<std::size_t, std::vector<std::size_t>> by_root;
  for (std::size_t i = 0; i < data.items.size(); ++i) by_root[groups.root(i)].push_back(i);
  std::vector<std::vector<std::size_t>> list;
  list.reserve(by_root.size());
  for (auto& [root, items] : by_root) list.push_back(std::move(items));
  return list;
}

/// How many items of each label each part still lacks.
class Wanted {
 public:
  Wanted(const ClassificationData& data, const std::vector<std::size_t>& label_of, std::vector<double> shares)
      : shares_(std::move(shares)),
        by_label_(data.labels.size() + 1, std::vector<double>(shares_.size())),
        total_(shares_.size()) {
    for (const std::size_t label : label_of) {
      for (std::size_t part = 0; part < shares_.size(); ++part) {
        by_label_[label][part] += shares_[part];
        total_[part] += shares_[part];
      }
    }
  }

  /// The part that lacks these items most; of equal ones the one that lacks most items of any label.
  std::size_t neediest(const std::map<std::size_t, std::size_t>& count_of_label) const {
    std::size_t best = 0;
    double best_need = 0;
    for (std::size_t part = 0; part < shares_.size(); ++part) {
      if (shares_[part] <= 0) continue;
      double need = 0;
      for (const auto& [label, count] : count_of_label)
        need += static_cast<double>(count) * by_label_[label][part];
      const bool first = part == 0 || shares_[best] <= 0;
      const bool more = need > best_need + kTie;
      const bool as_much = need > best_need - kTie && total_[part] > total_[best] + kTie;
      if (first || more || as_much) {
        best = part;
        best_need = need;
      }
    }
    return best;
  }

  void give(std::size_t part, const std::map<std::size_t, std::size_t>& count_of_label) {
    for (const auto& [label, count] : count_of_label) {
      by_label_[label][part] -= static_cast<double>(count);
      total_[part] -= static_cast<double>(count);
    }
  }

 private:
  static constexpr double kTie = 1e-6;  // shares are summed, so that equal needs may differ by rounding
  std::vector<double> shares_;
  std::vector<std::vector<double>> by_label_;
  std::vector<double> total_;
};

Result<void> check(const ClassificationData& data, double validate_share, double test_share) {
  const double held = validate_share + test_share;
  if (!(validate_share >= 0) || !(test_share >= 0) || !(held < 1)) {
    return Error{
        Kind::bad_request, data.version.file,
        "the shares of the validation and the test part must be 0 or more and leave something to learn from",
        "0.2 and 0.2 are usual"};
  }
  if (data.items.empty())
    return Error{Kind::bad_data, data.version.file, "it has no items to divide", "add some"};
  if (data.labels.size() == 1) {
    return Error{Kind::bad_data, data.version.file,
                 "all " + counted(data.items.size(), "item") + " have the label \"" + data.labels.front() +
                     "\"; there is nothing to tell apart",
                 "add items with another label, or name another column of labels"};
  }
  return done();
}

/// The groups dealt out to parts of these shares; parts ascend.
std::vector<std::vector<std::size_t>> dealt(const ClassificationData& data, const std::vector<double>& shares,
                                            std::uint64_t seed, std::size_t* group_count) {
  std::vector<std::size_t> label_of;
  for (const LabelledText& item : data.items) {
    const auto place = std::lower_bound(data.labels.begin(), data.labels.end(), item.label);
    const bool known = place != data.labels.end() && *place == item.label;
    label_of.push_back(known ? static_cast<std::size_t>(place - data.labels.begin()) : data.labels.size());
  }
  std::vector<std::vector<std::size_t>> groups = groups_of(data);
  if (group_count != nullptr) *group_count = groups.size();
  RandomStream random(seed, 0);
  for (std::size_t i = groups.size(); i > 1; --i) std::swap(groups[i - 1], groups[random.below(i)]);
  // Large groups first, while every part still has room for them.
  std::stable_sort(groups.begin(), groups.end(),
                   [](const auto& x, const auto& y) { return x.size() > y.size(); });

  Wanted wanted(data, label_of, shares);
  std::vector<std::vector<std::size_t>> parts(shares.size());
  for (const std::vector<std::size_t>& group : groups) {
    std::map<std::size_t, std::size_t> count_of_label;
    for (const std::size_t item : group) ++count_of_label[label_of[item]];
    const std::size_t part = wanted.neediest(count_of_label);
    wanted.give(part, count_of_label);
    parts[part].insert(parts[part].end(), group.begin(), group.end());
  }
  for (std::vector<std::size_t>& part : parts) std::sort(part.begin(), part.end());
  return parts;
}

}  // namespace

std::vector<std::size_t> group_numbers(const ClassificationData& data) {
  std::vector<std::size_t> numbers(data.items.size(), 0);
  std::size_t number = 0;
  for (const std::vector<std::size_t>& group : groups_of(data)) {
    if (group.size() < 2) continue;
    ++number;
    for (const std::size_t item : group) numbers[item] = number;
  }
  return numbers;
}

Result<std::vector<Split>> split_folds(const ClassificationData& data, int folds, std::uint64_t seed) {
  if (Result<void> checked = check(data, 0, 0); !checked) return checked.error();
  if (folds < 3) {
    return Error{Kind::bad_request, data.version.file,
                 std::to_string(folds) + " folds leave nothing to choose settings on", "5 are usual"};
  }
  const auto count = static_cast<std::size_t>(folds);
  std::size_t group_count = 0;
  const std::vector<std::vector<std::size_t>> parts =
      dealt(data, std::vector<double>(count, 1.0 / folds), seed, &group_count);
  for (const std::vector<std::size_t>& part : parts) {
    if (!part.empty()) continue;
    return Error{Kind::bad_data, data.version.file,
                 "a fold stays empty: " + counted(data.items.size(), "item") + " in " +
                     counted(group_count, "group") + " that must stay together are too few for " +
                     std::to_string(folds) + " folds",
                 "give a few more items"};
  }
  std::vector<Split> splits(count);
  for (std::size_t fold = 0; fold < count; ++fold) {
    for (std::size_t part = 0; part < count; ++part) {
      std::vector<std::size_t>& into = part == fold                 ? splits[fold].test
                                       : part == (fold + 1) % count ? splits[fold].validate
                                                                    : splits[fold].train;
      into.insert(into.end(), parts[part].begin(), parts[part].end());
    }
    std::sort(splits[fold].train.begin(), splits[fold].train.end());
  }
  return splits;
}

Result<Split> split_items(const ClassificationData& data, double validate_share, double test_share,
                          std::uint64_t seed) {
  if (Result<void> checked = check(data, validate_share, test_share); !checked) return checked.error();
  std::size_t group_count = 0;
  std::vector<std::vector<std::size_t>> parts =
      dealt(data, {1 - validate_share - test_share, validate_share, test_share}, seed, &group_count);
  for (const auto& [part, share, name] :
       {std::tuple(1, validate_share, "validation"), std::tuple(2, test_share, "test")}) {
    if (share > 0 && parts[static_cast<std::size_t>(part)].empty()) {
      return Error{Kind::bad_data, data.version.file,
                   "the " + std::string(name) + " part stays empty: " + counted(data.items.size(), "item") +
                       " with " + counted(data.labels.size(), "label") + " in " +
                       counted(group_count, "group") + " that must stay together are too few",
                   "give each label a few more items, or larger shares"};
    }
  }
  return Split{std::move(parts[0]), std::move(parts[1]), std::move(parts[2])};
}

std::vector<DataNote> leakage(const ClassificationData& train, const ClassificationData& test) {
  std::unordered_map<std::string, std::set<std::string>> labels_of;
  std::set<std::string> clusters;
  for (const LabelledText& item : train.items) {
    labels_of[normalised_text(item.text)].insert(item.label);
    if (!item.cluster.empty()) clusters.insert(item.cluster);
  }
  SeenRows shared;
  SeenRows grouped;
  std::size_t other_label = 0;
  for (const LabelledText& item : test.items) {
    const auto found = labels_of.find(normalised_text(item.text));
    if (found != labels_of.end()) {
      shared.add(item.line);
      if (!item.label.empty() && !found->second.contains(item.label)) ++other_label;
    } else if (clusters.contains(item.cluster)) {
      grouped.add(item.line);
    }
  }
  std::vector<DataNote> notes;
  const std::string of_all = " of " + counted(test.items.size(), "test text");
  add_note(notes, "leakage",
           reader::with_thousands(shared.count) + of_all +
               " found in the training data too (but for case, punctuation and spaces): they test memory" +
               (other_label > 0 ? "; " + reader::with_thousands(other_label) + " with another label" : ""),
           shared, Rows::kept);
  add_note(
      notes, "leakage",
      reader::with_thousands(grouped.count) + of_all + " of a group that is found in the training data too",
      grouped, Rows::kept);
  return notes;
}

}  // namespace loam::eval
