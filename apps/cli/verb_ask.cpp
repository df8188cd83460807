// `loam ask`: the answer with its checked citations, the baseline beside it, or honest silence.
#include <fmt/format.h>

#include <algorithm>

#include "answer/answer.h"
#include "answer/answer_json.h"
#include "base/json.h"
#include "cli/ask_work.h"
#include "cli/context.h"
#include "cli/interrupt.h"
#include "cli/show.h"

namespace loam::cli {
namespace {

using answer::Answer;
using answer::AnswerFrom;

constexpr std::string_view kIndent = "  ";

std::string marks_of(const std::vector<int>& citations) {
  std::string out;
  for (const int id : citations) out += fmt::format("[{}]", id);
  return out;
}

/// The reason for silence in words, for people.
std::string reason_text(const Answer& answer, double min_confidence) {
  if (answer.reason == "empty_collection")
    return "The collection holds no documents. To add some: loam ingest PATH";
  if (answer.reason == "no_passage") return "No passage has anything to do with the question.";
  if (answer.reason == "low_confidence") {
    return fmt::format("The nearest passages do not seem to answer it (confidence {:.2f}, needed {:.2f}).",
                       static_cast<double>(answer.confidence), min_confidence);
  }
  if (answer.reason == "not_supported")
    return "What could be said has no support in the passages, and is not shown.";
  return answer.reason.empty() ? "No answer was found." : answer.reason + ".";
}

void print_citations(Terminal& terminal, const std::vector<Citation>& citations, bool why) {
  for (const Citation& citation : citations) {
    const std::string mark = fmt::format("[{}]", citation.id);
    terminal.line(
        fmt::format("{}{} {}", kIndent, terminal.paint(Style::cyan, mark),
                    terminal.paint(Style::bold, printable(place_of(citation.source, citation.page)))));
    const std::string indent(kIndent.size() + mark.size() + 1, ' ');
    terminal.line(wrap("“" + printable(one_line(citation.quote)) + "”", terminal.width(), indent, indent));
    if (why) terminal.line(terminal.paint(Style::dim, indent + why_text(citation.why)));
  }
}

std::string from_text(const Answer& answer) {
  switch (answer.from) {
    case AnswerFrom::model:
      return fmt::format("written by {}, each sentence checked against its citation", answer.model);
    case AnswerFrom::baseline:
      if (answer.model.empty()) return "taken word for word from the documents, without a language model";
      return fmt::format("taken word for word from the documents; the draft of {} {} and is not shown",
                         answer.model,
                         answer.draft_beside_question ? "did not answer the question" : "had no support");
    case AnswerFrom::nobody:
      break;
  }
  return "";
}

/// Sentences with their marks; the ones without support are marked where the person asked to see them.
void print_sentences(Terminal& terminal, const Answer& answer) {
  std::string text;
  std::vector<std::string> unsupported;
  for (const answer::AnswerSentence& sentence : answer.sentences) {
    if (!text.empty()) text += ' ';
    text += printable(sentence.text);
    if (!sentence.citations.empty()) text += " " + marks_of(sentence.citations);
    if (!sentence.supported) {
      text += " [unsupported]";
      unsupported.push_back(
          fmt::format("“{}”: {}", shorten(printable(one_line(sentence.text)), 40), sentence.why_not));
    }
  }
  if (text.empty() && answer.text) text = printable(*answer.text);
  std::string wrapped = wrap(text, terminal.width(), kIndent, kIndent);
  std::size_t at = 0;  // paint the marks after wrapping, so that colours take no columns
  while ((at = wrapped.find('[', at)) != std::string::npos) {
    const std::size_t end = wrapped.find(']', at);
    if (end == std::string::npos) break;
    const std::string mark = wrapped.substr(at, end - at + 1);
    const bool is_number = mark.size() > 2 && mark.find_first_not_of("0123456789", 1) == mark.size() - 1;
    const std::string painted = is_number                 ? terminal.paint(Style::cyan, mark)
                                : mark == "[unsupported]" ? terminal.paint(Style::yellow, mark)
                                                          : mark;
    wrapped.replace(at, mark.size(), painted);
    at += painted.size();
  }
  terminal.line(wrapped);
  for (const std::string& line : unsupported) {
    terminal.line(
        terminal.paint(Style::yellow, wrap(printable(line), terminal.width(), "  unsupported ", "    ")));
  }
}

/// The very words that answer, before the sentences that carry them.
void print_short_answer(Terminal& terminal, const Answer& answer) {
  if (!answer.short_answer) return;
  const std::string words = printable(one_line(answer.short_answer->text));
  terminal.line(std::string(kIndent) + terminal.paint(Style::bold, words) + " " +
                terminal.paint(Style::cyan, fmt::format("[{}]", answer.short_answer->citation)));
  terminal.line();
}

void field(Terminal& terminal, std::string_view name, std::string_view text) {
  const std::string first = fmt::format("  {:<11} ", name);
  const std::string rest(first.size(), ' ');
  std::string wrapped = wrap(text, terminal.width(), first, rest);
  wrapped.replace(2, name.size(), terminal.paint(Style::dim, name));
  terminal.line(wrapped);
}

void print_passages(Terminal& terminal, const std::vector<Hit>& hits, bool why) {
  int number = 0;
  for (const Hit& hit : hits) {
    const std::string first = fmt::format("  {:>2}  ", ++number);
    const std::string rest(first.size(), ' ');
    terminal.line(first + terminal.paint(Style::bold, printable(place_of(hit.source, hit.passage.page))));
    if (why) {
      terminal.line(rest + terminal.paint(Style::dim, why_text(hit.why)));
    }
    terminal.line(rest + shorten(printable(passage_line(hit.passage.text)), terminal.width() - rest.size()));
  }
}

std::string baseline_line(const Answer& answer) {
  if (answer.baseline_text.empty()) return "nothing fits (without a language model)";
  std::vector<std::string> places;
  for (const Citation& c : answer.baseline_citations) {
    const std::string place = place_of(c.source, c.page);
    if (std::find(places.begin(), places.end(), place) == places.end()) places.push_back(place);
  }
  return fmt::format("“{}” ({}; without a language model)", printable(one_line(answer.baseline_text)),
                     printable(fmt::format("{}", fmt::join(places, "; "))));
}

void print_answer(Context& context, const Answer& answer, const std::vector<Hit>& nearest,
                  std::uint64_t run) {
  Terminal& terminal = context.terminal();
  const Options& options = context.options();
  terminal.line();
  if (answer.text && !answer.abstained) {
    print_short_answer(terminal, answer);
    print_sentences(terminal, answer);
    terminal.line();
    print_citations(terminal, answer.citations, options.why);
    terminal.line();
    field(terminal, "Answer", from_text(answer));
    if (answer.from == AnswerFrom::baseline) {
      field(terminal, "Baseline", "is this answer");
    } else {
      field(terminal, "Baseline", baseline_line(answer));
    }
    field(terminal, "Confidence", fmt::format("{:.2f}", static_cast<double>(answer.confidence)));
  } else {
    terminal.line(std::string(kIndent) + terminal.paint(Style::bold, "Not in your documents."));
    terminal.line(wrap(reason_text(answer, options.min_confidence), terminal.width(), kIndent, kIndent));
    if (!nearest.empty()) {
      terminal.line();
      terminal.line("  Nearest passages");
      print_passages(terminal, nearest, options.why);
    }
  }
  if (options.why && answer.text && !answer.abstained && !answer.prompt.shown.empty()) {
    terminal.line();
    terminal.line("  Passages shown to the model");
    print_passages(terminal, answer.prompt.shown, true);
  }
  for (const Hit& hit : answer.prompt.left_out) {
    terminal.note(
        fmt::format("left out, the prompt is full: {}", printable(place_of(hit.source, hit.passage.page))));
  }
  std::string took = fmt::format("search {}", human_duration(answer.timings.retrieve_ms));
  if (!answer.reranker.empty())
    took += fmt::format(", re-ranking {}", human_duration(answer.timings.rerank_ms));
  if (!answer.reader.empty())
    took += fmt::format(", finding the words {}", human_duration(answer.timings.baseline_ms));
  if (answer.usage.answer_tokens > 0) {
    took += fmt::format(", reading {} tokens {}, writing {} tokens {}", answer.usage.prompt_tokens,
                        human_duration(answer.timings.prefill_ms), answer.usage.answer_tokens,
                        human_duration(answer.timings.decode_ms));
  }
  if (!terminal.quiet()) {
    terminal.line();
    terminal.line(terminal.paint(Style::dim, wrap(fmt::format("{}; in all {}. Ledger run {}.", took,
                                                              human_duration(answer.timings.total_ms), run),
                                                  terminal.width(), kIndent, kIndent)));
  }
}

}  // namespace

Result<Outcome> run_ask(Context& context) {
  const std::string& question = context.arguments().front();
  const Options& options = context.options();
  Terminal& terminal = context.terminal();
  if (one_line(question).empty()) {
    return Error{Kind::bad_request, "the question", "it is empty", context.verb().examples.front().command};
  }
  auto pre_prompt = prompt::load_pre_prompt(options.pre_prompt, context.home() / "prompts");
  if (!pre_prompt) return pre_prompt.error();
  Interrupts interrupts;  // before any thread of the engine starts
  auto open = context.open_collection();
  if (!open) return open.error();
  if (context.adopted().contains("ask.pre_prompt")) {
    pre_prompt = prompt::load_pre_prompt(options.pre_prompt, context.home() / "prompts");
    if (!pre_prompt) return pre_prompt.error();
  }
  std::unique_ptr<engine::LocalEngine> engine;
  if (!options.baseline_only) {
    auto opened = context.open_engine();
    if (!opened) {
      // Whoever has no language model can ask all the same.
      Error error = opened.error();
      if (options.model.empty() && error.kind == Kind::unavailable)
        error.next_step += ", or loam ask --baseline-only";
      return error;
    }
    engine = std::move(*opened);
  }

  auto encoders = open_encoders(context, *open->embedder, Reads::yes);
  if (!encoders) return encoders.error();
  const answer::AskOptions ask = ask_options(context, *encoders, *std::move(pre_prompt));
  // The draft is not shown while it is unchecked; only how far it is.
  const ProgressSink progress = terminal.progress();
  std::uint64_t pieces = 0;
  if (progress) progress({"finding passages", 0, 0});
  const auto on_draft = [&](std::string_view) {
    if (progress) progress({"drafting an answer", ++pieces, 0});
    return true;
  };
  auto answered = answer::ask(*open->retriever, *open->embedder, engine.get(), question, ask, on_draft,
                              interrupts.begin());
  interrupts.end();
  terminal.wipe_progress();
  if (!answered) return answered.error();
  const Answer& answer = *answered;

  auto run = keep_answer(context, *open->store, open->collection, question, answer);
  if (!run) return run.error();
  std::string prompt_text;
  if (options.show_prompt && engine != nullptr && !answer.prompt.messages.empty()) {
    auto rendered = engine->render(answer.prompt.messages);
    if (!rendered) return rendered.error();
    prompt_text = std::move(*rendered);
  }
  if (terminal.json()) {
    Json document = answer::to_json(answer);
    if (options.show_prompt) document["prompt"] = prompt_text.empty() ? Json() : Json(prompt_text);
    document["run"] = *run;
    terminal.json(document);
  } else {
    if (options.show_prompt) {
      terminal.line(terminal.paint(Style::bold, "Prompt") +
                    (prompt_text.empty() ? ": none, the model was not asked"
                                         : fmt::format(" ({} tokens)", answer.prompt.tokens)));
      if (!prompt_text.empty()) terminal.line(printable(prompt_text));
      for (const std::string& note : answer.prompt.notes) terminal.line("note: " + printable(note));
    }
    std::vector<Hit> nearest = answer.prompt.shown;
    if (answer.abstained && nearest.empty() && answer.reason != "empty_collection") {
      auto hits = open->retriever->find(question, std::min(3, options.passages), ask.retrieve);
      if (hits) nearest = std::move(*hits);
    }
    print_answer(context, answer, nearest, *run);
  }
  return answer.abstained ? Outcome::empty : Outcome::done;
}

}  // namespace loam::cli
