#include "tasks/eval_qa.h"

#include <algorithm>
#include <cstdint>
#include <sstream>
#include <unordered_map>

#include "eval/classification.h"
#include "eval/metrics.h"

namespace loam::tasks {
namespace {

std::vector<std::string> accepted_of(const eval::QaCase& question) {
  std::vector<std::string> accepted = question.accept;
  if (question.answer) accepted.push_back(*question.answer);
  return accepted;
}

/// Whether `text` has one of `wanted` in it as whole words, both as SQuAD normalises them.
bool holds(std::string_view text, const std::vector<std::string>& wanted) {
  const std::string all = " " + eval::normalise_answer(text) + " ";
  return std::any_of(wanted.begin(), wanted.end(), [&](const std::string& one) {
    const std::string words = eval::normalise_answer(one);
    return !words.empty() && all.find(" " + words + " ") != std::string::npos;
  });
}

/// Share of the gold quote's words that the citation's quote has.
double quote_overlap(std::string_view quote, std::string_view gold) {
  std::unordered_map<std::string, int> there;
  std::istringstream quoted(eval::normalise_answer(quote));
  for (std::string word; quoted >> word;) ++there[word];
  std::size_t shared = 0, all = 0;
  std::istringstream wanted(eval::normalise_answer(gold));
  for (std::string word; wanted >> word;) {
    ++all;
    const auto found = there.find(word);
    if (found != there.end() && found->second > 0) {
      --found->second;
      ++shared;
    }
  }
  return all == 0 ? 0 : static_cast<double>(shared) / static_cast<double>(all);
}

bool is_evidence(const Citation& citation, const eval::QaCase& question) {
  if (!question.answer) return false;
  if (!question.source.empty() && citation.source != question.source) return false;
  return holds(citation.quote, accepted_of(question)) ||
         (!question.quote.empty() && quote_overlap(citation.quote, question.quote) >= 0.5);
}

Answered of_model(const answer::Answer& answer) {
  Answered one;
  one.abstained = answer.abstained || !answer.text;
  one.text = answer.text.value_or("");
  one.confidence = static_cast<double>(answer.confidence);
  one.citations = answer.citations;
  return one;
}

Answered of_baseline(const answer::Answer& answer) {
  Answered one;
  one.abstained = answer.baseline_text.empty();
  one.text = answer.baseline_text;
  one.confidence = static_cast<double>(answer.confidence);
  one.citations = answer.baseline_citations;
  return one;
}

/// The very words alone: what exact match and F1 are made for.
Answered of_reader(const answer::Answer& answer) {
  Answered one = of_baseline(answer);
  if (answer.baseline_short_answer) one.text = answer.baseline_short_answer->text;
  return one;
}

Answered silence() { return {}; }

struct Collected {
  std::vector<eval::ItemResult> items;
  std::vector<double> confidences;
  std::vector<bool> right_if_answered;

