// The tokenizer of the BERT family as its publishers run it: Unicode clean-up, words, WordPiece (Schuster and
// Nakajima 2012, "Japanese and Korean voice search"). llama.cpp's own keeps only the first letter of a
// decomposition and drops marks that carry vowels, which changes Hangul, Devanagari and their like.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/span.h"
#include "engine/local_model.h"

namespace loam::engine {

struct WordPieceRules {
  bool lowercase = true;
  bool strip_accents = true;
};

/// Cleans `text`: code points that are not text are left out, any space becomes ' ', Chinese characters stand
/// alone; accents and capitals go as the rules say. Malformed bytes are left out.
std::string normalise_for_wordpiece(std::string_view text, WordPieceRules rules);
/// Words of normalised text: split at spaces, each punctuation mark a word of its own.
std::vector<std::string_view> wordpiece_words(std::string_view normalised);

/// A token and the bytes of the text that it was made of, with the marks that were taken off their letter.
struct PlacedToken {
  Token id = 0;
  Span span;
};

/// A vocabulary with its rules. Immutable: any thread.
class WordPiece {
 public:
  /// Nothing when the model's tokenizer is of another kind.
  static std::optional<WordPiece> of(const LocalModel& model);

  /// Tokens of `text` between the model's first and last special token. Names of special tokens in the text
  /// are plain text.
  std::vector<Token> encode(std::string_view text) const;
  /// The same tokens, each with its place in `text`, without the special ones. Spans ascend; those of pieces
  /// of one letter (Hangul) may be the same.
  std::vector<PlacedToken> encode_placed(std::string_view text) const;
  Token first() const { return first_; }  ///< [CLS]
  Token last() const { return last_; }    ///< [SEP]

 private:
  struct Piece {
    Token id = 0;
    std::size_t begin = 0, end = 0;  // in the word
  };
  void add_word(std::string_view word, std::vector<Piece>& pieces) const;

  std::unordered_map<std::string, Token> beginnings_;  ///< pieces that start a word
  std::unordered_map<std::string, Token> endings_;     ///< pieces that go on
  std::size_t longest_bytes_ = 0;
  Token first_ = 0, last_ = 0, unknown_ = 0;
  WordPieceRules rules_;
};

}  // namespace loam::engine
