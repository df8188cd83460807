#include "cli/ask_work.h"

#include "answer/answer_json.h"
#include "base/clock.h"
#include "base/json.h"

namespace loam::cli {

answer::AskOptions ask_options(const Context& context, const Encoders& encoders,
                               prompt::PrePrompt pre_prompt) {
  const Options& options = context.options();
  answer::AskOptions ask;
  ask.passages_shown = options.passages;
  ask.answer_tokens = options.answer_tokens;
  ask.min_confidence = static_cast<float>(options.min_confidence);
  ask.keep_unsupported = options.keep_unsupported;
  ask.use_model = !options.baseline_only;
  ask.retrieve = context.retrieve_options();
  ask.retrieve.reranker = encoders.reranker.get();
  ask.reader = encoders.reader.get();
  ask.pre_prompt = std::move(pre_prompt);
  return ask;
}

Result<std::uint64_t> keep_answer(Context& context, store::Store& store, const store::Collection& collection,
                                  const std::string& question, const answer::Answer& answer) {
  const Options& o = context.options();
  Json adapters = Json::array();
  for (const engine::Adapter& adapter : context.adapters_in_use())
    adapters.push_back({{"name", adapter.file.stem().string()}, {"scale", adapter.scale}});
  const Json config = {
      {"question", question},
      {"collection", collection.name},
      {"embedder", collection.embedder},
      {"embedder_fingerprint", collection.embedder_fingerprint},
      {"model", answer.model},
      {"adapters", std::move(adapters)},
      {"pre_prompt", o.pre_prompt},
      {"passages", o.passages},
      {"candidates", o.candidates},
      {"legs", o.legs},
      {"lexical_weight", o.lexical_weight},
      {"reranker", answer.reranker},
      {"reader", answer.reader},
      {"answer_tokens", o.answer_tokens},
      {"min_confidence", o.min_confidence},
      {"adopted", context.adopted().empty() ? Json() : Json(number_of(context.adopted_run()))},
      {"version", LOAM_VERSION}};
  const Json result = answer::to_json(answer);
  auto run =
      store.add_run({RunId{}, system_clock().unix_seconds(), "ask", dump_json(config), dump_json(result)});
  if (!run) return run.error();
  return number_of(*run);
}

}  // namespace loam::cli
