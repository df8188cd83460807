// `loam chat`: a conversation with a model, streamed, with history.
#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <iostream>

#include "base/json.h"
#include "base/utf8.h"
#include "cli/context.h"
#include "cli/interrupt.h"
#include "cli/nearest.h"

namespace loam::cli {
namespace {

constexpr std::string_view kHelp =
    "/help           this list\n"
    "/system TEXT    what the model is told before the conversation; without TEXT: show it\n"
    "/reset          forget the conversation\n"
    "/save FILE      write the conversation to FILE as JSON\n"
    "/quit           leave (also Ctrl-D)\n"
    "Ctrl-C stops an answer; a second one leaves.";

std::string_view name_of(engine::Role role) {
  switch (role) {
    case engine::Role::system:
      return "system";
    case engine::Role::user:
      return "user";
    case engine::Role::assistant:
      return "assistant";
  }
  return "";
}

class Chat {
 public:
  Chat(Context& context, engine::LocalEngine& engine, Interrupts& interrupts)
      : context_(context), terminal_(context.terminal()), engine_(engine), interrupts_(interrupts) {
    if (!context.options().system.empty()) system_ = context.options().system;
  }

  Result<Outcome> run() {
    const bool is_person = ::isatty(STDIN_FILENO) == 1;
    if (is_person) {
      terminal_.note(
          fmt::format("Talking with {} on this machine. /help for what can be typed, Ctrl-D to leave.",
                      engine_.model_name()));
    }
    std::string line;
    for (;;) {
      if (is_person && !terminal_.json()) {
        terminal_.out(terminal_.paint(Style::bold, "> "));
        terminal_.flush();
      }
      if (!std::getline(std::cin, line)) break;
      if (!line.empty() && line.back() == '\r') line.pop_back();
      if (line.empty()) continue;
      if (!is_valid_utf8(line)) {
        return Error{Kind::bad_request, "standard input", "not valid UTF-8", "set the terminal to UTF-8"};
      }
      if (line.front() == '/') {
        if (!command(line)) break;
        continue;
      }
      if (auto ok = answer(line); !ok) {
        // The conversation goes on: what cannot be answered is taken back, and the reason is said.
        if (!is_person) return ok.error();
        terminal_.error(ok.error().line());
      }
    }
    if (is_person && !terminal_.json()) terminal_.line();
    return Outcome::done;
  }

 private:
  std::vector<engine::Message> messages_with(const std::string& question) const {
    std::vector<engine::Message> messages;
    if (!system_.empty()) messages.push_back({engine::Role::system, system_});
    messages.insert(messages.end(), history_.begin(), history_.end());
    messages.push_back({engine::Role::user, question});
    return messages;
  }

  /// Drops the oldest exchanges until question and answer fit, and says so.
  Result<int> make_room(const std::string& question) {
    const int limit = engine_.context_tokens();
    std::size_t dropped = 0;
    for (;;) {
      auto tokens = engine_.count_tokens(messages_with(question));
      if (!tokens) return tokens;
      const int room = limit - *tokens;
      if (room >= std::min(context_.options().max_tokens, limit / 4)) {
        if (dropped > 0) {
          terminal_.note(fmt::format(
              "The conversation is longer than the context of {} tokens: the {} left out.", limit,
              dropped == 1 ? "oldest exchange is" : fmt::format("{} oldest exchanges are", dropped)));
        }
        return std::min(room, context_.options().max_tokens);
      }
      if (history_.size() < 2) {
        return Error{Kind::out_of_room, "the question",
                     fmt::format("{} tokens leave no room for an answer in a context of {}", *tokens, limit),
                     "a shorter question, or --ctx N"};
      }
      history_.erase(history_.begin(), history_.begin() + 2);
      ++dropped;
    }
  }

  Result<void> answer(const std::string& question) {
    auto room = make_room(question);
    if (!room) return room.error();
    engine::GenerateRequest request;
    request.messages = messages_with(question);
    request.max_tokens = *room;
    request.sampling = context_.sampling();
    request.stop = context_.options().stop;
    const auto on_text = [&](std::string_view piece) {
      if (terminal_.json()) {
        terminal_.json_line({{"event", "text"}, {"text", piece}});
      } else {
        terminal_.out(terminal_.out_is_terminal() ? printable(piece) : std::string(piece));
        terminal_.flush();
      }
      return true;
    };
    auto draft = engine_.generate(request, on_text, interrupts_.begin());
    interrupts_.end();
    if (!draft) return draft.error();
    history_.push_back({engine::Role::user, question});
    history_.push_back({engine::Role::assistant, draft->text});
    if (terminal_.json()) {
      terminal_.json_line({{"event", "done"},
                           {"text", draft->text},
                           {"finish", draft->finish == engine::FinishReason::stop     ? "stop"
                                      : draft->finish == engine::FinishReason::length ? "length"
                                                                                      : "cancelled"},
                           {"prompt_tokens", draft->usage.prompt_tokens},
                           {"reused_tokens", draft->usage.reused_tokens},
                           {"answer_tokens", draft->usage.answer_tokens}});
    } else {
      terminal_.line(
          draft->finish == engine::FinishReason::cancelled ? terminal_.paint(Style::dim, " (stopped)") : "");
      if (draft->finish == engine::FinishReason::length)
        terminal_.note("(the answer was ended at its longest; -n N allows more)");
      terminal_.line();
    }
    return done();
  }

  /// False: leave.
  bool command(const std::string& line) {
    const std::size_t space = line.find(' ');
    const std::string name = line.substr(0, space);
    std::string rest = space == std::string::npos
                           ? ""
                           : line.substr(line.find_first_not_of(' ', space) == std::string::npos
                                             ? line.size()
                                             : line.find_first_not_of(' ', space));
    if (name == "/quit" || name == "/exit") return false;
    if (name == "/help") {
      say(std::string(kHelp));
    } else if (name == "/reset") {
      history_.clear();
      say("The conversation is forgotten.");
    } else if (name == "/system") {
      if (!rest.empty()) system_ = rest;
      say(system_.empty() ? "There is no system message." : "System: " + printable(system_));
    } else if (name == "/save") {
      save(rest);
    } else {
      const auto meant = nearest(name, {"/help", "/system", "/reset", "/save", "/quit"});
      say(fmt::format("There is no {}. Try: {}", printable(name), meant.value_or("/help")));
    }
    return true;
  }

  void save(const std::string& file) {
    if (file.empty()) return say("Say where: /save FILE");
    Json list = Json::array();
    if (!system_.empty()) list.push_back({{"role", "system"}, {"content", system_}});
    for (const engine::Message& m : history_)
      list.push_back({{"role", name_of(m.role)}, {"content", m.content}});
    std::ofstream out(file, std::ios::binary);
    out << dump_json_pretty({{"model", engine_.model_name()}, {"messages", list}}) << "\n";
    out.flush();
    say(out ? fmt::format("Saved to {}.", file) : fmt::format("{} cannot be written.", file));
  }

  void say(const std::string& text) {
    if (terminal_.json()) {
      terminal_.note(text);
    } else {
      terminal_.line(text);
    }
  }

  Context& context_;
  Terminal& terminal_;
  engine::LocalEngine& engine_;
  Interrupts& interrupts_;
  std::string system_;
  std::vector<engine::Message> history_;
};
}  // namespace

Result<Outcome> run_chat(Context& context) {
  Interrupts interrupts("\n(Ctrl-C again or Ctrl-D leaves)\n> ");  // before any thread of the engine starts
  auto engine = context.open_engine();
  if (!engine) return engine.error();
  return Chat(context, **engine, interrupts).run();
}

}  // namespace loam::cli
