// What can be set about searching and asking a collection, as rows of a search space, and the two pipelines
// over it: questions with answers, queries with relevant documents.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "answer/answer.h"
#include "base/result.h"
#include "engine/engine.h"
#include "eval/cases.h"
#include "tasks/improve.h"
#include "tasks/improve_recut.h"

namespace loam::tasks {

/// Everything that may vary, with the defaults of the program.
struct CollectionSettings {
  Cut cut;
  retrieve::RetrieveOptions retrieve;
  int passages = 4;
  int answer_tokens = 64;
  double min_confidence = 0.3;
  bool baseline_only = false;
  std::string pre_prompt = "grounded";
  engine::SpanReader* reader = nullptr;  ///< borrowed, as the re-ranker in `retrieve`; neither varies
};

struct CollectionTools {
  engine::Embedder& embedder;        ///< for asking: best the one of Recuts, which remembers questions
  engine::Engine* engine = nullptr;  ///< null: without a language model
  std::function<Result<Shelf>(const Cut&, const ProgressSink&, std::stop_token)> shelf;
  std::function<Result<prompt::PrePrompt>(const std::string&)> load_pre_prompt;
  std::vector<std::string> pre_prompts;  ///< names to try
  bool can_recut = true;                 ///< false: the rows of another cut are left out
  std::set<std::string> fixed;           ///< keys that do not vary
  std::string fingerprint;               ///< of the collection
};

/// Hash of all that a collection holds: sources, contents and how they were cut.
Result<std::string> fingerprint_of(store::Store& store, CollectionId collection);

/// "worth" (default): 1 for a right answer and for silence where there is nothing to say, 0 for a wrong one;
/// silence where there is an answer lies between, at cost / (1 + cost): with cost 1 an answer pays when it is
/// more likely right than wrong. Without it a search would learn never to be silent. "right", "f1" and
/// "exact_match" are those of eval_qa.h.
struct QaImprovement {
  eval::QaData data;
  std::string metric = "worth";
  double wrong_cost = 1;
};
const std::vector<std::string>& qa_metrics_to_improve();
const std::vector<std::string>& retrieval_metrics_to_improve();

/// bad_request for a metric that it does not know.
Result<std::unique_ptr<ImprovePipeline>> improve_qa(QaImprovement what, const CollectionSettings& current,
                                                    CollectionTools tools);
Result<std::unique_ptr<ImprovePipeline>> improve_retrieval(eval::RetrievalData data,
                                                           const std::string& metric,
                                                           const CollectionSettings& current,
                                                           CollectionTools tools);

}  // namespace loam::tasks
