// Greedy packing of units into passages. Sizes are first added up from the units, each counted once; the
// finished text is counted exactly before it is accepted, and gives units back when the sum was too low.
#include "passage/cutter.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "passage/units.h"

namespace loam::passage {
namespace {

// A vocabulary may know a very long word as one unknown token. Such a piece would be a passage that no one
// can read and no model understands, so length in bytes counts as well.
constexpr std::size_t kMostBytesPerToken = 16;
constexpr std::size_t kMostBlankBytesPerToken = 64;
constexpr std::size_t kMaxGapBytes = 2000;  // of white space inside one passage

// The heading path may take this part of a passage; the text is what is cited.
constexpr int kPathShare = 3;

struct Sized {
  Unit unit;
  int tokens = 0;  // without special tokens
};

class Cutter {
 public:
  Cutter(const Document& document, const TokenCounter& count_tokens, const CutOptions& options)
      : document_(document), text_(document.text), count_tokens_(count_tokens), options_(options) {}

  Result<std::vector<Passage>> run() {
    Result<std::vector<Unit>> units = units_of(document_);
    if (!units) return units.error();
    if (Result<int> empty = count_tokens_(""); !empty) {
      return empty.error();
    } else {
      special_tokens_ = *empty;
    }
    if (options_.max_tokens < special_tokens_ + 8 || options_.target_tokens < 1) {
      return Error{Kind::bad_request, "passage size",
                   "max_tokens is " + std::to_string(options_.max_tokens) + "; at least " +
                       std::to_string(special_tokens_ + 8) + " are needed, and a target of at least 1",
                   "raise max_tokens"};
    }
    target_ = std::min(options_.target_tokens, options_.max_tokens) - special_tokens_;
    for (const Unit& unit : *units) {
      if (Result<void> added = add(unit); !added) return added.error();
    }
    if (Result<void> flushed = end_section(); !flushed) return flushed.error();
    return std::move(passages_);
  }

 private:
  // Tokens of a text without the special ones, never below what its length stands for.
  Result<int> body_tokens(std::string_view text) {
    const Result<int> counted = count_tokens_(text);
    if (!counted) return counted.error();
    return std::max(std::max(0, *counted - special_tokens_), tokens_by_length(text));
  }

  static int tokens_by_length(std::string_view text) {
    std::size_t blanks = 0;
    for (const char c : text) blanks += c == ' ' || c == '\n' || c == '\t' ? 1U : 0U;
    const std::size_t dense = (text.size() - blanks) / kMostBytesPerToken;
    return static_cast<int>(
        std::min<std::size_t>(std::max(dense, text.size() / kMostBlankBytesPerToken), 1U << 30U));
  }

  // ---- heading path ----

  void enter_heading(const Unit& unit) {
    while (!headings_.empty() && headings_.back().level >= unit.level) headings_.pop_back();
    headings_.push_back({unit.level, heading_title(slice(text_, unit.span), document_.media_type)});
  }

  // Path for text under the open headings. When it would take more than its share, parts are dropped from the
  // left, whole: the nearest heading says most about the text, and half a heading says something else.
  Result<std::string> path(std::size_t depth) {
    for (std::size_t first = 0; first < depth; ++first) {
      std::string joined;
      for (std::size_t i = first; i < depth; ++i) {
        if (headings_[i].title.empty()) continue;
        if (!joined.empty()) joined += " > ";
        joined += headings_[i].title;
      }
      const Result<int> tokens = path_tokens(joined);
      if (!tokens) return tokens.error();
      if (*tokens <= (options_.max_tokens - special_tokens_) / kPathShare) return joined;
    }
    return std::string();
  }

  Result<int> path_tokens(const std::string& path) {
    if (path.empty()) return 0;
    if (const auto known = path_tokens_.find(path); known != path_tokens_.end()) return known->second;
    const Result<int> tokens = body_tokens(path);
    if (!tokens) return tokens.error();
    if (path_tokens_.size() > 1000) path_tokens_.clear();
    path_tokens_.emplace(path, *tokens);
    return *tokens;
  }

  // ---- packing ----

  int budget() const { return options_.max_tokens - special_tokens_ - open_path_tokens_; }
  bool only_headings() const {
    return std::all_of(open_.begin(), open_.end(),
                       [](const Sized& s) { return s.unit.kind == BlockKind::heading; });
  }

  Result<void> add(const Unit& unit) {
    const Result<int> tokens = body_tokens(slice(text_, unit.span));
    if (!tokens) return tokens.error();
    if (unit.kind == BlockKind::heading) {
      // Headings without text between them stay together, as long as they lead deeper.
      const bool joins = !open_.empty() && only_headings() && unit.level >= open_.front().unit.level;
      if (!joins) {
        if (Result<void> ended = end_section(); !ended) return ended;
      }
      if (open_.empty()) {
        while (!headings_.empty() && headings_.back().level >= unit.level) headings_.pop_back();
      }
      if (Result<void> packed = pack({unit, *tokens}); !packed) return packed;
      enter_heading(unit);
      return done();
    }
    return pack({unit, *tokens});
  }

