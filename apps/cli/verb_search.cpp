// Finding: search, explain.
#include <fmt/format.h>

#include "base/json.h"
#include "cli/context.h"
#include "cli/encoders.h"
#include "cli/show.h"
#include "retrieve/retrieve.h"

namespace loam::cli {
namespace {

Result<void> check_question(const std::string& question) {
  if (one_line(question).empty()) {
    return Error{Kind::bad_request, "the question", "it is empty", "loam search \"parental leave\""};
  }
  return done();
}

void print_hits(Context& context, const std::vector<Hit>& hits) {
  Terminal& terminal = context.terminal();
  int number = 0;
  for (const Hit& hit : hits) {
    ++number;
    const std::string place = printable(place_of(hit.source, hit.passage.page));
    terminal.out(fmt::format("{:>3}  {}", number, terminal.paint(Style::bold, place)));
    if (!hit.passage.heading_path.empty()) {
      const std::size_t room =
          terminal.width() - std::min<std::size_t>(terminal.width() - 10, 7 + display_width(place));
      terminal.out(
          terminal.paint(Style::dim, "  " + shorten(printable(one_line(hit.passage.heading_path)), room)));
    }
    terminal.line();
    terminal.line(passage_lines(printable(hit.passage.text), terminal.width(), "     "));
    if (context.options().why) terminal.line(terminal.paint(Style::dim, "     " + why_text(hit.why)));
    terminal.line();
  }
}
}  // namespace

Result<Outcome> run_search(Context& context) {
  const std::string& query = context.arguments().front();
  if (auto ok = check_question(query); !ok) return ok.error();
  auto open = context.open_collection();
  if (!open) return open.error();
  auto encoders = open_encoders(context, *open->embedder, Reads::no);
  if (!encoders) return encoders.error();
  retrieve::RetrieveOptions how = context.retrieve_options();
  how.reranker = encoders->reranker.get();
  auto hits = open->retriever->find(query, context.options().hits, how);
  if (!hits) return hits.error();

  Terminal& terminal = context.terminal();
  if (terminal.json()) {
    Json list = Json::array();
    for (const Hit& hit : *hits) list.push_back(hit_json(hit));
    terminal.json({{"hits", std::move(list)}});
  } else if (hits->empty()) {
    terminal.line("Nothing found.");
  } else {
    print_hits(context, *hits);
  }
  return hits->empty() ? Outcome::empty : Outcome::done;
}

Result<Outcome> run_explain(Context& context) {
  const std::string& question = context.arguments()[0];
  if (auto ok = check_question(question); !ok) return ok.error();
  auto open = context.open_collection();
  if (!open) return open.error();
  auto encoders = open_encoders(context, *open->embedder, Reads::no);
  if (!encoders) return encoders.error();
  retrieve::RetrieveOptions how = context.retrieve_options();
  how.reranker = encoders->reranker.get();
  auto explanation =
      open->retriever->explain(question, context.arguments()[1], context.options().passages, how);
  if (!explanation) return explanation.error();

  const bool shown = !explanation->stages.empty() && explanation->stages.back().rank.has_value();
  Terminal& terminal = context.terminal();
  if (terminal.json()) {
    Json stages = Json::array();
    for (const auto& stage : explanation->stages) {
      stages.push_back({{"name", stage.name},
                        {"rank", stage.rank ? Json(*stage.rank) : Json()},
                        {"score", rounded(stage.score)},
                        {"depth", stage.depth},
                        {"note", stage.note}});
    }
    terminal.json({{"source", explanation->source},
                   {"shown", shown},
                   {"sentence", explanation->sentence},
                   {"stages", std::move(stages)},
                   {"matched_terms", explanation->matched_terms},
                   {"missing_terms", explanation->missing_terms},
                   {"best", explanation->best ? hit_json(*explanation->best) : Json()},
                   {"adopted", context.adopted()}});
    return shown ? Outcome::done : Outcome::empty;
  }
  terminal.line(wrap(printable(explanation->sentence), terminal.width()));
  terminal.line();
  Table table({Table::Align::left, Table::Align::right, Table::Align::right, Table::Align::right,
               Table::Align::left});
  table.add({"STAGE", "RANK", "SCORE", "LOOKED AT", ""}, Style::bold);
  for (const auto& stage : explanation->stages) {
    table.add({stage.name, stage.rank ? std::to_string(*stage.rank) : "-",
               stage.score ? fmt::format("{:.3f}", static_cast<double>(*stage.score)) : "-",
               std::to_string(stage.depth), stage.note});
  }
  terminal.out(table.text(terminal, "  "));
  const auto words = [&](std::string_view name, const std::vector<std::string>& terms) {
    if (terms.empty()) return;
    const std::string first = fmt::format("  {:<15}", name);
    terminal.line(wrap(printable(fmt::format("{}", fmt::join(terms, ", "))), terminal.width(), first,
                       std::string(17, ' ')));
  };
  terminal.line();
  words("words found", explanation->matched_terms);
  words("words missing", explanation->missing_terms);
  if (explanation->best) {
    terminal.line();
    terminal.line(terminal.paint(
        Style::bold,
        "  Best passage: " + printable(place_of(explanation->source, explanation->best->passage.page))));
    terminal.line(passage_lines(printable(explanation->best->passage.text), terminal.width(), "  "));
  }
  if (!context.adopted().empty()) {
    terminal.line();
    terminal.line(terminal.paint(Style::dim, wrap("Adopted settings: " + printable(context.adopted_text()),
                                                  terminal.width(), "  ", "  ")));
  }
  return shown ? Outcome::done : Outcome::empty;
}

}  // namespace loam::cli
