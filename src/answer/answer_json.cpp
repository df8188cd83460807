#include "answer/answer_json.h"

#include <cmath>

#include "base/json.h"

namespace loam::answer {
namespace {

Json rounded(double milliseconds) { return std::round(milliseconds * 100.0) / 100.0; }

template <typename Value>
Json or_null(const std::optional<Value>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json citations_json(const std::vector<Citation>& citations) {
  Json list = Json::array();
  for (const Citation& citation : citations) list.push_back(to_json(citation));
  return list;
}

Json short_answer_json(const std::optional<ShortAnswer>& words) {
  if (!words) return nullptr;
  return {{"text", words->text},
          {"start", words->span.start},
          {"end", words->span.end},
          {"citation", words->citation}};
}

}  // namespace

Json to_json(const Citation& citation) {
  Json json;
  json["id"] = citation.id;
  json["source"] = citation.source;
  json["page"] = or_null(citation.page);
  json["start"] = citation.span.start;
  json["end"] = citation.span.end;
  json["quote"] = citation.quote;
  json["why"] = {{"bm25", or_null(citation.why.bm25)},
                 {"cosine", or_null(citation.why.cosine)},
                 {"rerank", or_null(citation.why.rerank)}};
  return json;
}

Json to_json(const Answer& answer) {
  Json json;
  json["answer"] = or_null(answer.text);
  json["abstained"] = answer.abstained;
  json["confidence"] = answer.confidence;
  json["reason"] = answer.reason.empty() ? Json(nullptr) : Json(answer.reason);
  json["from"] = answer.from == AnswerFrom::model      ? Json("model")
                 : answer.from == AnswerFrom::baseline ? Json("baseline")
                                                       : Json(nullptr);
  json["sentences"] = Json::array();
  for (const AnswerSentence& sentence : answer.sentences) {
    Json item = {
        {"text", sentence.text}, {"supported", sentence.supported}, {"citations", sentence.citations}};
    if (!sentence.supported) item["why_not"] = sentence.why_not;
    json["sentences"].push_back(std::move(item));
  }
  json["citations"] = citations_json(answer.citations);
  json["baseline"] = {{"answer", answer.baseline_text.empty() ? Json(nullptr) : Json(answer.baseline_text)},
                      {"citations", citations_json(answer.baseline_citations)}};
  json["model"] = answer.model.empty() ? Json(nullptr) : Json(answer.model);
  json["adapters"] = Json::array();
  json["timings_ms"] = {{"retrieve", rounded(answer.timings.retrieve_ms)},
                        {"rerank", rounded(answer.timings.rerank_ms)},
                        {"prefill", rounded(answer.timings.prefill_ms)},
                        {"decode", rounded(answer.timings.decode_ms)},
                        {"total", rounded(answer.timings.total_ms)}};
  // Only where they took part: without them the document is what it always was.
  if (!answer.reader.empty()) {
    json["reader"] = answer.reader;
    json["short_answer"] = short_answer_json(answer.short_answer);
    json["baseline"]["short_answer"] = short_answer_json(answer.baseline_short_answer);
    json["timings_ms"]["baseline"] = rounded(answer.timings.baseline_ms);
  }
  if (!answer.reranker.empty()) json["reranker"] = answer.reranker;
  json["tokens"] = {{"prompt", answer.usage.prompt_tokens},
                    {"reused", answer.usage.reused_tokens},
                    {"answer", answer.usage.answer_tokens}};
  return json;
}

}  // namespace loam::answer
