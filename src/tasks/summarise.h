// A summary of a whole document, however long, in which every sentence is checked against the document.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "answer/answer.h"
#include "base/document.h"
#include "base/passage.h"
#include "base/progress.h"
#include "base/result.h"
#include "engine/engine.h"

namespace loam::tasks {

struct SummariseOptions {
  int sentences = 5;              ///< of the summary, at most
  int chunk_tokens = 900;         ///< of text in one call of the model; less where its context is small
  int answer_tokens = 160;        ///< for one call
  bool keep_unsupported = false;  ///< show what has no support, marked, instead of dropping it
  engine::Sampling sampling = {};
};

struct SummarySentence {
  std::string text;
  bool supported = false;
  std::vector<int> citations;                           ///< Citation::id
  std::string why_not;                                  ///< for unsupported
  answer::AnswerFrom from = answer::AnswerFrom::model;  ///< baseline: taken word for word from the document
};

/// What was read, and what came of it. `read` equals `passages` whenever there is a summary.
struct SummaryCoverage {
  int passages = 0;               ///< of the document
  int read = 0;                   ///< shown to the model whole
  int noted = 0;                  ///< from which a supported note was taken
  std::vector<int> contributing;  ///< ordinals of the passages that the summary cites, ascending
  int calls = 0;                  ///< of the model
  int levels = 0;                 ///< 1: one call each; 2: notes were joined once; ...
};

struct Summary {
  std::optional<std::string> text;  ///< empty: the document has nothing to summarise
  std::string reason;               ///< "", "no_text"
  answer::AnswerFrom from = answer::AnswerFrom::nobody;
  std::vector<SummarySentence> sentences;
  std::vector<Citation> citations;
  int drafted = 0;                       ///< sentences that the model wrote, in all calls
  int held = 0;                          ///< of these, supported by the text they were made from
  std::vector<SummarySentence> dropped;  ///< unsupported ones, at most kMostDropped
  SummaryCoverage coverage;
  std::string baseline_text;  ///< TextRank over the document's sentences, always computed
  std::vector<Citation> baseline_citations;
  std::string model;
  engine::Usage usage;  ///< of all calls
  double total_ms = 0;
};

inline constexpr std::size_t kMostDropped = 50;

/// The passages of a document for this task, cut with the engine's own tokens (with words when there is no
/// engine), none longer than a call can take.
Result<std::vector<Passage>> passages_for_summary(const Document& document, engine::Engine* engine,
                                                  const SummariseOptions& options = {});

/// Map: passages in runs of `chunk_tokens`, each run summarised by the model, each sentence aligned with the
/// run (answer/align.h). Reduce: the supported sentences are joined by the model, level by level while they
/// do not fit, and each sentence of the result is aligned with the passages its notes came from. A run whose
/// sentences all fail is represented by its best TextRank sentence, so that nothing read is silently lost;
/// without any supported sentence the TextRank summary is the answer. `passages` ascend and carry their
/// document's bytes. `engine` may be null: TextRank alone. Fails for faults of the engine, a context too
/// small for one passage (out_of_room with both numbers), and when stopped (unavailable): a summary of a part
/// never passes for one of the whole.
Result<Summary> summarise(engine::Engine* engine, const Document& document,
                          const std::vector<Passage>& passages, const SummariseOptions& options,
                          const ProgressSink& progress = {}, std::stop_token stop = {});

/// The first `most` sentences of a document: what a summary must beat (news and abstracts say it first).
std::string lead_of(const Document& document, std::size_t most);

}  // namespace loam::tasks