  Result<void> pack(Sized sized) {
    if (open_.empty()) {
      if (Result<void> opened = open_passage(); !opened) return opened;
    } else if (must_close_before(sized)) {
      if (Result<void> closed = close_before(sized); !closed) return closed;
    }
    const bool beside_headings =
        open_tokens_ + sized.tokens > budget() && sized.unit.kind != BlockKind::table_row;
    if (sized.tokens > budget() || beside_headings) return pack_in_parts(sized);
    open_.push_back(sized);
    open_tokens_ += sized.tokens;
    return done();
  }

  Result<void> open_passage() {
    Result<std::string> found = path(headings_.size());
    if (!found) return found.error();
    open_path_ = std::move(*found);
    const Result<int> tokens = path_tokens(open_path_);
    if (!tokens) return tokens.error();
    open_path_tokens_ = *tokens;
    open_tokens_ = 0;
    return done();
  }

  bool must_close_before(const Sized& next) const {
    if (open_tokens_ + next.tokens > budget()) return !only_headings() || open_tokens_ + 8 > budget();
    const std::size_t gap = next.unit.span.start - open_.back().unit.span.end;
    if (gap > kMaxGapBytes) return true;
    if (only_headings()) return false;
    const int goal = target_ - open_path_tokens_;
    // Half full is enough to stop rather than overshoot; a block that starts is worth stopping for earlier.
    if (open_tokens_ + next.tokens <= goal) return false;
    return 2 * open_tokens_ >= goal;
  }

  // Closes, but keeps the sentence that leads into a list, table or code ("You need:") with what it leads
  // into.
  Result<void> close_before(const Sized& next) {
    std::vector<Sized> carried;
    const bool led_into = next.unit.starts_block &&
                          (next.unit.kind == BlockKind::list_item || next.unit.kind == BlockKind::table_row ||
                           next.unit.kind == BlockKind::code);
    const Sized& last = open_.back();
    if (led_into && open_.size() > 1 && last.unit.kind == BlockKind::paragraph &&
        slice(text_, last.unit.span).ends_with(':') && last.tokens + next.tokens <= budget()) {
      const std::size_t before = open_.size() - 2;
      if (open_[before].unit.kind != BlockKind::heading) {
        carried.push_back(last);
        open_tokens_ -= last.tokens;
        open_.pop_back();
      }
    }
    if (carried.empty()) carried = overlap_for(next);
    if (Result<void> closed = close(); !closed) return closed;
    if (Result<void> opened = open_passage(); !opened) return opened;
    // What close() could not fit comes first and is already open.
    for (Sized& unit : carried) {
      open_tokens_ += unit.tokens;
      open_.push_back(std::move(unit));
    }
    return done();
  }

  // The last sentences again, when the caller asked for overlap.
  std::vector<Sized> overlap_for(const Sized& next) const {
    std::vector<Sized> repeated;
    int tokens = next.tokens;
    for (std::size_t i = open_.size();
         i-- > 1 && static_cast<int>(repeated.size()) < options_.overlap_sentences;) {
      const Sized& unit = open_[i];
      tokens += unit.tokens;
      if (unit.unit.kind == BlockKind::heading || tokens > target_ / 2 + next.tokens || tokens > budget())
        break;
      repeated.insert(repeated.begin(), unit);
    }
    return repeated;
  }

  Result<void> end_section() {
    if (Result<void> closed = close(); !closed) return closed;
    last_in_section_ = false;
    return done();
  }

  // Makes a passage of the open units; when the exact count is over the limit, it gives back the last units
  // and makes more passages until all are placed.
  Result<void> close() {
    std::vector<Sized> rest = std::exchange(open_, {});
    open_tokens_ = 0;
    while (!rest.empty()) {
      std::size_t take = rest.size();
      for (;;) {
        Result<std::optional<Passage>> made = make_passage(rest, take);
        if (!made) return made.error();
        if (made->has_value()) {
          if (Result<void> placed = place(std::move(**made)); !placed) return placed;
          break;
        }
        if (take == 1) {  // over the limit alone, together with its path
          if (Result<void> split = place_in_parts(rest.front()); !split) return split;
          break;
        }
        --take;
      }
      rest.erase(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(take));
    }
    return done();
  }

