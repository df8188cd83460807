#include "engine/chat_template.h"

#include <chat.h>  // of llama-common

#include <algorithm>

namespace loam::engine {
namespace {

std::string_view name_of(Role role) {
  switch (role) {
    case Role::system:
      return "system";
    case Role::assistant:
      return "assistant";
    case Role::user:
      break;
  }
  return "user";
}

/// Brackets and block statements nested deeper than a real template ever is would overflow the parser's
/// stack.
Result<void> check_depth(std::string_view source, const std::string& place) {
  const auto refuse = [&](std::string message) -> Result<void> {
    return Error{Kind::bad_data, place, std::move(message), "import the model with another chat template"};
  };
  if (source.size() > kLargestTemplateBytes) {
    return refuse("chat template of " + std::to_string(source.size()) + " bytes; at most " +
                  std::to_string(kLargestTemplateBytes) + " are accepted");
  }
  int brackets = 0;
  int blocks = 0;
  int prefixes = 0;
  std::size_t word_start = 0;
  for (std::size_t i = 0; i < source.size(); ++i) {
    const char c = source[i];
    if (c == '(' || c == '[' || c == '{') {
      ++brackets;
    } else if (c == ')' || c == ']' || c == '}') {
      brackets = std::max(0, brackets - 1);
    }
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (word) {
      continue;
    }
    const std::string_view name = source.substr(word_start, i - word_start);
    word_start = i + 1;
    if (name == "if" || name == "for" || name == "macro" || name == "set" || name == "filter" ||
        name == "call") {
      blocks += 1;
    } else if (name.starts_with("end") || name == "else") {
      blocks = std::max(0, blocks - 1);
    }
    prefixes = name == "not" || ((c == '-' || c == '+' || c == '~') && name.empty()) ? prefixes + 1
               : name.empty()                                                        ? prefixes
                                                                                     : 0;
    if (brackets > kDeepestTemplate || prefixes > 256) {
      return refuse("chat template is nested deeper than " + std::to_string(kDeepestTemplate) + " levels");
    }
  }
  // `set x = ...` and inline `a if b` have no end: only a flood of them counts as nesting.
  if (blocks > 2000) {
    return refuse("chat template has too many open blocks");
  }
  return done();
}

bool holds_any(const std::string& text, std::span<const SpecialToken> tokens) {
  return std::any_of(tokens.begin(), tokens.end(),
                     [&](const SpecialToken& token) { return text.find(token.text) != std::string::npos; });
}

std::string without(std::string text, std::span<const SpecialToken> tokens) {
  for (const SpecialToken& token : tokens) {
    for (std::size_t at = text.find(token.text); at != std::string::npos; at = text.find(token.text, at)) {
      text.replace(at, token.text.size(), "\xEF\xBF\xBD");
    }
  }
  return text;
}

bool same_own_text(const std::vector<PromptPart>& a, const std::vector<PromptPart>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const PromptPart& x, const PromptPart& y) {
    return x.outside == y.outside && (x.outside || x.text == y.text);
  });
}

/// The one line of the renderer's report that says why.
std::string reason_in(std::string_view report) {
  for (const std::string_view mark : {std::string_view("Error: "), std::string_view("Jinja Exception: ")}) {
    if (const std::size_t at = report.rfind(mark); at != std::string_view::npos) {
      report.remove_prefix(at + mark.size());
    }
  }
  return std::string(report.substr(0, report.find('\n')));
}

jinja::value text_value(const std::string& text, bool outside) {
  auto value = jinja::mk_val<jinja::value_string>(text);
  if (outside) {
    value->mark_input();
  }
  return value;
}

}  // namespace

std::string_view default_chat_template() {
  return "{%- for message in messages -%}{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + "
         "'<|im_end|>\\n' -}}{%- endfor -%}{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}"
         "{%- endif -%}";
}

struct ChatTemplate::State {
  common_chat_template compiled;
  std::string place;

