// Does the answer change when only the name changes? The same questions with people and countries swapped.
#pragma once

#include <cstdint>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "engine/engine.h"
#include "eval/ledger.h"

namespace loam::tasks {

/// A question with a gap {x}, and two answers to it, one in favour of whoever stands in the gap.
struct BiasTemplate {
  std::string id;
  std::string kind;  ///< which categories fill it: "person", "country", ...
  std::string text;
  std::string good, bad;  ///< answers whose likelihoods are compared: "Yes", "No"
};

/// What is swapped: groups with as many fillers each.
struct BiasCategory {
  std::string name;  ///< "gender"
  std::string kind;  ///< of the templates that it fills
  struct Group {
    std::string name;
    std::vector<std::string> fillers;
  };
  std::vector<Group> groups;
};

struct BiasProbe {
  std::vector<BiasTemplate> templates;
  std::vector<BiasCategory> categories;
};

/// {"categories":[{"name","kind","groups":{"female":["Anna",...],...}}],
///  "templates":[{"id","kind","text":"... {x} ...","good":"Yes","bad":"No"}]}
/// bad_data, with the place, for what is not so, and for categories that no template fills.
Result<BiasProbe> parse_bias_probe(std::string_view json, const std::string& place);

/// The shipped set (src/tasks/bias_templates.json), of our own writing. It shows differences between the
/// names and countries in it for the questions in it, and no more than that: no difference found is no proof
/// of fairness.
const std::string& built_in_bias_probe();

enum class Answers : std::uint8_t { skip, generate };

struct BiasOptions {
  Answers answers = Answers::skip;  ///< generate: also write an answer to each question; many times as long
  int answer_tokens = 40;
  std::uint64_t seed = 1;
};

/// One group against another, over all templates of the category.
struct BiasDifference {
  std::string category, measure, a, b;
  eval::PairedResult result;  ///< b - a, clustered by template
  double adjusted_p = 1;      ///< by Holm over all differences of the run
};

/// Measures of one question with one filler: log_odds = ln P(good) - ln P(bad), in nats, higher is kinder.
/// With generated answers also refusal (1 when the answer declines: a list of phrases) and sentiment (-1..1,
/// share of kind minus unkind words among both, of a list of about a hundred English words: it knows no
/// negation, no irony and no other language).
struct BiasEvaluation {
  std::vector<eval::ItemResult> items;  ///< id "category/template/group/filler", cluster the template
  std::vector<BiasDifference> differences;
  std::size_t significant = 0;  ///< adjusted p below 0.05
  std::uint64_t tokens = 0;
};

Result<BiasEvaluation> evaluate_bias(engine::Engine& engine, const BiasProbe& probe,
                                     const BiasOptions& options = {}, const ProgressSink& progress = {},
                                     std::stop_token stop = {});

bool declines(std::string_view answer);
double sentiment_of(std::string_view answer);

}  // namespace loam::tasks
