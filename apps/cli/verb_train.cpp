// `loam train lora`: an adapter out of a file of conversations.
#include "base/json.h"
#include "cli/context.h"
#include "cli/train_child.h"
#include "train/lora_trainer.h"

namespace loam::cli {
namespace {

Result<train::TrainingRequest> request_of(Context& context) {
  const Options& o = context.options();
  train::TrainingRequest request;
  if (o.train_data.empty()) {
    return Error{Kind::bad_request, "--data", "no data is named",
                 "loam train lora --data FILE, with {\"prompt\",\"response\"} on each line"};
  }
  request.data = o.train_data;
  auto base = context.find_model(o.train_base, engine::ModelRole::chat);
  if (!base) return base.error();
  request.base = *base;
  auto out = adapter_to_write(context, request.data);
  if (!out) return out.error();
  request.out = *out;
  request.resume = o.train_resume;
  auto options = training_options_of(o, {});
  if (!options) return options.error();
  request.options = *options;
  return request;
}

}  // namespace

Result<Outcome> run_train_lora(Context& context) {
  auto request = request_of(context);
  if (!request) return request.error();
  return train_in_child(
      context, train::checkpoint_path(request->out), "conversation", [&](const TrainEvents& events) {
        auto trainer = train::LoraTrainer::open(*request, events.loading());
        if (!trainer) return events.error(trainer.error());
        events.plan((*trainer)->plan());
        const auto report =
            (*trainer)->run([&](const train::StepEvent& step) { events.step(step); }, events.stop());
        if (report) return events.end(*report, Json::object());
        events.error(report.error());
      });
}

}  // namespace loam::cli
