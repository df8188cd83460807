#include "tasks/eval_texts.h"

#include <algorithm>
#include <random>
#include <unordered_map>

#include "eval/metrics.h"
#include "eval/text_scores.h"
#include "passage/cutter.h"

namespace loam::tasks {
namespace {

Error stopped(std::size_t finished, std::size_t all) {
  return Error{Kind::unavailable, "evaluation",
               "stopped after " + std::to_string(finished) + " of " + std::to_string(all) + " cases",
               "run it again; a part is not recorded as the whole"};
}

Result<void> check_references(const eval::TextData& data) {
  if (data.cases.empty())
    return Error{Kind::bad_data, data.version.file, "holds no cases",
                 "write JSON lines: {\"input\", \"reference\"}"};
  std::size_t missing = 0;
  std::string first;
  for (const eval::TextCase& one : data.cases) {
    if (!one.references.empty()) continue;
    if (missing++ == 0) first = one.id;
  }
  if (missing == 0) return done();
  return Error{Kind::bad_data, data.version.file,
               std::to_string(missing) + " of " + std::to_string(data.cases.size()) +
                   " cases have no reference (the first: " + first + ")",
               "add \"reference\" or \"references\" to each line"};
}

void add_means(TextContestant& contestant, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    std::vector<double> values;
    std::vector<std::size_t> groups;
    std::unordered_map<std::string, std::size_t> group_of;
    for (std::size_t i = 0; i < contestant.items.size(); ++i) {
      const eval::ItemResult& item = contestant.items[i];
      const auto found = item.scores.find(name);
      if (found == item.scores.end()) continue;
      values.push_back(found->second);
      const std::string cluster = item.cluster.empty() ? "\n" + std::to_string(i) : item.cluster;
      groups.push_back(group_of.try_emplace(cluster, group_of.size()).first->second);
    }
    if (values.empty()) continue;
    if (const auto estimate = eval::bootstrap_mean_by_group(values, groups))
      contestant.metrics.push_back({name, *estimate, name != "same"});
  }
}

/// One sentence a line, as ROUGE-Lsum wants it.
std::string by_lines(const std::string& text) {
  std::string lines;
  for (const Span span : passage::sentences(text)) {
    std::string sentence(slice(text, span));
    std::replace(sentence.begin(), sentence.end(), '\n', ' ');
    lines += (lines.empty() ? "" : "\n") + sentence;
  }
  return lines;
}

Result<eval::ItemResult> rouge_item(const eval::TextCase& one, const std::string& text) {
  std::vector<std::string> references;
  for (const std::string& reference : one.references) references.push_back(by_lines(reference));
  Result<eval::Rouge> rouge = eval::rouge(by_lines(text), references, eval::Stemming::yes);
  if (!rouge) return rouge.error();
  eval::ItemResult item;
  item.id = one.id;
  item.cluster = one.cluster;
  item.output = text;
  item.scores = {
      {"rouge_1", rouge->rouge_1.f1}, {"rouge_2", rouge->rouge_2.f1}, {"rouge_lsum", rouge->rouge_lsum.f1}};
  return item;
}

const std::vector<std::string> kRouge = {"rouge_1", "rouge_2", "rouge_lsum"};

Result<eval::ItemResult> translation_item(const eval::TextCase& one, const std::string& text) {
  Result<double> chrf = eval::sentence_chrf(text, one.references);
  if (!chrf) return chrf.error();
  Result<eval::Bleu> bleu = eval::sentence_bleu(text, one.references);
  if (!bleu) return bleu.error();
  eval::ItemResult item;
  item.id = one.id;
  item.cluster = one.cluster;
  item.output = text;
  item.scores = {{"chrf", *chrf}, {"bleu", bleu->score}};
  return item;
}

/// Corpus scores with the percentile interval of kCorpusResamples resamples over cases.
Result<void> add_corpus(TextContestant& contestant, const eval::TextData& data) {
  std::vector<std::string> texts;
  std::vector<std::vector<std::string>> references;
  for (std::size_t i = 0; i < data.cases.size(); ++i) {
    texts.push_back(contestant.items[i].output);
    references.push_back(data.cases[i].references);
  }
  const auto score =
      [](const std::vector<std::string>& candidates,
         const std::vector<std::vector<std::string>>& wanted) -> Result<std::pair<double, double>> {
    Result<eval::Bleu> bleu = eval::corpus_bleu(candidates, wanted);
    if (!bleu) return bleu.error();
    Result<double> chrf = eval::corpus_chrf(candidates, wanted);
    if (!chrf) return chrf.error();
    return std::pair(bleu->score, *chrf);
  };
  Result<std::pair<double, double>> whole = score(texts, references);
  if (!whole) return whole.error();
  std::vector<double> bleus, chrfs;
  std::mt19937_64 random(1);
  for (int resample = 0; resample < kCorpusResamples; ++resample) {
    std::vector<std::string> some;
    std::vector<std::vector<std::string>> wanted;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const std::size_t pick = random() % texts.size();
      some.push_back(texts[pick]);
      wanted.push_back(references[pick]);
    }
    Result<std::pair<double, double>> drawn = score(some, wanted);
    if (!drawn) return drawn.error();
    bleus.push_back(drawn->first);
    chrfs.push_back(drawn->second);
  }
  const auto interval = [&](std::vector<double> drawn, double value) {
    std::sort(drawn.begin(), drawn.end());
    const auto at = [&](double share) {
      return drawn[static_cast<std::size_t>(share * static_cast<double>(drawn.size() - 1) + 0.5)];
    };
    return eval::Estimate{value, std::min(value, at(0.025)), std::max(value, at(0.975)), texts.size()};
  };
  contestant.metrics.push_back({"bleu", interval(bleus, whole->first), true});
  contestant.metrics.push_back({"chrf", interval(chrfs, whole->second), true});
  return done();
}

}  // namespace

