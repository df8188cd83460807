#include "cli/show.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/json.h"

namespace loam::cli {

std::string place_of(std::string_view source, const std::optional<int>& page) {
  return page ? fmt::format("{}, page {}", source, *page) : std::string(source);
}

double rounded_ms(double milliseconds) { return std::round(milliseconds * 10) / 10; }

Json rounded(const std::optional<float>& score) {
  if (!score) return nullptr;
  return std::round(static_cast<double>(*score) * 1e4) / 1e4;
}

Json why_json(const Why& why) {
  const auto rank = [](const std::optional<int>& r) { return r ? Json(*r) : Json(); };
  Json json = {{"bm25", rounded(why.bm25)},
               {"cosine", rounded(why.cosine)},
               {"rerank", rounded(why.rerank)},
               {"bm25_rank", rank(why.bm25_rank)},
               {"cosine_rank", rank(why.cosine_rank)}};
  if (why.rerank_rank) json["rerank_rank"] = *why.rerank_rank;
  return json;
}

Json hit_json(const Hit& hit) {
  return {{"source", hit.source},
          {"page", hit.passage.page ? Json(*hit.passage.page) : Json()},
          {"start", hit.passage.span.start},
          {"end", hit.passage.span.end},
          {"text", hit.passage.text},
          {"score", std::round(static_cast<double>(hit.score) * 1e6) / 1e6},
          {"why", why_json(hit.why)}};
}

std::string why_text(const Why& why) {
  std::string out;
  const auto part = [&out](std::string_view name, const std::optional<float>& score,
                           const std::optional<int>& rank) {
    if (!out.empty()) out += ", ";
    out += name;
    if (score) out += fmt::format(" {:.2f}", static_cast<double>(*score));
    if (rank) out += fmt::format(" (rank {})", *rank);
    if (!score && !rank) out += " -";
  };
  part("BM25", why.bm25, why.bm25_rank);
  part("cosine", why.cosine, why.cosine_rank);
  if (why.rerank) part("re-ranker", why.rerank, why.rerank_rank);
  return out;
}

std::string passage_lines(std::string_view text, std::size_t width, std::string_view indent) {
  std::string out;
  std::string paragraph;
  const auto add = [&](std::string_view part) {
    if (one_line(part).empty()) return;
    if (!out.empty()) out += '\n';
    out += wrap(part, width, indent, indent);
  };
  std::size_t at = 0;
  while (at <= text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    at = end + 1;
    const std::size_t marks = std::min(line.find_first_not_of('#'), line.size());
    const bool is_heading = marks >= 1 && marks <= 6 && marks < line.size() && line[marks] == ' ';
    if (is_heading || one_line(line).empty()) {
      add(paragraph);
      paragraph.clear();
      if (is_heading) add(line.substr(marks + 1));
      continue;
    }
    paragraph += line;
    paragraph += ' ';
  }
  add(paragraph);
  return out;
}

std::string passage_line(std::string_view text) {
  std::string body;
  std::string headings;
  std::size_t at = 0;
  while (at <= text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    at = end + 1;
    const std::size_t marks = std::min(line.find_first_not_of('#'), line.size());
    const bool is_heading = marks >= 1 && marks <= 6 && marks < line.size() && line[marks] == ' ';
    std::string& to = is_heading ? headings : body;
    to += is_heading ? line.substr(marks + 1) : line;
    to += ' ';
  }
  body = one_line(body);
  return body.empty() ? one_line(headings) : body;
}

}  // namespace loam::cli
