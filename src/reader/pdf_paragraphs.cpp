// Lines in reading order to paragraphs, headings, list items and table rows.
#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "reader/pdf_layout.h"
#include "reader/text.h"

namespace loam::reader {
namespace {

constexpr std::size_t kMaxHeadingBytes = 160;
constexpr std::size_t kMaxVocabulary = 500'000;
constexpr float kLargerThanBody = 1.15F;

std::string last_code_point(std::string_view text) {
  std::size_t at = text.size();
  while (at > 0) {
    --at;
    if ((static_cast<unsigned char>(text[at]) & 0xC0U) != 0x80U) break;
  }
  return std::string(text.substr(at));
}

bool ends_with_hyphen(std::string_view text) {
  const std::string last = last_code_point(text);
  return last == "-" || last == "\xC2\xAD" || last == "\xE2\x80\x90";
}

bool is_lower_letter(char32_t value) {
  if (value < 0x80) return value >= 'a' && value <= 'z';
  return is_letter_or_digit(value) && to_lower(value) == value && value >= 0xDF && value < 0x500;
}

bool starts_lower(std::string_view text) { return is_lower_letter(decode_utf8(text).value); }

bool ends_sentence(std::string_view text) {
  while (!text.empty() && (text.ends_with(')') || text.ends_with('"') || text.ends_with(']')))
    text.remove_suffix(1);
  const std::string last = last_code_point(text);
  return last == "." || last == "!" || last == "?" || last == ":" || last == "\xE2\x80\x9D" ||
         last == "\xE3\x80\x82";
}

bool has_letters(std::string_view text, std::size_t at_least) {
  std::size_t letters = 0;
  while (!text.empty() && letters < at_least) {
    const CodePoint point = decode_utf8(text);
    if (is_letter_or_digit(point.value) && !is_digit(point.value)) ++letters;
    text.remove_prefix(point.size);
  }
  return letters >= at_least;
}

// The letters (and inner hyphens) at the end or the start of a text.
std::string_view last_word(std::string_view text) {
  const std::size_t space = text.find_last_of(" (");
  return space == std::string_view::npos ? text : text.substr(space + 1);
}

std::string_view first_word(std::string_view text) { return text.substr(0, text.find_first_of(" ,.;:)!?")); }

std::string with_digits_masked(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool digit = std::isdigit(static_cast<unsigned char>(c)) != 0;
    if (digit && !out.empty() && out.back() == '#') continue;
    out += digit ? '#' : c;
  }
  return out;
}

// "1 Introduction", "2.3. Data": depth of the number, 0 without one.
int numbered_depth(std::string_view text) {
  int depth = 0;
  std::size_t i = 0;
  while (i < text.size()) {
    std::size_t digits = 0;
    while (i < text.size() && is_digit(static_cast<unsigned char>(text[i]))) ++i, ++digits;
    if (digits == 0 || digits > 3) return 0;
    ++depth;
    if (i < text.size() && text[i] == '.') ++i;
    if (i < text.size() && text[i] == ' ') return depth;
  }
  return 0;
}

using LinesOfPages = std::vector<std::vector<Line>>;

// Size of the most characters.
float body_size(const LinesOfPages& pages) {
  std::map<int, std::size_t> characters;
  for (const auto& lines : pages) {
    for (const Line& line : lines) {
      for (const Segment& cell : line.cells) {
        characters[static_cast<int>(std::lround(cell.size * 2))] += static_cast<std::size_t>(cell.characters);
      }
    }
  }
  int best = 0;
  std::size_t most = 0;
  for (const auto& [size, count] : characters) {
    if (count > most) {
      most = count;
      best = size;
    }
  }
  return static_cast<float>(best) / 2;
}

std::size_t body_line_count(const LinesOfPages& pages, float body) {
  std::size_t count = 0;
  for (const auto& lines : pages) {
    for (const Line& line : lines) count += std::fabs(line.size - body) < 0.05F * body ? 1U : 0U;
  }
  return count;
}

// A bare page number in the margin; in documents too short for drop_repeated_lines.
void drop_page_numbers(const std::vector<PageText>& pages, LinesOfPages& lines_of_pages) {
  if (pages.size() < 2) return;
  for (std::size_t i = 0; i < pages.size(); ++i) {
    const PageText& page = pages[i];
    const float margin = 0.12F * (page.top - page.bottom);
    std::erase_if(lines_of_pages[i], [&](const Line& line) {
      const bool in_margin = line.top > page.top - margin || line.bottom < page.bottom + margin;
      return in_margin && line.text() == std::to_string(page.number);
    });
  }
}

// Lines at the top or bottom edge that come back on several pages are running heads, feet and page numbers.
void drop_repeated_lines(const std::vector<PageText>& pages, LinesOfPages& lines_of_pages,
                         Document& document) {
  if (pages.size() < 3) return;
  struct Seen {
    std::size_t pages = 0;
    std::string example;
  };
  std::map<std::pair<std::string, int>, Seen> seen;
  const auto key_of = [](const PageText& page, const Line& line) {
    const float page_height = std::max(1.0F, page.top - page.bottom);
    const float from_top = (page.top - line.top) / page_height;
    const float from_bottom = (line.bottom - page.bottom) / page_height;
    if (from_top > 0.12F && from_bottom > 0.12F) return std::pair(std::string(), -1);
    const bool at_top = from_top <= 0.12F;
    return std::pair(with_digits_masked(line.text()), at_top ? 0 : 1);
  };
  for (std::size_t i = 0; i < pages.size(); ++i) {
    std::unordered_set<std::string> here;
    for (const Line& line : lines_of_pages[i]) {
      auto key = key_of(pages[i], line);
      if (key.second < 0 || !here.insert(key.first + (key.second == 0 ? "^" : "_")).second) continue;
      Seen& entry = seen[std::move(key)];
      if (entry.pages++ == 0) entry.example = line.text();
    }
  }
  const std::size_t needed = std::max<std::size_t>(3, pages.size() * 3 / 10);
  for (std::size_t i = 0; i < pages.size(); ++i) {
    std::erase_if(lines_of_pages[i], [&](const Line& line) {
      const auto found = seen.find(key_of(pages[i], line));
      return found != seen.end() && found->first.second >= 0 && found->second.pages >= needed;
    });
  }
  std::size_t noted = 0;
  for (const auto& [key, entry] : seen) {
    if (entry.pages < needed || key.second < 0 || !has_letters(entry.example, 1)) continue;
    if (noted++ == 5) break;
    std::string example = entry.example;
    if (example.size() > 80) {
      example.resize(utf8_floor(example, 80));
      example += "...";
    }
    document.notes.push_back("repeated on " + with_thousands(entry.pages) + " pages and left out: \"" +
                             example + "\"");
  }
}

class PageWriter {
 public:
  PageWriter(Document& document, const LinesOfPages& pages) : document_(document), body_(body_size(pages)) {
    collect_vocabulary(pages);
    collect_heading_sizes(pages);
    // Where hardly a line has the usual size, sizes say nothing.
    sizes_tell_ = body_line_count(pages, body_) >= 3;
  }