Result<TextEvaluation> evaluate_summaries(engine::Engine* engine, const eval::TextData& data,
                                          const SummariseOptions& options, const ProgressSink& progress,
                                          std::stop_token stop) {
  if (Result<void> checked = check_references(data); !checked) return checked.error();
  TextEvaluation evaluation;
  TextContestant model{"loam summarise", {}, {}}, textrank{"textrank", {}, {}}, lead{"lead", {}, {}};
  for (std::size_t i = 0; i < data.cases.size(); ++i) {
    if (stop.stop_requested()) return stopped(i, data.cases.size());
    if (progress) progress({"summarising", i, data.cases.size()});
    const eval::TextCase& one = data.cases[i];
    Document document;
    document.source = one.id;
    document.media_type = "text/plain";
    document.text = one.input;
    Result<std::vector<Passage>> passages = passages_for_summary(document, engine, options);
    if (!passages) return passages.error();
    Result<Summary> summary = summarise(engine, document, *passages, options, {}, stop);
    if (!summary) return stop.stop_requested() ? stopped(i, data.cases.size()) : summary.error();
    if (summary->text.has_value() == false) ++evaluation.empty;
    evaluation.tokens += static_cast<std::uint64_t>(summary->usage.prompt_tokens) +
                         static_cast<std::uint64_t>(summary->usage.answer_tokens);
    if (engine != nullptr) {
      Result<eval::ItemResult> item = rouge_item(one, summary->text.value_or(""));
      if (!item) return item.error();
      if (summary->drafted > 0)
        item->scores["supported"] =
            static_cast<double>(summary->held) / static_cast<double>(summary->drafted);
      if (summary->coverage.passages > 0) {
        item->scores["coverage"] =
            static_cast<double>(summary->coverage.read) / static_cast<double>(summary->coverage.passages);
      }
      item->scores["written"] = summary->from == answer::AnswerFrom::model ? 1 : 0;
      model.items.push_back(std::move(*item));
    }
    Result<eval::ItemResult> ranked = rouge_item(one, summary->baseline_text);
    if (!ranked) return ranked.error();
    textrank.items.push_back(std::move(*ranked));
    Result<eval::ItemResult> first =
        rouge_item(one, lead_of(document, static_cast<std::size_t>(options.sentences)));
    if (!first) return first.error();
    lead.items.push_back(std::move(*first));
  }
  if (engine != nullptr) {
    add_means(model, kRouge);
    add_means(model, {"supported", "coverage", "written"});
    evaluation.contestants.push_back(std::move(model));
  }
  add_means(textrank, kRouge);
  add_means(lead, kRouge);
  evaluation.contestants.push_back(std::move(textrank));
  evaluation.contestants.push_back(std::move(lead));
  return evaluation;
}

Result<TextEvaluation> evaluate_translations(engine::Engine* engine, const eval::TextData& data,
                                             const TranslateOptions& options, const ProgressSink& progress,
                                             std::stop_token stop) {
  if (Result<void> checked = check_references(data); !checked) return checked.error();
  TextEvaluation evaluation;
  TextContestant model{"loam translate", {}, {}}, copy{"copy-source", {}, {}};
  TranslateOptions unmarked = options;
  unmarked.mark_kept = false;  // marks are for people; they would cost every kept segment points
  for (std::size_t i = 0; i < data.cases.size(); ++i) {
    if (stop.stop_requested()) return stopped(i, data.cases.size());
    if (progress) progress({"translating", i, data.cases.size()});
    const eval::TextCase& one = data.cases[i];
    if (engine != nullptr) {
      Result<Translation> translation = translate(engine, one.input, unmarked, {}, stop);
      if (!translation) return stop.stop_requested() ? stopped(i, data.cases.size()) : translation.error();
      evaluation.tokens += static_cast<std::uint64_t>(translation->usage.prompt_tokens) +
                           static_cast<std::uint64_t>(translation->usage.answer_tokens);
      if (translation->segments.empty()) ++evaluation.empty;
      Result<eval::ItemResult> item = translation_item(one, translation->text);
      if (!item) return item.error();
      const auto segments = static_cast<double>(translation->segments.size());
      if (segments > 0) {
        item->scores["verified"] =
            static_cast<double>(translation->translated + translation->retried + translation->nothing) /
            segments;
        item->scores["same"] = static_cast<double>(translation->same) / segments;
      }
      model.items.push_back(std::move(*item));
    }
    Result<eval::ItemResult> copied = translation_item(one, one.input);
    if (!copied) return copied.error();
    copy.items.push_back(std::move(*copied));
  }
  if (engine != nullptr) {
    if (Result<void> added = add_corpus(model, data); !added) return added.error();
    add_means(model, {"verified", "same"});
    evaluation.contestants.push_back(std::move(model));
  }
  if (Result<void> added = add_corpus(copy, data); !added) return added.error();
  evaluation.contestants.push_back(std::move(copy));
  return evaluation;
}

}  // namespace loam::tasks
