// `loam train reader|reranker|embedder|head`: what an encoder is taught, as an adapter with its head.
#include "base/json.h"
#include "cli/context.h"
#include "cli/train_child.h"
#include "train/encoder_trainer.h"

namespace loam::cli {
namespace {

namespace fs = std::filesystem;

struct EncoderVerb {
  engine::HeadKind kind = engine::HeadKind::reader;
  const char* item = "";  ///< what the data consists of
  const char* data = "";  ///< how to name it
};

Result<train::EncoderRequest> encoder_request_of(Context& context, const EncoderVerb& verb) {
  const Options& o = context.options();
  train::EncoderRequest request;
  request.kind = verb.kind;
  if (o.train_data.empty()) return Error{Kind::bad_request, "--data", "no data is named", verb.data};
  request.data = o.train_data;
  auto base = context.find_model(o.train_base, engine::ModelRole::embedding);
  if (!base) return base.error();
  request.base = *base;
  auto out = adapter_to_write(context, request.data);
  if (!out) return out.error();
  request.out = *out;
  request.resume = o.train_resume;
  auto options = training_options_of(o, train::usual_options(verb.kind));
  if (!options) return options.error();
  request.options = *options;
  request.negatives = o.train_negatives;
  request.text_column = o.text_column;
  request.label_column = o.label_column;
  return request;
}

/// What was measured before and after, by name.
Json figures_json(const train::EncoderReport& report) {
  Json figures = Json::array();
  for (const train::EncoderFigure& after : report.after) {
    Json figure = {{"name", after.name}, {"before", Json()}, {"after", after.value}, {"items", after.items}};
    for (const train::EncoderFigure& before : report.before) {
      if (before.name == after.name) figure["before"] = before.value;
    }
    figures.push_back(std::move(figure));
  }
  return figures;
}

Result<Outcome> train_encoder(Context& context, const EncoderVerb& verb) {
  auto request = encoder_request_of(context, verb);
  if (!request) return request.error();
  return train_in_child(
      context, train::checkpoint_path(request->out), verb.item, [&](const TrainEvents& events) {
        auto trainer = train::EncoderTrainer::open(*request, events.loading(), silent_logger(),
                                                   system_clock(), events.stop());
        if (!trainer) return events.error(trainer.error());
        events.plan((*trainer)->plan());
        const auto report =
            (*trainer)->run([&](const train::StepEvent& step) { events.step(step); }, events.stop());
        if (!report) return events.error(report.error());
        events.end(*report, Json{{"kind", engine::name_of(verb.kind)}, {"figures", figures_json(*report)}});
      });
}

}  // namespace

Result<Outcome> run_train_reader(Context& context) {
  return train_encoder(context, {engine::HeadKind::reader, "pair",
                                 "loam train reader --data FILE, SQuAD's JSON or lines of "
                                 "{\"question\",\"context\",\"answers\":[{\"text\",\"start\"}]}"});
}

Result<Outcome> run_train_reranker(Context& context) {
  return train_encoder(context,
                       {engine::HeadKind::reranker, "question",
                        "loam train reranker --data FILE, with {\"question\",\"passage\"} on each line"});
}

Result<Outcome> run_train_embedder(Context& context) {
  return train_encoder(context,
                       {engine::HeadKind::embedder, "question",
                        "loam train embedder --data FILE, with {\"question\",\"passage\"} on each line"});
}

Result<Outcome> run_train_head(Context& context) {
  return train_encoder(context, {engine::HeadKind::classifier, "text",
                                 "loam train head --data FILE, with {\"text\",\"label\"} on each line"});
}

}  // namespace loam::cli
