// The verbs of the program: one table from which help, completion and the man page are made.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace loam::cli {

class Context;

/// What the program says to its caller. The number is the exit status (DESIGN section 4).
enum class Outcome { done = 0, empty = 1, failed = 2 };

struct Example {
  std::string command;
  std::string shows;
};

struct Verb {
  std::string name;         ///< "ask", or two words: "models pull"
  std::string group;        ///< heading in the program's help; empty: hidden
  std::string arguments;    ///< as shown: "QUESTION", "PATH..."
  int least = 0, most = 0;  ///< number of arguments; most < 0: any number
  std::string summary;      ///< one line
  std::string details;      ///< a few sentences for the verb's own help
  std::string status_1;     ///< when the exit status is 1; empty: never
  std::vector<Example> examples;
  Result<Outcome> (*run)(Context& context) = nullptr;
};

const std::vector<Verb>& verbs();
const Verb* find_verb(std::string_view name);

/// First words of all shown verbs, each once, in table order.
std::vector<std::string> verb_words();
/// Second words under a first word ("models" -> list, pull, ...); empty for verbs of one word.
std::vector<std::string> sub_verbs(std::string_view word);
/// The verb that a bare first word stands for: "models" -> "models list"; nullptr when a second word is
/// needed.
const Verb* bare_verb(std::string_view word);

// Bodies, one file for each family.
Result<Outcome> run_doctor(Context&);
Result<Outcome> run_models_list(Context&);
Result<Outcome> run_models_show(Context&);
Result<Outcome> run_models_pull(Context&);
Result<Outcome> run_models_rm(Context&);
Result<Outcome> run_models_import(Context&);
Result<Outcome> run_models_quantize(Context&);
Result<Outcome> run_adapters_list(Context&);
Result<Outcome> run_adapters_use(Context&);
Result<Outcome> run_adapters_scale(Context&);
Result<Outcome> run_adapters_remove(Context&);
Result<Outcome> run_adapters_merge(Context&);
Result<Outcome> run_adapters_export(Context&);
Result<Outcome> run_adapters_import(Context&);
Result<Outcome> run_adapters_check(Context&);
Result<Outcome> run_adapters_promote(Context&);
Result<Outcome> run_fit(Context&);
Result<Outcome> run_tokens_encode(Context&);
Result<Outcome> run_tokens_decode(Context&);
Result<Outcome> run_generate(Context&);
Result<Outcome> run_chat(Context&);
Result<Outcome> run_ingest(Context&);
Result<Outcome> run_collections_list(Context&);
Result<Outcome> run_collections_rm(Context&);
Result<Outcome> run_check(Context&);
Result<Outcome> run_search(Context&);
Result<Outcome> run_ask(Context&);
Result<Outcome> run_explain(Context&);
Result<Outcome> run_serve(Context&);
Result<Outcome> run_summarise(Context&);
Result<Outcome> run_translate(Context&);
Result<Outcome> run_eval_qa(Context&);
Result<Outcome> run_eval_retrieval(Context&);
Result<Outcome> run_eval_summarise(Context&);
Result<Outcome> run_eval_translate(Context&);
Result<Outcome> run_eval_bias(Context&);
Result<Outcome> run_code(Context&);
Result<Outcome> run_extract(Context&);
Result<Outcome> run_eval_code(Context&);
Result<Outcome> run_eval_extract(Context&);
Result<Outcome> run_eval_loglikelihood(Context&);
Result<Outcome> run_eval_perplexity(Context&);
Result<Outcome> run_ledger_list(Context&);
Result<Outcome> run_ledger_show(Context&);
Result<Outcome> run_ledger_export(Context&);
Result<Outcome> run_ledger_import(Context&);
Result<Outcome> run_advise(Context&);
Result<Outcome> run_compare(Context&);
Result<Outcome> run_leaderboard(Context&);
Result<Outcome> run_classify_compare(Context&);
Result<Outcome> run_classify_fit(Context&);
Result<Outcome> run_classify_predict(Context&);
Result<Outcome> run_improve(Context&);
Result<Outcome> run_train_lora(Context&);
Result<Outcome> run_train_draft(Context&);
Result<Outcome> run_train_reader(Context&);
Result<Outcome> run_train_reranker(Context&);
Result<Outcome> run_train_embedder(Context&);
Result<Outcome> run_train_head(Context&);
Result<Outcome> run_bench_engine(Context&);
Result<Outcome> run_settings(Context&);
Result<Outcome> run_completion(Context&);
Result<Outcome> run_man(Context&);
Result<Outcome> run_version(Context&);
Result<Outcome> run_help(Context&);

}  // namespace loam::cli
