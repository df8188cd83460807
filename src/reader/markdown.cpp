// Markdown's blocks by the CommonMark 0.31 rules that matter for cutting: the text stays as written, so that
// offsets cite the original; only its map is made here.
#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "reader/formats.h"
#include "reader/text.h"

namespace loam::reader {
namespace {

constexpr std::size_t kMaxFrontMatterLines = 200;

std::string_view without_indent(std::string_view line) {
  return line.substr(std::min(line.find_first_not_of(" \t"), line.size()));
}

// Number of # of an ATX heading, 0 when the line is none.
int atx_level(std::string_view line) {
  if (indent_of(line) > 3) return 0;
  line = without_indent(line);
  const std::size_t marks = std::min(line.find_first_not_of('#'), line.size());
  if (marks == 0 || marks > 6) return 0;
  return marks == line.size() || line[marks] == ' ' || line[marks] == '\t' ? static_cast<int>(marks) : 0;
}

// 1 for ===, 2 for ---, else 0.
int setext_level(std::string_view line) {
  if (indent_of(line) > 3) return 0;
  line = trimmed(line);
  if (line.empty()) return 0;
  if (line.find_first_not_of('=') == std::string_view::npos) return 1;
  if (line.find_first_not_of('-') == std::string_view::npos) return 2;
  return 0;
}

bool is_thematic_break(std::string_view line) {
  if (indent_of(line) > 3) return false;
  line = trimmed(line);
  if (line.size() < 3 || (line[0] != '-' && line[0] != '*' && line[0] != '_')) return false;
  const char mark = line[0];
  std::size_t marks = 0;
  for (const char c : line) {
    if (c == mark) {
      ++marks;
    } else if (c != ' ' && c != '\t') {
      return false;
    }
  }
  return marks >= 3;
}

struct Fence {
  char mark = 0;
  std::size_t size = 0;
};

Fence fence_of(std::string_view line) {
  line = without_indent(line);
  if (line.empty() || (line[0] != '`' && line[0] != '~')) return {};
  const std::size_t size = std::min(line.find_first_not_of(line[0]), line.size());
  if (size < 3) return {};
  if (line[0] == '`' && line.find('`', size) != std::string_view::npos) return {};  // inline code
  return {line[0], size};
}

bool closes(std::string_view line, Fence fence) {
  line = trimmed(line);
  return line.size() >= fence.size && line.find_first_not_of(fence.mark) == std::string_view::npos;
}

// |---|:--:| and the like; at least one dash, and a pipe somewhere.
bool is_table_delimiter(std::string_view line) {
  line = trimmed(line);
  return line.find('-') != std::string_view::npos && line.find('|') != std::string_view::npos &&
         line.find_first_not_of("|-: \t") == std::string_view::npos;
}

bool is_table_line(std::string_view line) {
  return line.find('|') != std::string_view::npos && !is_blank(line);
}

std::string unquoted(std::string_view value) {
  value = trimmed(value);
  if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') && value.back() == value.front()) {
    value = value.substr(1, value.size() - 2);
  }
  return std::string(value);
}

std::string heading_text(std::string_view line) {
  line = trimmed(line);
  line.remove_prefix(std::min(line.find_first_not_of('#'), line.size()));
  line = trimmed(line);
  const std::size_t last = line.find_last_not_of('#');
  if (last == std::string_view::npos) return {};
  if (last + 1 < line.size() && (line[last] == ' ' || line[last] == '\t'))
    line = trimmed(line.substr(0, last));
  return std::string(line);
}

// Walks the lines once and writes blocks.
class BlockScanner {
 public:
  BlockScanner(std::string_view text, Document& document)
      : text_(text), lines_(lines_of(text)), document_(document) {}

  void run() {
    front_matter();
    while (at_ < lines_.size()) {
      const std::string_view line = line_at(at_);
      if (is_blank(line)) {
        close();
        ++at_;
        continue;
      }
      step(line);
    }
    close();
  }

 private:
  std::string_view line_at(std::size_t i) const { return slice(text_, lines_[i]); }

  void add(BlockKind kind, int level, std::size_t first_line, std::size_t end_line) {
    const Span span = trimmed(text_, {lines_[first_line].start, lines_[end_line - 1].end});
    if (!span.empty()) document_.blocks.push_back({kind, level, span});
  }

  void close() {
    if (open_ == kNone) return;
    add(open_kind_, open_level_, open_, at_);
    open_ = kNone;
  }

  void front_matter() {
    if (lines_.empty() || trimmed(line_at(0)) != "---") return;
    const std::size_t limit = std::min(lines_.size(), kMaxFrontMatterLines);
    for (std::size_t i = 1; i < limit; ++i) {
      const std::string_view line = line_at(i);
      if (i == 1 && line.find(':') == std::string_view::npos) return;  // a thematic break, not metadata
      if (trimmed(line) == "---" || trimmed(line) == "...") {
        for (std::size_t k = 1; k < i; ++k) {
          if (line_at(k).starts_with("title:")) document_.title = unquoted(line_at(k).substr(6));
        }
        add(BlockKind::code, 0, 0, i + 1);
        at_ = i + 1;
        return;
      }
    }
  }

  // Level of list nesting that text at this column belongs to; 0 outside lists.
  int list_level_at(int column) const {
    int level = 0;
    for (const int content : list_columns_) {
      if (column >= content) ++level;
    }
    return level;
  }