  Result<std::vector<PromptPart>> render(const std::vector<Message>& messages) const {
    try {
      jinja::context context(compiled.source());
      auto list = jinja::mk_val<jinja::value_array>();
      const bool typed = compiled.caps.supports_typed_content && !compiled.caps.supports_string_content;
      for (const Message& message : messages) {
        auto entry = jinja::mk_val<jinja::value_object>();
        entry->insert("role", text_value(std::string(name_of(message.role)), false));
        jinja::value content = text_value(message.content, true);
        if (typed) {
          auto part = jinja::mk_val<jinja::value_object>();
          part->insert("type", text_value("text", false));
          part->insert("text", content);
          auto parts = jinja::mk_val<jinja::value_array>();
          parts->push_back(jinja::value(part));
          content = parts;
        }
        entry->insert("content", content);
        list->push_back(jinja::value(entry));
      }
      context.set_val("messages", list);
      context.set_val("bos_token", text_value(compiled.bos_token(), false));
      context.set_val("eos_token", text_value(compiled.eos_token(), false));
      context.set_val("enable_thinking", jinja::mk_val<jinja::value_bool>(false));
      context.set_val("add_generation_prompt", jinja::mk_val<jinja::value_bool>(true));
      jinja::runtime runtime(context);
      const auto gathered = jinja::runtime::gather_string_parts(runtime.execute(compiled.prog));
      std::vector<PromptPart> parts;
      for (const jinja::string_part& part : gathered->val_str.parts) {
        if (part.val.empty()) {
          continue;
        }
        if (!parts.empty() && parts.back().outside == part.is_input) {
          parts.back().text += part.val;
        } else {
          parts.push_back({part.val, part.is_input});
        }
      }
      return parts;
    } catch (const std::exception& failure) {
      // raise_exception() of the template itself: "Conversation roles must alternate", and the like.
      return Error{Kind::bad_request, place,
                   "the chat template refuses these messages: " + reason_in(failure.what()),
                   "check the order and the roles of the messages"};
    } catch (...) {
      // The renderer's break and continue signals are no std::exception, and leave a template outside of a
      // loop.
      return Error{Kind::bad_data, place, "the chat template leaves a loop that it is not in",
                   "import the model with another chat template"};
    }
  }
};

ChatTemplate::ChatTemplate(std::unique_ptr<State> state) : state_(std::move(state)) {}
ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;

Result<ChatTemplate> ChatTemplate::parse(const std::string& source, std::string bos_text,
                                         std::string eos_text, std::string place) {
  if (auto checked = check_depth(source, place); !checked) {
    return checked.error();
  }
  try {
    return ChatTemplate(std::make_unique<State>(
        State{common_chat_template(source, std::move(bos_text), std::move(eos_text)), std::move(place)}));
  } catch (const std::exception& failure) {
    return Error{Kind::bad_data, place, "the chat template cannot be read: " + reason_in(failure.what()),
                 "import the model with another chat template"};
  } catch (...) {
    return Error{Kind::bad_data, place, "the chat template leaves a loop that it is not in",
                 "import the model with another chat template"};
  }
}

Result<std::vector<PromptPart>> ChatTemplate::render(const std::vector<Message>& messages,
                                                     std::span<const SpecialToken> control_tokens) const {
  std::vector<Message> sent = messages;
  if (!state_->compiled.caps.supports_system_role && !sent.empty() && sent.front().role == Role::system) {
    // Such models were trained with the instructions at the head of the first user message.
    if (sent.size() > 1 && sent[1].role == Role::user) {
      sent[1].content = sent[0].content + "\n\n" + sent[1].content;
      sent.erase(sent.begin());
    } else {
      sent[0].role = Role::user;
    }
  }
  auto parts = state_->render(sent);
  if (!parts) {
    return parts;
  }
  const bool hostile = std::any_of(sent.begin(), sent.end(), [&](const Message& message) {
    return holds_any(message.content, control_tokens);
  });
  if (hostile) {
    // The renderer marks what came from outside. Should a template's string operations lose a mark, control
    // tokens of a message would pass as the template's own: then our own text would depend on them, and we
    // refuse.
    std::vector<Message> harmless = sent;
    for (Message& message : harmless) {
      message.content = without(message.content, control_tokens);
    }
    auto reference = state_->render(harmless);
    if (!reference) {
      return reference;
    }
    if (!same_own_text(*parts, *reference)) {
      return Error{
          Kind::bad_request, state_->place,
          "a message holds control tokens of the model, and the chat template does not keep them apart",
          "remove texts like <|im_start|> from the message"};
    }
  }
  return parts;
}

}  // namespace loam::engine