  // The passage of the first `take` units, or nothing when it is over the limit.
  Result<std::optional<Passage>> make_passage(const std::vector<Sized>& units, std::size_t take) {
    return make_passage(Span{units.front().unit.span.start, units[take - 1].unit.span.end}, open_path_);
  }

  Result<std::optional<Passage>> make_passage(Span span, const std::string& heading_path) {
    Passage passage;
    passage.span = span;
    passage.text = std::string(slice(text_, span));
    passage.heading_path = heading_path;
    const Result<int> tokens = count_tokens_(passage.indexed_text());
    if (!tokens) return tokens.error();
    if (*tokens > options_.max_tokens) return std::optional<Passage>();
    passage.tokens = *tokens;
    passage.page = page_of(span.start);
    return std::optional<Passage>(std::move(passage));
  }

  // Passages ascend, and so do pages: one walk serves all of them.
  std::optional<int> page_of(std::size_t offset) {
    const auto& pages = document_.pages;
    if (pages.empty()) return std::nullopt;
    while (page_ + 1 < pages.size() && pages[page_].span.end <= offset) ++page_;
    while (page_ > 0 && pages[page_].span.start > offset) --page_;
    return pages[page_].number;
  }

  // A small end of a section goes to the passage before it, when both fit into one.
  Result<void> place(Passage passage) {
    const bool small = 4 * (passage.tokens - special_tokens_) < target_;
    if (small && last_in_section_ && !passages_.empty()) {
      Passage& last = passages_.back();
      const bool near =
          passage.span.start >= last.span.end && passage.span.start - last.span.end <= kMaxGapBytes;
      const Span both{last.span.start, std::max(last.span.end, passage.span.end)};
      if (near && both.size() / kMostBytesPerToken < static_cast<std::size_t>(options_.max_tokens)) {
        Result<std::optional<Passage>> merged = make_passage(both, last.heading_path);
        if (!merged) return merged.error();
        if (merged->has_value()) {
          (*merged)->ordinal = last.ordinal;
          last = std::move(**merged);
          return done();
        }
      }
    }
    passage.ordinal = static_cast<int>(passages_.size());
    passages_.push_back(std::move(passage));
    last_in_section_ = true;
    return done();
  }

  // ---- a unit longer than a passage ----

  // Splits into spans of at most `limit` tokens: at clause marks, else between words, else between code
  // points.
  Result<std::vector<std::pair<Span, int>>> split(Span span, int limit) {
    std::vector<std::pair<Span, int>> parts;
    if (Result<void> done_ = split_at(span, limit, Border::clause, parts); !done_) return done_.error();
    return parts;
  }

  enum class Border { clause, word };

  std::vector<Span> pieces(Span span, Border border) const {
    std::vector<Span> found;
    std::size_t start = span.start;
    std::size_t i = span.start;
    while (i < span.end) {
      const CodePoint point = decode_utf8(text_.substr(i, span.end - i));
      i += point.size;
      bool ends = false;
      if (border == Border::word) {
        ends = is_space(point.value) || point.value == 0x200B;
      } else {
        const bool mark = point.value == U',' || point.value == U';' || point.value == U':' ||
                          point.value == 0x2014 || point.value == 0x2013 || point.value == U'|';
        const bool wide_mark = point.value == 0xFF0C || point.value == 0x3001 || point.value == 0xFF1B;
        const bool before_space = i < span.end && is_space(decode_utf8(text_.substr(i, span.end - i)).value);
        ends = point.value == U'\n' || wide_mark || (mark && before_space);
      }
      if (ends) {
        found.push_back({start, i});
        start = i;
      }
    }
    if (start < span.end) found.push_back({start, span.end});
    return found;
  }

  Result<void> split_at(Span span, int limit, Border border, std::vector<std::pair<Span, int>>& parts) {
    Span open{span.start, span.start};
    int open_tokens = 0;
    const auto flush = [&] {
      const Span part = without_blanks(open);
      if (!part.empty()) parts.emplace_back(part, open_tokens);
      open_tokens = 0;
    };
    for (const Span piece : pieces(span, border)) {
      const Result<int> tokens = body_tokens(slice(text_, piece));
      if (!tokens) return tokens.error();
      if (*tokens > limit) {
        flush();
        open = {piece.end, piece.end};
        const Result<void> finer = border == Border::clause ? split_at(piece, limit, Border::word, parts)
                                                            : split_word(piece, limit, parts);
        if (!finer) return finer.error();
        continue;
      }
      if (open_tokens + *tokens > limit) {
        flush();
        open = {piece.start, piece.start};
      }
      open.end = piece.end;
      open_tokens += *tokens;
    }
    flush();
    return done();
  }

