// Which bytes of a text are sentences to translate, and which are its frame.
#include <algorithm>

#include "base/utf8.h"
#include "passage/cutter.h"
#include "tasks/translate.h"

namespace loam::tasks {
namespace {

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos;
}

std::size_t indent_of(std::string_view line) {
  std::size_t width = 0;
  for (const char c : line) {
    if (c == ' ') {
      ++width;
    } else if (c == '\t') {
      width += 4;
    } else {
      break;
    }
  }
  return width;
}

/// The fence that a line opens or closes: its character and length; 0 when it is none.
struct Fence {
  char mark = 0;
  std::size_t length = 0;
  bool bare = false;  ///< nothing after it: it may close
};
Fence fence_of(std::string_view line) {
  const std::size_t start = line.find_first_not_of(" >\t");
  if (start == std::string_view::npos) return {};
  const char mark = line[start];
  if (mark != '`' && mark != '~') return {};
  const std::size_t end = std::min(line.find_first_not_of(mark, start), line.size());
  if (end - start < 3) return {};
  return {mark, end - start, is_blank(line.substr(end))};
}

bool is_rule_or_underline(std::string_view line) {  // ---, ***, ===, |---|:--:|
  return line.find_first_not_of("-=*_ \t|:+") == std::string_view::npos;
}

/// Bytes of a Markdown line that are marks: quote signs, list marks, heading signs, check boxes.
std::size_t marks_of(std::string_view line) {
  std::size_t at = 0;
  for (;;) {
    while (at < line.size() && (line[at] == ' ' || line[at] == '\t')) ++at;
    if (at >= line.size()) return at;
    const auto followed_by_blank = [&](std::size_t end) {
      return end >= line.size() || line[end] == ' ' || line[end] == '\t';
    };
    if (line[at] == '>') {
      ++at;
      continue;
    }
    if (line[at] == '#') {
      const std::size_t end = std::min(line.find_first_not_of('#', at), line.size());
      if (end - at <= 6 && followed_by_blank(end)) {
        at = end;
        continue;
      }
      return at;
    }
    if ((line[at] == '-' || line[at] == '*' || line[at] == '+') && followed_by_blank(at + 1)) {
      at += 1;
      continue;
    }
    const std::size_t digits = std::min(line.find_first_not_of("0123456789", at), line.size());
    if (digits > at && digits - at <= 9 && digits < line.size() &&
        (line[digits] == '.' || line[digits] == ')') && followed_by_blank(digits + 1)) {
      at = digits + 1;
      continue;
    }
    if (line.substr(at).starts_with("[ ] ") || line.substr(at).starts_with("[x] ") ||
        line.substr(at).starts_with("[X] ")) {
      at += 4;
      continue;
    }
    return at;
  }
}

class Segmenter {
 public:
  Segmenter(std::string_view text, TextForm form) : text_(text), form_(form) {}

  std::vector<Span> run() {
    std::size_t at = 0;
    bool first = true;
    while (at < text_.size()) {
      const std::size_t newline = text_.find('\n', at);
      const std::size_t next = newline == std::string_view::npos ? text_.size() : newline + 1;
      std::size_t end = newline == std::string_view::npos ? text_.size() : newline;
      if (end > at && text_[end - 1] == '\r') --end;
      if (form_ == TextForm::markdown) {
        markdown_line({at, end}, first);
      } else {
        plain_line({at, end});
      }
      first = false;
      at = next;
    }
    flush();
    return std::move(found_);
  }

 private:
  void plain_line(Span line) {
    if (is_blank(slice(text_, line))) {
      flush();
    } else {
      extend(line);
    }
  }