  void write(const std::vector<Line>& lines, const std::vector<std::string>& sideways) {
    page_starts_.push_back(kNowhere);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const bool table = is_table_line(lines, i);
      add(lines[i], table, i == 0, i + 1 < lines.size() ? &lines[i + 1] : nullptr);
    }
    for (const std::string& text : sideways) {
      close();
      open(BlockKind::paragraph, 0);
      append(text);
      close();
    }
  }

  void finish(const std::vector<PageText>& pages) {
    close();
    std::size_t end = document_.text.size();
    document_.pages.resize(pages.size());
    for (std::size_t i = pages.size(); i-- > 0;) {
      const std::size_t start = page_starts_[i] == kNowhere ? end : page_starts_[i];
      document_.pages[i] = {pages[i].number, {start, end}};
      end = start;
    }
    if (!document_.pages.empty()) document_.pages.front().span.start = 0;
  }

 private:
  void collect_vocabulary(const LinesOfPages& pages) {
    for (const auto& lines : pages) {
      for (const Line& line : lines) {
        const std::string text = line.text();
        std::size_t start = 0;
        while (start < text.size() && vocabulary_.size() < kMaxVocabulary) {
          const std::size_t end = std::min(text.find(' ', start), text.size());
          std::string_view word = std::string_view(text).substr(start, end - start);
          while (!word.empty() && std::ispunct(static_cast<unsigned char>(word.back())) != 0 &&
                 end < text.size())
            word.remove_suffix(1);
          while (!word.empty() && std::ispunct(static_cast<unsigned char>(word.front())) != 0)
            word.remove_prefix(1);
          if (word.size() > 3 && word.size() < 40 && !ends_with_hyphen(word))
            vocabulary_.insert(to_lower_utf8(word));
          start = end + 1;
        }
      }
    }
  }

  // Larger sizes that single lines have, largest first: heading levels.
  void collect_heading_sizes(const LinesOfPages& pages) {
    std::map<int, std::size_t, std::greater<>> sizes;
    for (const auto& lines : pages) {
      for (const Line& line : lines) {
        if (line.size > kLargerThanBody * body_ && has_letters(line.text(), 2)) ++sizes[rounded(line.size)];
      }
    }
    for (const auto& [size, count] : sizes) heading_sizes_.push_back(size);
  }

