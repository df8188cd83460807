#include "engine/wordpiece.h"

#include <algorithm>
#include <iterator>

#include "base/utf8.h"
#include "engine/llama_handles.h"

namespace loam::engine {
namespace {

struct Range {
  char32_t first, last;
};
struct Pair {
  char32_t from, to;
};
struct Several {
  char32_t from;
  char32_t to[3];  // 0: no more
};

#include "engine/unicode_tables.inc"

template <std::size_t N>
bool contains(const Range (&table)[N], char32_t point) {
  const auto* after =
      std::upper_bound(std::begin(table), std::end(table), point,
                       [](char32_t value, const Range& range) { return value < range.first; });
  return after != std::begin(table) && point <= std::prev(after)->last;
}

template <class Row, std::size_t N>
const Row* find(const Row (&table)[N], char32_t point) {
  const auto* found = std::lower_bound(std::begin(table), std::end(table), point,
                                       [](const Row& row, char32_t value) { return row.from < value; });
  return found != std::end(table) && found->from == point ? found : nullptr;
}

/// The blocks that the publishers' code sets apart: CJK ideographs, but neither kana nor Hangul.
constexpr Range kChinese[] = {{0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},   {0x20000, 0x2A6DF},
                              {0x2A700, 0x2B73F}, {0x2B740, 0x2B81F}, {0x2B920, 0x2CEAF}, {0x2F800, 0x2FA1F}};

/// Appends the canonical decomposition without nonspacing marks.
void append_base_letters(std::u32string& out, char32_t point) {
  if (point >= 0xAC00 && point <= 0xD7A3) {
    // Hangul syllables: The Unicode Standard 15, section 3.12.
    const char32_t syllable = point - 0xAC00;
    out += static_cast<char32_t>(0x1100 + syllable / 588);
    out += static_cast<char32_t>(0x1161 + syllable % 588 / 28);
    if (syllable % 28 != 0) out += static_cast<char32_t>(0x11A7 + syllable % 28);
  } else if (const Pair* one = find(kBaseLetter, point)) {
    out += one->to;
  } else if (const Several* several = find(kBaseLetters, point)) {
    for (const char32_t letter : several->to) {
      if (letter != 0) out += letter;
    }
  } else if (!contains(kNonspacingMarks, point)) {
    out += point;
  }
}

/// Normalises; `origins`, where it is not null, becomes the place in the text of each byte's code point.
std::string normalise(std::string_view whole, WordPieceRules rules, std::vector<std::size_t>* origins) {
  std::string out;
  out.reserve(whole.size() + whole.size() / 8);
  std::u32string letters;
  for (std::size_t at = 0, next = 0; at < whole.size(); at = next) {
    const CodePoint point = decode_utf8(whole.substr(at));
    next = at + point.size;
    if (!point.valid || contains(kLeftOut, point.value)) continue;
    if (contains(kSpaces, point.value)) {
      out += ' ';
    } else {
      letters.clear();
      if (rules.strip_accents) {
        append_base_letters(letters, point.value);
      } else {
        letters += point.value;
      }
      const bool chinese = contains(kChinese, point.value);
      if (chinese) out += ' ';
      for (const char32_t letter : letters) {
        const Pair* lower = rules.lowercase ? find(kLower, letter) : nullptr;
        append_utf8(out, lower != nullptr ? lower->to : letter);
        // The one letter whose lower case is two (U+0130), where accents stay.
        if (lower != nullptr && letter == 0x130) append_utf8(out, 0x307);
      }
      if (chinese) out += ' ';
    }
    if (origins != nullptr) origins->resize(out.size(), at);
  }
  return out;
}

/// The end of the code point at `at`, with the marks on it.
std::size_t end_of_letter(std::string_view text, std::size_t at) {
  at += decode_utf8(text.substr(at)).size;
  while (at < text.size()) {
    const CodePoint mark = decode_utf8(text.substr(at));
    if (!mark.valid || !contains(kNonspacingMarks, mark.value)) break;
    at += mark.size;
  }
  return at;
}

constexpr std::string_view kWordStart = "\xE2\x96\x81";  // U+2581: how GGUF marks a piece that starts a word
constexpr std::size_t kMostLettersInWord = 100;          // the publishers' limit; a longer word is unknown

}  // namespace

std::string normalise_for_wordpiece(std::string_view text, WordPieceRules rules) {
  return normalise(text, rules, nullptr);
}

std::vector<std::string_view> wordpiece_words(std::string_view normalised) {
  std::vector<std::string_view> words;
  std::size_t start = 0;
  const auto close = [&](std::size_t end) {
    if (end > start) words.push_back(normalised.substr(start, end - start));
  };
  for (std::size_t at = 0; at < normalised.size();) {
    const CodePoint point = decode_utf8(normalised.substr(at));
    const bool mark = contains(kPunctuation, point.value);
    if (mark || point.value == ' ') {
      close(at);
      start = at + point.size;
      if (mark) words.push_back(normalised.substr(at, point.size));
    }
    at += point.size;
  }
  close(normalised.size());
  return words;
}

std::optional<WordPiece> WordPiece::of(const LocalModel& model) {
  if (model.metadata("tokenizer.ggml.model").value_or("") != "bert") return std::nullopt;
  const auto around = model.encode("", AddSpecial::yes, ParseSpecial::no);
  if (!around || around->size() != 2) return std::nullopt;
  WordPiece pieces;
  pieces.first_ = around->front();
  pieces.last_ = around->back();
  const llama_vocab* vocabulary = llama_model_get_vocab(model.impl().model.get());
  const auto stated = model.metadata("tokenizer.ggml.unknown_token_id");
  pieces.unknown_ = -1;
  for (Token id = 0; id < model.vocabulary_size(); ++id) {
    const char* text = llama_vocab_get_text(vocabulary, id);
    if (text == nullptr) continue;
    const std::string_view piece(text);
    const llama_token_attr kind = llama_vocab_get_attr(vocabulary, id);
    if (stated ? std::to_string(id) == *stated : piece == "[UNK]") pieces.unknown_ = id;
    if ((kind & (LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_UNKNOWN | LLAMA_TOKEN_ATTR_UNUSED)) != 0)
      continue;
    const bool starts = piece.starts_with(kWordStart) && piece.size() > kWordStart.size();
    const std::string_view own = starts ? piece.substr(kWordStart.size()) : piece;
    (starts ? pieces.beginnings_ : pieces.endings_).emplace(own, id);
    pieces.longest_bytes_ = std::max(pieces.longest_bytes_, own.size());
  }
  if (pieces.unknown_ < 0) return std::nullopt;
  // The keys and their defaults as llama.cpp v0.5.0 reads them (llama-vocab.cpp).
  pieces.rules_.lowercase = model.metadata("tokenizer.ggml.normalizer.lowercase").value_or("true") == "true";
  const auto strip = model.metadata("tokenizer.ggml.normalizer.strip_accents");
  pieces.rules_.strip_accents = strip ? *strip == "true" : pieces.rules_.lowercase;
  return pieces;
}

void WordPiece::add_word(std::string_view word, std::vector<Piece>& pieces) const {
  const std::size_t before = pieces.size();
  bool known = utf8_length(word) <= kMostLettersInWord;
  std::string piece;
  for (std::size_t at = 0; known && at < word.size();) {
    const auto& vocabulary = at == 0 ? beginnings_ : endings_;
    known = false;
    for (std::size_t size = std::min(word.size() - at, longest_bytes_); size > 0; --size) {
      size = utf8_floor(word.substr(at), size);
      if (size == 0) break;
      piece.assign(word.substr(at, size));
      const auto found = vocabulary.find(piece);
      if (found == vocabulary.end()) continue;
      pieces.push_back({found->second, at, at + size});
      at += size;
      known = true;
      break;
    }
  }
  if (known) return;
  pieces.resize(before);
  pieces.push_back({unknown_, 0, word.size()});
}

std::vector<Token> WordPiece::encode(std::string_view text) const {
  std::vector<Token> tokens = {first_};
  std::vector<Piece> pieces;
  const std::string normalised = normalise(text, rules_, nullptr);
  for (const std::string_view word : wordpiece_words(normalised)) add_word(word, pieces);
  for (const Piece& piece : pieces) tokens.push_back(piece.id);
  tokens.push_back(last_);
  return tokens;
}

std::vector<PlacedToken> WordPiece::encode_placed(std::string_view text) const {
  std::vector<PlacedToken> tokens;
  std::vector<std::size_t> origins;
  const std::string normalised = normalise(text, rules_, &origins);
  std::vector<Piece> pieces;
  for (const std::string_view word : wordpiece_words(normalised)) {
    pieces.clear();
    add_word(word, pieces);
    const auto start = static_cast<std::size_t>(word.data() - normalised.data());
    for (const Piece& piece : pieces) {
      tokens.push_back(
          {piece.id, {origins[start + piece.begin], end_of_letter(text, origins[start + piece.end - 1])}});
    }
  }
  return tokens;
}

}  // namespace loam::engine
