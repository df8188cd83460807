// Question to cited answer or honest silence. Every citation is made and checked by code (DESIGN D6).
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/passage.h"
#include "base/result.h"
#include "baseline/extractive.h"
#include "engine/engine.h"
#include "prompt/prompt.h"
#include "retrieve/retrieve.h"

namespace loam::answer {

struct AskOptions {
  int passages_shown = 4;
  int answer_tokens = 64;                ///< at most; the draft ends earlier when it has said enough
  float min_confidence = 0.3F;           ///< below it Loam abstains; chosen on bench/baseline/README.md
  bool keep_unsupported = false;         ///< show unsupported sentences, marked, instead of dropping them
  bool use_model = true;                 ///< false: the extractive baseline alone
  retrieve::RetrieveOptions retrieve;    ///< a re-ranker stands in it
  engine::SpanReader* reader = nullptr;  ///< borrowed; null: the baseline's features alone choose sentences
  prompt::PrePrompt pre_prompt;
  std::vector<engine::Message> memory;
  engine::Sampling sampling;
};

/// A sentence of the shown answer and the citations that carry it.
struct AnswerSentence {
  std::string text;
  bool supported = false;
  std::vector<int> citations;  ///< Citation::id
  std::string why_not;         ///< for unsupported: "the number 14 is in no shown passage"
};

enum class AnswerFrom : std::uint8_t { model, baseline, nobody };

struct Timings {
  double retrieve_ms = 0, rerank_ms = 0, prefill_ms = 0, decode_ms = 0, total_ms = 0;
  double baseline_ms = 0;  ///< the answer without a language model, the reader's time included
};

/// The very words that answer, as a reader of spans found them. They stand inside their citation's quote.
struct ShortAnswer {
  std::string text;  ///< exactly the document's bytes in `span`
  Span span;         ///< bytes of the document's extracted text
  int citation = 0;  ///< Citation::id
};

struct Answer {
  std::optional<std::string> text;  ///< empty when abstained
  bool abstained = false;
  std::string reason;  ///< "", "no_passage", "low_confidence", "not_supported", "empty_collection"
  float confidence = 0;
  AnswerFrom from = AnswerFrom::nobody;
  std::vector<AnswerSentence> sentences;
  std::vector<Citation> citations;
  std::string baseline_text;  ///< the answer without an LLM, always computed
  std::vector<Citation> baseline_citations;
  std::string reader, reranker;             ///< names of those that took part; empty: none did
  std::optional<ShortAnswer> short_answer;  ///< where a reader took part, of the answer that is shown
  std::optional<ShortAnswer> baseline_short_answer;  ///< the same of the baseline's
  std::string draft;                                 ///< what the model wrote, before checking
  bool draft_beside_question =
      false;  ///< the draft was true, and not shown because it answers something else
  prompt::Prompt prompt;
  std::string model;
  Timings timings;
  engine::Usage usage;
};

/// `engine` may be null: then the baseline answers. Fails only for faults (store, engine, context too small);
/// not knowing is Answer::abstained.
Result<Answer> ask(retrieve::Retriever& retriever, engine::Embedder& embedder, engine::Engine* engine,
                   const std::string& question, const AskOptions& options,
                   const engine::TextSink& on_draft = {}, std::stop_token stop = {});

}  // namespace loam::answer