  static int rounded(float size) { return static_cast<int>(std::lround(size)); }

  // 0: not a heading.
  int heading_level(const Line& line, const Line* next) const {
    if (!sizes_tell_ || line.cells.size() > 2) return 0;
    const std::string text = line.text();
    if (text.size() > kMaxHeadingBytes || !has_letters(text, decode_utf8(text).value < 0x80 ? 3 : 2))
      return 0;
    if (starts_lower(text) && !(is_open_ && kind_ == BlockKind::heading)) return 0;
    const int numbered = numbered_depth(text);
    if (line.size > kLargerThanBody * body_) {
      const auto found = std::find(heading_sizes_.begin(), heading_sizes_.end(), rounded(line.size));
      const int rank = 1 + static_cast<int>(found - heading_sizes_.begin());
      return std::clamp(numbered > 1 ? std::max(rank, numbered) : rank, 1, 6);
    }
    // Bold at the size of the text: a short line on its own that does not end like a sentence, followed by
    // text that is not bold.
    const bool alone = next == nullptr || !next->bold;
    if (!line.bold || !alone || text.size() > 90 || line.size < 0.95F * body_) return 0;
    if (ends_sentence(text) || text.ends_with(',') || text.ends_with(';') || starts_lower(text)) return 0;
    if (line.cells.size() > 1 || list_marker_size(text) > 0) {
      if (numbered == 0) return 0;
    }
    const bool short_line =
        line.right - line.left < 0.8F * (line.column_right - line.column_left) || numbered > 0;
    if (!short_line && next != nullptr && next->column == line.column) return 0;
    const int base = static_cast<int>(std::min<std::size_t>(heading_sizes_.size(), 3));
    return std::clamp(base + std::max(1, numbered), 1, 6);
  }

  static bool is_row(const Line& line) { return line.cells.size() >= 2; }

  // Two lines with parted cells below each other make a table; one alone may be a header with a page number.
  static bool is_table_line(const std::vector<Line>& lines, std::size_t i) {
    if (!is_row(lines[i])) return false;
    const bool before = i > 0 && is_row(lines[i - 1]) && lines[i - 1].column == lines[i].column;
    const bool after = i + 1 < lines.size() && is_row(lines[i + 1]) && lines[i + 1].column == lines[i].column;
    return before || after;
  }

  bool starts_paragraph(const Line& line) const {
    if (last_.column != line.column || first_on_page_) {
      return !continues_elsewhere(line);
    }
    const float distance = last_.bottom - line.bottom;
    if (distance > 1.35F * line.pitch || distance < -0.5F * line.size) return true;
    if (std::fabs(last_.size - line.size) > 0.12F * std::max(last_.size, line.size)) return true;
    const float indent = line.left - last_.left;
    const bool last_is_short =
        last_.right < line.column_right - 0.2F * (line.column_right - line.column_left);
    if (last_is_short && ends_sentence(document_.text)) return true;
    // First-line indent: the line before starts at the column's edge, this one a little further in.
    const bool at_edge = last_.left < line.column_left + 0.5F * line.size;
    return at_edge && indent > 0.8F * line.size && indent < 4 * line.size && ends_sentence(document_.text);
  }

  // A paragraph goes on in the next column or on the next page when the sentence plainly does.
  bool continues_elsewhere(const Line& line) const {
    if (std::fabs(last_.size - line.size) > 0.05F * line.size) return false;
    if (ends_with_hyphen(document_.text)) return true;
    return !ends_sentence(document_.text) && starts_lower(line.cells.front().text);
  }

  void add(const Line& line, bool table, bool first_on_page, const Line* next) {
    if (line.cells.empty()) return;
    first_on_page_ = first_on_page;
    const std::string text = line.text();
    const std::size_t marker = list_marker_size(text);
    const int level = table ? 0 : heading_level(line, next);
    if (table) {
      close();
      open(BlockKind::table_row, 0);
      std::string row;
      for (const Segment& cell : line.cells) {
        if (!row.empty()) row += " | ";
        row += cell.text;
      }
      append(row);
      close();
    } else if (level > 0) {
      const bool goes_on = is_open_ && kind_ == BlockKind::heading && last_.column == line.column &&
                           !first_on_page && rounded(last_.size) == rounded(line.size) &&
                           last_.bold == line.bold && last_.bottom - line.bottom < 1.7F * line.size &&
                           numbered_depth(text) == 0;
      if (!goes_on) {
        close();
        open(BlockKind::heading, level);
        heading_lines_ = 0;
      }
      ++heading_lines_;
      append(text);
    } else if (marker > 0 && marker + 1 < text.size() && starts_item(line, text)) {
      close();
      open(BlockKind::list_item,
           1 + std::clamp(static_cast<int>((line.left - line.column_left) / (2.5F * line.size)), 0, 5));
      append(text);
    } else {
      if (!is_open_ || kind_ == BlockKind::heading || starts_paragraph(line)) {
        close();
        open(BlockKind::paragraph, 0);
      }
      append(text);
    }
    last_ = line;
    last_.cells.clear();
  }