  void add(const eval::QaCase& question, const Answered& forced, double threshold,
           const std::string& refusal) {
    const Answered shown = forced.confidence < threshold ? silence() : forced;
    eval::ItemResult item;
    item.id = question.id;
    item.cluster = question.source;
    item.scores = score_answer(question, shown);
    item.output = !refusal.empty() ? refusal : shown.abstained ? "" : shown.text;
    items.push_back(std::move(item));
    confidences.push_back(forced.confidence);
    right_if_answered.push_back(!forced.abstained && score_answer(question, forced).at("right") > 0.5);
  }
};

}  // namespace

std::map<std::string, double> score_answer(const eval::QaCase& question, const Answered& answered) {
  std::map<std::string, double> scores;
  const std::vector<std::string> accepted = accepted_of(question);
  const bool said = !answered.abstained;
  scores["answered"] = said ? 1 : 0;
  if (!question.answer) {
    scores["exact_match"] = scores["f1"] = scores["right"] = said ? 0 : 1;
    if (said && !answered.citations.empty()) scores["citation_precision"] = 0;
    return scores;
  }
  scores["exact_match"] = said ? eval::exact_match(answered.text, accepted) : 0;
  scores["f1"] = said ? eval::token_f1(answered.text, accepted) : 0;
  scores["holds"] = scores["right"] = said && holds(answered.text, accepted) ? 1 : 0;
  const auto good = std::count_if(answered.citations.begin(), answered.citations.end(),
                                  [&](const Citation& one) { return is_evidence(one, question); });
  if (said && !answered.citations.empty())
    scores["citation_precision"] = static_cast<double>(good) / static_cast<double>(answered.citations.size());
  scores["citation_recall"] = said && good > 0 ? 1 : 0;
  return scores;
}

std::vector<eval::Metric> qa_metrics(const std::vector<eval::ItemResult>& items,
                                     const std::vector<double>& confidences,
                                     const std::vector<bool>& right_if_answered) {
  std::vector<eval::Metric> metrics;
  const auto mean_of = [&](const std::string& score, const std::string& name, bool answered_only,
                           bool inverted) {
    std::vector<double> values;
    std::vector<std::size_t> groups;
    std::unordered_map<std::string, std::size_t> group_of;
    for (std::size_t i = 0; i < items.size(); ++i) {
      const auto found = items[i].scores.find(score);
      if (found == items[i].scores.end()) continue;
      if (answered_only && items[i].scores.at("answered") < 0.5) continue;
      values.push_back(inverted ? 1 - found->second : found->second);
      const std::string cluster = items[i].cluster.empty() ? "\n" + std::to_string(i) : items[i].cluster;
      groups.push_back(group_of.try_emplace(cluster, group_of.size()).first->second);
    }
    if (values.empty()) return;
    if (const auto estimate = eval::bootstrap_mean_by_group(values, groups))
      metrics.push_back({name, *estimate, !inverted});
  };
  mean_of("exact_match", "exact_match", false, false);
  mean_of("f1", "f1", false, false);
  mean_of("holds", "holds", false, false);
  mean_of("right", "right", false, false);
  mean_of("citation_precision", "citation_precision", false, false);
  mean_of("citation_recall", "citation_recall", false, false);
  mean_of("answered", "coverage", false, false);
  mean_of("right", "error", true, true);
  std::vector<eval::Prediction> predictions;
  for (std::size_t i = 0; i < confidences.size() && i < right_if_answered.size(); ++i)
    predictions.push_back({1, right_if_answered[i] ? 1 : 0, confidences[i]});
  if (!predictions.empty()) {
    const double area = eval::aurc(predictions);
    metrics.push_back({"aurc", {area, area, area, predictions.size()}, false});
  }
  return metrics;
}

Result<QaEvaluation> evaluate_qa(retrieve::Retriever& retriever, engine::Embedder& embedder,
                                 engine::Engine* engine, const eval::QaData& data, const QaOptions& options,
                                 const ProgressSink& progress, std::stop_token stop) {
  QaEvaluation evaluation;
  Collected model, baseline, words;
  const bool with_reader = options.ask.reader != nullptr;
  answer::AskOptions ask = options.ask;
  const auto threshold = static_cast<double>(ask.min_confidence);
  ask.min_confidence = 0;
  const auto stopped = [&](std::size_t asked) {
    return Error{
        Kind::unavailable, "evaluation",
        "stopped after " + std::to_string(asked) + " of " + std::to_string(data.cases.size()) + " questions",
        "run it again; a part is not recorded as the whole"};
  };
  for (std::size_t i = 0; i < data.cases.size(); ++i) {
    if (progress) progress({"asking questions", i, data.cases.size()});
    const eval::QaCase& question = data.cases[i];
    const Result<answer::Answer> answered =
        answer::ask(retriever, embedder, engine, question.question, ask, {}, stop);
    if (stop.stop_requested()) return stopped(i);
    if (!answered) {
      const Kind kind = answered.error().kind;
      if (kind != Kind::bad_request && kind != Kind::out_of_room) return answered.error();
      if (engine != nullptr) model.add(question, silence(), threshold, answered.error().line());
      baseline.add(question, silence(), threshold, answered.error().line());
      if (with_reader) words.add(question, silence(), threshold, answered.error().line());
      continue;
    }
    evaluation.tokens += static_cast<std::uint64_t>(answered->usage.prompt_tokens) +
                         static_cast<std::uint64_t>(answered->usage.answer_tokens);
    if (engine != nullptr) model.add(question, of_model(*answered), threshold, "");
    baseline.add(question, of_baseline(*answered), threshold, "");
    if (with_reader) words.add(question, of_reader(*answered), threshold, "");
  }
  const auto finish = [&](const std::string& name, Collected& collected) {
    QaContestant contestant;
    contestant.name = name;
    contestant.metrics = qa_metrics(collected.items, collected.confidences, collected.right_if_answered);
    contestant.items = std::move(collected.items);
    evaluation.contestants.push_back(std::move(contestant));
  };
  if (engine != nullptr) finish("loam ask", model);
  finish("extractive baseline", baseline);
  if (with_reader) finish("span reader", words);
  return evaluation;
}

}  // namespace loam::tasks
