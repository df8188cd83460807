#include "tasks/text_json.h"

#include <cmath>

#include "answer/answer_json.h"
#include "base/json.h"

namespace loam::tasks {
namespace {

Json from_name(answer::AnswerFrom from) {
  switch (from) {
    case answer::AnswerFrom::model:
      return "model";
    case answer::AnswerFrom::baseline:
      return "textrank";
    case answer::AnswerFrom::nobody:
      break;
  }
  return nullptr;
}

Json sentences_json(const std::vector<SummarySentence>& sentences) {
  Json list = Json::array();
  for (const SummarySentence& one : sentences) {
    Json sentence = {{"text", one.text},
                     {"supported", one.supported},
                     {"citations", one.citations},
                     {"from", from_name(one.from)}};
    if (!one.why_not.empty()) sentence["why_not"] = one.why_not;
    list.push_back(std::move(sentence));
  }
  return list;
}

Json citations_json(const std::vector<Citation>& citations) {
  Json list = Json::array();
  for (const Citation& one : citations) list.push_back(answer::to_json(one));
  return list;
}

double rounded_ms(double milliseconds) { return std::round(milliseconds * 10) / 10; }

Json tokens_json(const engine::Usage& usage) {
  return {{"prompt", usage.prompt_tokens}, {"reused", usage.reused_tokens}, {"answer", usage.answer_tokens}};
}

Json timings_json(const engine::Usage& usage, double total_ms) {
  return {{"prefill", rounded_ms(usage.prefill_ms)},
          {"decode", rounded_ms(usage.decode_ms)},
          {"total", rounded_ms(total_ms)}};
}

}  // namespace

Json to_json(const Summary& summary, const std::string& source) {
  return {{"source", source},
          {"summary", summary.text ? Json(*summary.text) : Json()},
          {"reason", summary.reason.empty() ? Json() : Json(summary.reason)},
          {"from", from_name(summary.from)},
          {"sentences", sentences_json(summary.sentences)},
          {"citations", citations_json(summary.citations)},
          {"coverage",
           {{"passages", summary.coverage.passages},
            {"read", summary.coverage.read},
            {"noted", summary.coverage.noted},
            {"contributing", summary.coverage.contributing},
            {"calls", summary.coverage.calls},
            {"levels", summary.coverage.levels}}},
          {"drafted", summary.drafted},
          {"held", summary.held},
          {"dropped", sentences_json(summary.dropped)},
          {"baseline",
           {{"summary", summary.baseline_text}, {"citations", citations_json(summary.baseline_citations)}}},
          {"model", summary.model.empty() ? Json() : Json(summary.model)},
          {"timings_ms", timings_json(summary.usage, summary.total_ms)},
          {"tokens", tokens_json(summary.usage)}};
}

Json to_json(const Translation& translation, const TranslateOptions& options, const std::string& source) {
  Json segments = Json::array();
  for (const TranslatedSegment& one : translation.segments) {
    Json violations = Json::array();
    for (const Violation& broken : one.violations)
      violations.push_back({{"kind", broken.kind}, {"what", broken.what}});
    segments.push_back({{"line", one.line},
                        {"start", one.span.start},
                        {"end", one.span.end},
                        {"source", one.source},
                        {"text", one.text},
                        {"fate", name_of(one.fate)},
                        {"same", one.same},
                        {"violations", std::move(violations)}});
  }
  return {{"source", source},
          {"to", options.to.code},
          {"from", options.from ? Json(options.from->code) : Json()},
          {"text", translation.text},
          {"counts",
           {{"segments", translation.segments.size()},
            {"translated", translation.translated},
            {"retried", translation.retried},
            {"kept", translation.kept},
            {"nothing", translation.nothing},
            {"same", translation.same}}},
          {"segments", std::move(segments)},
          {"model", translation.model.empty() ? Json() : Json(translation.model)},
          {"timings_ms", timings_json(translation.usage, translation.total_ms)},
          {"tokens", tokens_json(translation.usage)}};
}

}  // namespace loam::tasks