  // One word without borders: runs of code points, grown while they fit.
  Result<void> split_word(Span word, int limit, std::vector<std::pair<Span, int>>& parts) {
    std::size_t start = word.start;
    std::size_t guess = static_cast<std::size_t>(limit) * 3;
    while (start < word.end) {
      std::size_t size = std::min(guess, word.end - start);
      for (;;) {
        std::size_t bytes = utf8_floor(text_.substr(start, word.end - start), size);
        if (bytes == 0) bytes = std::min(decode_utf8(text_.substr(start)).size, word.end - start);
        const Result<int> tokens = body_tokens(text_.substr(start, bytes));
        if (!tokens) return tokens.error();
        if (*tokens <= limit || bytes <= 4) {
          parts.emplace_back(Span{start, start + bytes}, *tokens);
          start += bytes;
          if (2 * *tokens < limit)
            guess = std::min<std::size_t>(2 * guess, static_cast<std::size_t>(limit) * kMostBytesPerToken);
          break;
        }
        size = std::max<std::size_t>(1, bytes / 2);
        guess = size;
      }
    }
    return done();
  }

  Span without_blanks(Span span) const {
    while (span.start < span.end && is_space(decode_utf8(text_.substr(span.start)).value)) {
      span.start += decode_utf8(text_.substr(span.start)).size;
    }
    while (span.end > span.start) {
      std::size_t back = span.end - 1;
      while (back > span.start && (static_cast<unsigned char>(text_[back]) & 0xC0U) == 0x80U) --back;
      if (!is_space(decode_utf8(text_.substr(back)).value)) break;
      span.end = back;
    }
    return span;
  }

  Result<void> pack_in_parts(const Sized& sized) {
    // Parts fill what a passage holds beside its headings, so that none is left with a heading alone.
    const int room = open_.empty() ? budget() : budget() - open_tokens_;
    const int limit = std::max(4, room > budget() / 2 ? room : budget());
    const Result<std::vector<std::pair<Span, int>>> parts = split(sized.unit.span, limit);
    if (!parts) return parts.error();
    bool first = true;
    for (const auto& [span, tokens] : *parts) {
      Unit unit = sized.unit;
      unit.span = span;
      unit.starts_block = unit.starts_block && first;
      if (!open_.empty() && open_tokens_ + tokens > budget()) {
        if (Result<void> closed = close(); !closed) return closed;
        if (Result<void> opened = open_passage(); !opened) return opened;
      }
      open_.push_back({unit, tokens});
      open_tokens_ += tokens;
      first = false;
    }
    return done();
  }

  // A unit that fits by its sum but not by the exact count (tokenizers may join or part across borders):
  // split with a smaller limit, and without the path at last.
  Result<void> place_in_parts(const Sized& sized) {
    std::vector<Span> todo{sized.unit.span};
    while (!todo.empty()) {
      const Span span = todo.back();
      todo.pop_back();
      Result<std::optional<Passage>> made = make_passage(span, open_path_);
      if (!made) return made.error();
      if (!made->has_value() && span.size() <= 4) {
        made = make_passage(span, "");
        if (!made) return made.error();
        if (!made->has_value()) {
          return Error{Kind::bad_request, document_.source,
                       "one character takes more than " + std::to_string(options_.max_tokens) + " tokens",
                       "raise max_tokens"};
        }
      }
      if (made->has_value()) {
        if (Result<void> placed = place(std::move(**made)); !placed) return placed;
        continue;
      }
      std::size_t half = utf8_floor(slice(text_, span), span.size() / 2);
      if (const std::size_t space = slice(text_, span).rfind(' ', half);
          space != std::string_view::npos && space > 0)
        half = space;
      if (half == 0) half = decode_utf8(slice(text_, span)).size;
      const Span front = without_blanks({span.start, span.start + half});
      const Span back = without_blanks({span.start + half, span.end});
      if (!back.empty()) todo.push_back(back);
      if (!front.empty()) todo.push_back(front);
    }
    return done();
  }

  struct OpenHeading {
    int level = 0;
    std::string title;
  };

  const Document& document_;
  std::string_view text_;
  const TokenCounter& count_tokens_;
  const CutOptions& options_;
  int special_tokens_ = 0;
  int target_ = 0;
  std::vector<OpenHeading> headings_;
  std::unordered_map<std::string, int> path_tokens_;
  std::vector<Sized> open_;  // units of the passage being packed
  std::string open_path_;    // headings above its start
  int open_path_tokens_ = 0;
  int open_tokens_ = 0;
  bool last_in_section_ = false;  // the last passage belongs to the section being packed
  std::size_t page_ = 0;
  std::vector<Passage> passages_;
};

}  // namespace

Result<std::vector<Passage>> cut(const Document& document, const TokenCounter& count_tokens,
                                 const CutOptions& options) {
  return Cutter(document, count_tokens, options).run();
}

}  // namespace loam::passage