  void fenced(Fence fence) {
    close();
    const std::size_t first = at_++;
    while (at_ < lines_.size() && !closes(line_at(at_), fence)) ++at_;
    if (at_ < lines_.size()) ++at_;
    add(BlockKind::code, 0, first, at_);
  }

  void comment() {
    close();
    const std::size_t first = at_;
    while (at_ < lines_.size() && line_at(at_).find("-->") == std::string_view::npos) ++at_;
    if (at_ < lines_.size()) ++at_;
    add(BlockKind::code, 0, first, at_);
  }

  void table() {
    close();
    add(BlockKind::table_row, 0, at_, at_ + 2);  // header and its delimiter stay together
    at_ += 2;
    while (at_ < lines_.size() && is_table_line(line_at(at_))) {
      add(BlockKind::table_row, 0, at_, at_ + 1);
      ++at_;
    }
  }

  void list_item(std::string_view line, std::size_t marker) {
    close();
    const int indent = indent_of(line);
    while (!list_columns_.empty() && indent < list_columns_.back()) list_columns_.pop_back();
    const std::string_view rest = without_indent(line).substr(marker);
    int content = indent + static_cast<int>(marker) + std::clamp(indent_of(rest), 1, 4);
    if (is_blank(rest)) content = indent + static_cast<int>(marker) + 1;
    list_columns_.push_back(content);
    open_ = at_++;
    open_kind_ = BlockKind::list_item;
    open_level_ = static_cast<int>(list_columns_.size());
  }

  void step(std::string_view line) {
    const int indent = indent_of(line);
    const bool continues = open_ != kNone;
    const std::string_view body = without_indent(line);

    if (const Fence fence = fence_of(line); fence.size > 0) return fenced(fence);
    if (const int level = atx_level(line); level > 0) {
      close();
      list_columns_.clear();
      if (document_.title.empty()) document_.title = heading_text(line);
      add(BlockKind::heading, level, at_, at_ + 1);
      ++at_;
      return;
    }
    if (continues && open_kind_ == BlockKind::paragraph) {
      if (const int level = setext_level(line); level > 0) {
        ++at_;
        if (document_.title.empty()) document_.title = std::string(trimmed(line_at(open_)));
        open_kind_ = BlockKind::heading;
        open_level_ = level;
        close();
        return;
      }
    }
    if (is_thematic_break(line)) {
      close();
      list_columns_.clear();
      add(BlockKind::paragraph, 0, at_, at_ + 1);
      ++at_;
      return;
    }
    if (body.starts_with("<!--")) return comment();
    if (at_ + 1 < lines_.size() && is_table_line(line) && is_table_delimiter(line_at(at_ + 1)))
      return table();
    if (body[0] == '>' && indent - list_level_indent() <= 3) {
      if (!continues || open_kind_ != BlockKind::quote) {
        close();
        open_ = at_;
        open_kind_ = BlockKind::quote;
        open_level_ = 0;
      }
      ++at_;
      return;
    }
    const std::size_t marker = list_marker_size(body);
    const int content_limit = list_columns_.empty() ? 3 : list_columns_.back() + 3;
    if (marker > 0 && indent <= content_limit && !(continues && open_kind_ == BlockKind::quote)) {
      // A number other than 1 cannot interrupt a paragraph (CommonMark 5.3): "in the year\n1984. It was".
      const bool interrupts = continues && open_kind_ == BlockKind::paragraph;
      const bool is_number = std::isdigit(static_cast<unsigned char>(body[0])) != 0;
      if (!interrupts || !is_number || body.starts_with("1.") || body.starts_with("1)"))
        return list_item(line, marker);
    }
    if (continues) {  // a lazy or plain continuation line
      ++at_;
      return;
    }
    const int level = list_level_at(indent);
    if (level == 0) list_columns_.clear();
    while (static_cast<int>(list_columns_.size()) > level) list_columns_.pop_back();
    open_ = at_++;
    open_level_ = level;
    open_kind_ = level > 0 ? BlockKind::list_item : BlockKind::paragraph;
    if (level == 0 && indent >= 4) indented_code();
  }

  int list_level_indent() const { return list_columns_.empty() ? 0 : list_columns_.back(); }

  void indented_code() {
    std::size_t end = at_;
    while (at_ < lines_.size() && (is_blank(line_at(at_)) || indent_of(line_at(at_)) >= 4)) {
      ++at_;
      if (!is_blank(line_at(at_ - 1))) end = at_;
    }
    add(BlockKind::code, 0, open_, end);
    open_ = kNone;
  }

  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  std::string_view text_;
  std::vector<Span> lines_;
  Document& document_;
  std::size_t at_ = 0;
  std::size_t open_ = kNone;  // first line of the block being read
  BlockKind open_kind_ = BlockKind::paragraph;
  int open_level_ = 0;
  std::vector<int> list_columns_;  // column where the content of each open list level starts
};

}  // namespace

Result<Document> parse_markdown(std::string_view bytes, std::string_view source, const ReadLimits& limits) {
  Result<DecodedText> decoded = decode_text(bytes, source, limits, LongLines::refuse);
  if (!decoded) return decoded.error();
  Document document;
  document.text = std::move(decoded->text);
  document.notes = std::move(decoded->notes);
  BlockScanner(document.text, document).run();
  return document;
}

}  // namespace loam::reader
