#include "passage/units.h"

#include <algorithm>
#include <string>

#include "base/utf8.h"
#include "passage/cutter.h"

namespace loam::passage {
namespace {

Span without_blanks(std::string_view text, Span span) {
  while (span.start < span.end) {
    const CodePoint point = decode_utf8(text.substr(span.start, span.end - span.start));
    if (!is_space(point.value)) break;
    span.start += point.size;
  }
  while (span.end > span.start) {
    std::size_t back = span.end - 1;
    while (back > span.start && (static_cast<unsigned char>(text[back]) & 0xC0U) == 0x80U) --back;
    if (!is_space(decode_utf8(text.substr(back, span.end - back)).value)) break;
    span.end = back;
  }
  return span;
}

class UnitMaker {
 public:
  explicit UnitMaker(std::string_view text) : text_(text) {}

  void block(BlockKind kind, int level, Span span) {
    span = without_blanks(text_, span);
    if (span.empty()) return;
    switch (kind) {
      case BlockKind::heading:
      case BlockKind::table_row:
        add(kind, level, span, true);
        break;
      case BlockKind::code:
        lines(kind, span);
        break;
      case BlockKind::paragraph:
      case BlockKind::list_item:
      case BlockKind::quote:
        prose(kind, span);
        break;
    }
    ++block_;
  }

  std::vector<Unit> take() { return std::move(units_); }

 private:
  void add(BlockKind kind, int level, Span span, bool starts_block) {
    units_.push_back({span, kind, level, starts_block, block_});
  }

  void lines(BlockKind kind, Span span) {
    bool first = true;
    for (std::size_t start = span.start; start < span.end;) {
      const std::size_t end = std::min(text_.find('\n', start), span.end);
      const Span line = without_blanks(text_, {start, end});
      if (!line.empty()) {
        // The indent of code is part of it, except where the passage may begin.
        add(kind, 0, line, first);
        first = false;
      }
      start = end + 1;
    }
  }

  void prose(BlockKind kind, Span span) {
    bool first = true;
    for (const Span sentence : sentences(slice(text_, span))) {
      add(kind, 0, {span.start + sentence.start, span.start + sentence.end}, first);
      first = false;
    }
  }

  std::string_view text_;
  std::size_t block_ = 0;
  std::vector<Unit> units_;
};

// One paragraph for each part between blank lines.
void add_paragraphs(std::string_view text, Span range, UnitMaker& maker) {
  std::size_t start = range.start;
  bool line_is_blank = true;
  for (std::size_t i = range.start; i < range.end; ++i) {
    if (text[i] == '\n') {
      if (line_is_blank) {
        maker.block(BlockKind::paragraph, 0, {start, i});
        start = i + 1;
      }
      line_is_blank = true;
    } else if (text[i] != ' ' && text[i] != '\t' && text[i] != '\f' && text[i] != '\r') {
      line_is_blank = false;
    }
  }
  maker.block(BlockKind::paragraph, 0, {start, range.end});
}

}  // namespace

Result<std::vector<Unit>> units_of(const Document& document) {
  const std::string_view text = document.text;
  UnitMaker maker(text);
  std::size_t end = 0;
  for (const Block& block : document.blocks) {
    if (block.span.start < end || block.span.end < block.span.start || block.span.end > text.size()) {
      return Error{Kind::bad_data, document.source, "its blocks are out of order or outside of the text",
                   "read the file again with loam ingest"};
    }
    add_paragraphs(text, {end, block.span.start}, maker);  // blank, unless a reader forgot something
    maker.block(block.kind, block.level, block.span);
    end = block.span.end;
  }
  add_paragraphs(text, {end, text.size()}, maker);
  return maker.take();
}

std::string heading_title(std::string_view heading, std::string_view media_type) {
  if (media_type == "text/markdown") {
    const std::size_t newline = heading.rfind('\n');  // the underline of a setext heading
    if (newline != std::string_view::npos &&
        heading.find_first_not_of("=- \t", newline + 1) == std::string_view::npos) {
      heading = heading.substr(0, newline);
    }
    const std::size_t marks = std::min(heading.find_first_not_of('#'), heading.size());
    if (marks > 0 && marks <= 6) {
      heading.remove_prefix(marks);
      while (heading.ends_with('#') || heading.ends_with(' ')) heading.remove_suffix(1);
    }
  }
  std::string title;
  for (std::size_t i = 0; i < heading.size();) {
    const CodePoint point = decode_utf8(heading.substr(i));
    if (!is_space(point.value)) {
      const bool mark = media_type == "text/markdown" && (point.value == U'*' || point.value == U'`');
      if (!mark) title += heading.substr(i, point.size);
    } else if (!title.empty() && title.back() != ' ') {
      title += ' ';
    }
    i += point.size;
  }
  while (title.ends_with(' ')) title.pop_back();
  return title;
}

}  // namespace loam::passage