  // "1984. It was" inside a paragraph is no list item; a bullet is, and so is a number that starts a
  // paragraph or follows another item.
  bool starts_item(const Line& line, std::string_view text) const {
    if (!is_digit(static_cast<unsigned char>(text[0])))
      return text[0] != '-' || !is_open_ || starts_paragraph(line) || kind_ == BlockKind::list_item;
    return !is_open_ || kind_ != BlockKind::paragraph || starts_paragraph(line) ||
           ends_sentence(document_.text);
  }

  void open(BlockKind kind, int level) {
    std::string& text = document_.text;
    if (!document_.blocks.empty()) {
      const bool tight = document_.blocks.back().kind == kind &&
                         (kind == BlockKind::table_row || kind == BlockKind::list_item);
      text += tight ? "\n" : "\n\n";
    }
    is_open_ = true;
    kind_ = kind;
    level_ = level;
    start_ = text.size();
  }

  void close() {
    if (!is_open_) return;
    is_open_ = false;
    std::string& text = document_.text;
    const Span span = trimmed(text, {start_, text.size()});
    if (kind_ == BlockKind::heading && reads_like_prose(slice(text, span))) {
      kind_ = BlockKind::paragraph;
      level_ = 0;
    }
    if (!span.empty()) document_.blocks.push_back({kind_, level_, span});
  }

  // What large or bold lines turned out to be when they were whole.
  bool reads_like_prose(std::string_view heading) const {
    if (heading_lines_ > 3 || heading.size() > kMaxHeadingBytes) return true;
    if (heading.ends_with(',') || heading.ends_with(';')) return true;
    return heading.ends_with('.') && heading.size() > 40;
  }

  // Adds a line to the open block: a space between lines, or a broken word made whole.
  void append(std::string_view line) {
    if (line.empty()) return;
    std::string& text = document_.text;
    if (text.size() > start_) {
      if (ends_with_hyphen(text) && starts_lower(line)) {
        if (!keeps_hyphen(line)) text.resize(text.size() - last_code_point(text).size());
      } else if (!ends_with_hyphen(text) || std::isupper(static_cast<unsigned char>(line.front())) == 0 ||
                 text.ends_with(" -")) {
        text += ' ';
      }
    }
    if (page_starts_.back() == kNowhere) page_starts_.back() = text.size();
    text += line;
  }

  // A hyphen stays when the document elsewhere writes the word with it, or the word has others.
  bool keeps_hyphen(std::string_view next_line) const {
    const std::string_view text = document_.text;
    const std::string hyphen = last_code_point(text);
    if (hyphen == "\xC2\xAD") return false;
    const std::string_view before = last_word(std::string_view(text).substr(0, text.size() - hyphen.size()));
    const std::string_view after = first_word(next_line);
    if (before.empty() || !has_letters(before, 1)) return true;
    if (vocabulary_.contains(to_lower_utf8(std::string(before) + std::string(after)))) return false;
    if (vocabulary_.contains(to_lower_utf8(std::string(before) + "-" + std::string(after)))) return true;
    return before.find('-') != std::string_view::npos || after.find('-') != std::string_view::npos;
  }

  static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);
  Document& document_;
  float body_;
  bool sizes_tell_ = true;
  std::unordered_set<std::string> vocabulary_;
  std::vector<int> heading_sizes_;
  std::vector<std::size_t> page_starts_;
  Line last_;
  bool first_on_page_ = true;
  bool is_open_ = false;
  BlockKind kind_ = BlockKind::paragraph;
  int level_ = 0;
  int heading_lines_ = 0;
  std::size_t start_ = 0;
};

}  // namespace

void write_pages(const std::vector<PageText>& pages, Document& document) {
  LinesOfPages lines_of_pages;
  lines_of_pages.reserve(pages.size());
  for (const PageText& page : pages) lines_of_pages.push_back(reading_order(page.segments));
  drop_repeated_lines(pages, lines_of_pages, document);
  drop_page_numbers(pages, lines_of_pages);
  PageWriter writer(document, lines_of_pages);
  for (std::size_t i = 0; i < pages.size(); ++i) writer.write(lines_of_pages[i], pages[i].sideways);
  writer.finish(pages);
}

}  // namespace loam::reader