  void markdown_line(Span line, bool first) {
    const std::string_view content = slice(text_, line);
    if (front_matter_) {
      if (content == "---" || content == "...") front_matter_ = false;
      return;
    }
    if (first && content == "---" && text_.find("\n---", line.end) != std::string_view::npos) {
      front_matter_ = true;
      return;
    }
    const Fence fence = fence_of(content);
    if (fence_.length > 0) {
      if (fence.mark == fence_.mark && fence.length >= fence_.length && fence.bare) fence_ = {};
      return;
    }
    if (comment_) {
      if (content.find("-->") != std::string_view::npos) comment_ = false;
      return;
    }
    if (fence.length > 0) {
      flush();
      fence_ = fence;
      return;
    }
    if (is_blank(content) || is_rule_or_underline(content)) {
      flush();
      return;
    }
    const std::size_t marks = marks_of(content);
    if (open_.empty() && marks == indent_of(content) && indent_of(content) >= 4 && !in_list_) return;  // code
    const std::string_view rest = content.substr(marks);
    if (rest.starts_with("<!--")) {
      flush();
      comment_ = rest.find("-->") == std::string_view::npos;
      return;
    }
    if (is_link_definition(rest)) {
      flush();
      return;
    }
    const bool quoted_or_listed = marks > 0 && !is_blank(content.substr(0, marks));
    if (quoted_or_listed) {
      flush();
      in_list_ = content.find_first_of("-*+0123456789") < marks;
    } else if (indent_of(content) == 0 && open_.empty()) {
      in_list_ = false;
    }
    Span body = {line.start + marks, line.end};
    if (is_table_row(rest)) {
      flush();
      cells(body);
      return;
    }
    const bool heading = content.substr(0, marks).find('#') != std::string_view::npos;
    if (heading) {  // a closing run of # is a mark too
      std::string_view title = slice(text_, body);
      std::size_t end = title.find_last_not_of(" \t#");
      end = end == std::string_view::npos ? 0 : end + 1;
      if (end < title.size() && end > 0 && (title[end] == ' ' || title[end] == '\t'))
        body.end = body.start + end;
      add(body);
      return;
    }
    // A line that ends in two blanks or a backslash breaks there.
    const bool hard_break = slice(text_, body).ends_with("  ") || slice(text_, body).ends_with("\\");
    if (hard_break && slice(text_, body).ends_with("\\")) --body.end;
    extend(body);
    if (hard_break) flush();
  }

  static bool is_link_definition(std::string_view rest) {
    if (!rest.starts_with("[")) return false;
    const std::size_t close = rest.find("]:");
    return close != std::string_view::npos && rest.find(']') == close;
  }

  static bool is_table_row(std::string_view rest) {
    return rest.starts_with("|") && rest.find('|', 1) != std::string_view::npos;
  }

  void cells(Span row) {
    const std::string_view text = slice(text_, row);
    std::size_t start = 0;
    bool code = false;
    for (std::size_t i = 0; i <= text.size(); ++i) {
      if (i < text.size() && text[i] == '\\') {
        ++i;
        continue;
      }
      if (i < text.size() && text[i] == '`') code = !code;
      if (i == text.size() || (text[i] == '|' && !code)) {
        const std::size_t end = std::min(i, text.size());
        if (end > start) add({row.start + start, row.start + end});
        start = i + 1;
      }
    }
  }

  /// One more line of the paragraph that is open.
  void extend(Span line) {
    if (open_.empty()) {
      open_ = line;
    } else {
      open_.end = line.end;
    }
  }

  void flush() {
    if (!open_.empty()) add(open_);
    open_ = {};
  }

  /// Its sentences.
  void add(Span part) {
    const std::string_view text = slice(text_, part);
    for (const Span sentence : passage::sentences(text))
      found_.push_back({part.start + sentence.start, part.start + sentence.end});
  }

  std::string_view text_;
  TextForm form_;
  std::vector<Span> found_;
  Span open_;
  Fence fence_;
  bool front_matter_ = false, comment_ = false, in_list_ = false;
};

}  // namespace

std::vector<Span> segments_of(std::string_view text, TextForm form) { return Segmenter(text, form).run(); }

}  // namespace loam::tasks
