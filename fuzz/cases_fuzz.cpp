// Data files from outside, as CSV and as JSON lines: never a crash, never a row that disappears, never a
// split that leaves an item out or a cluster in two parts.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/utf8.h"
#include "eval/cases.h"
#include "eval/text_scores.h"

namespace {

using loam::eval::ClassificationData;

void expect_split(const ClassificationData& data) {
  const auto split = loam::eval::split_items(data, 0.3, 0.3, data.items.size());
  if (!split) {
    if (split.error().kind == loam::Kind::our_bug) std::abort();
    return;
  }
  std::vector<int> part_of(data.items.size(), -1);
  int number = 0;
  for (const auto* part : {&split->train, &split->validate, &split->test}) {
    for (const std::size_t item : *part) {
      if (item >= part_of.size() || part_of[item] != -1) std::abort();
      part_of[item] = number;
    }
    ++number;
  }
  std::map<std::string, int> part_of_cluster;
  for (std::size_t i = 0; i < part_of.size(); ++i) {
    if (part_of[i] == -1) std::abort();
    const std::string& cluster = data.items[i].cluster;
    if (!cluster.empty() && part_of_cluster.try_emplace(cluster, part_of[i]).first->second != part_of[i])
      std::abort();
  }
}

void expect_counts(std::string_view bytes, const std::string& name,
                   const loam::eval::ClassificationOptions& options) {
  const auto data = loam::eval::parse_classification(bytes, name, options);
  if (!data) {
    if (data.error().kind == loam::Kind::our_bug || data.error().message.empty()) std::abort();
    return;
  }
  if (data->items.empty() || data->items.size() + loam::eval::left_out(data->notes) != data->rows)
    std::abort();
  if (!options.labels_required && data->items.size() != data->rows) std::abort();
  std::map<std::string_view, int> ids;
  for (const auto& item : data->items) {
    if (!loam::is_valid_utf8(item.text) || !loam::is_valid_utf8(item.label) || ++ids[item.id] > 1)
      std::abort();
    if (options.labels_required && (item.text.empty() || item.label.empty())) std::abort();
  }
  expect_split(*data);
  (void)loam::eval::leakage(*data, *data);
  const auto& first = data->items.front().text;
  const auto& last = data->items.back().text;
  const auto rouge = loam::eval::rouge(first, std::string_view(last), loam::eval::Stemming::yes);
  const std::vector<std::string> references{last};
  const auto bleu = loam::eval::sentence_bleu(first, references);
  const auto chrf =
      loam::eval::sentence_chrf(first, references, {.character_order = 6, .word_order = 2, .beta = 2});
  if (!rouge || !bleu || !chrf) std::abort();
  const auto is_share = [](double value, double most) { return value >= 0 && value <= most * (1 + 1e-9); };
  if (!is_share(rouge->rouge_lsum.f1, 1) || !is_share(bleu->score, 100) || !is_share(*chrf, 100))
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  loam::eval::ClassificationOptions options;
  expect_counts(bytes, "fuzz.csv", options);
  expect_counts(bytes, "fuzz.jsonl", options);
  options.group_column = "group";
  options.merge_stray_labels = true;
  expect_counts(bytes, "fuzz", options);
  options.group_column = {};
  options.labels_required = false;
  expect_counts(bytes, "fuzz.tsv", options);
  expect_counts(bytes, "fuzz.jsonl", options);
  return 0;
}
