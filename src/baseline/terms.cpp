#include "baseline/terms.h"

#include <algorithm>

#include "base/utf8.h"

namespace loam::baseline {
namespace {

/// FNV-1a over eight bytes at a time; the same on every run, and not meant against floods of collisions: the
/// table is built from a bounded vocabulary and only read afterwards.
std::uint32_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325ULL ^ text.size();
  while (text.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data(), 8);
    hash = (hash ^ word) * 0x9E3779B97F4A7C15ULL;
    hash ^= hash >> 29U;
    text.remove_prefix(8);
  }
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  hash ^= hash >> 32U;
  return static_cast<std::uint32_t>(hash);
}

}  // namespace

WordsOfText::WordsOfText(std::string_view text) {
  lower.reserve(text.size() + 4);
  std::size_t start = 0;
  std::size_t length = 0;  // code points of the open word
  const auto close = [&] {
    if (length >= 2) words.push_back({start, lower.size()});
    length = 0;
  };
  while (!text.empty()) {
    const auto byte = static_cast<unsigned char>(text.front());
    if (byte < 0x80) {  // most text: one table-free step
      const bool upper = byte >= 'A' && byte <= 'Z';
      const char c = static_cast<char>(upper ? byte + 32 : byte);
      const bool inside =
          upper || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '_';
      if (!inside) close();
      if (inside && length++ == 0) start = lower.size();
      lower += c;
      text.remove_prefix(1);
      continue;
    }
    const CodePoint point = decode_utf8(text);
    text.remove_prefix(point.size);
    const bool inside = point.valid && is_letter_or_digit(point.value);
    if (!inside) close();
    if (inside && length++ == 0) start = lower.size();
    append_utf8(lower, to_lower(point.value));
  }
  close();
}

void for_each_word_ngram(const WordsOfText& text, int longest,
                         const std::function<void(std::string_view)>& visit) {
  std::string joined;
  for (std::size_t i = 0; i < text.words.size(); ++i) {
    if (longest >= 1) visit(text.word(i));
    if (longest < 2) continue;
    joined.assign(text.word(i));
    for (std::size_t n = 1; n < static_cast<std::size_t>(longest) && i + n < text.words.size(); ++n) {
      joined += ' ';
      joined += text.word(i + n);
      visit(joined);
    }
  }
}

void for_each_character_ngram(std::string_view lower, int longest,
                              const std::function<void(std::string_view)>& visit) {
  std::string word;
  std::vector<std::size_t> starts;  // of each code point of the word, and its end
  const auto close = [&] {
    if (word.size() <= 1) return;
    starts.push_back(word.size());
    word += ' ';
    starts.push_back(word.size());
    const std::size_t points = starts.size() - 1;
    for (std::size_t n = 3; n <= static_cast<std::size_t>(longest); ++n) {
      if (n >= points) {  // the whole padded word, once
        visit(word);
        break;
      }
      for (std::size_t i = 0; i + n <= points; ++i) {
        visit(std::string_view(word).substr(starts[i], starts[i + n] - starts[i]));
      }
    }
  };
  const auto open = [&] {
    word = " ";
    starts = {0};
  };
  open();
  while (!lower.empty()) {
    const CodePoint point = decode_utf8(lower);
    if (is_space(point.value)) {
      close();
      open();
    } else {
      starts.push_back(word.size());
      word += lower.substr(0, point.size);
    }
    lower.remove_prefix(point.size);
  }
  close();
}

TermTable::TermTable(std::vector<std::string> sorted) : terms_(std::move(sorted)) {
  std::size_t slots = 8;
  while (slots < 2 * terms_.size()) slots *= 2;
  slots_.resize(slots);
  for (std::size_t i = 0; i < terms_.size(); ++i) {
    const std::uint32_t hash = hash_of(terms_[i]);
    std::size_t at = hash & (slots - 1);
    while (slots_[at].term != kUnknown) at = (at + 1) & (slots - 1);
    slots_[at] = {hash, static_cast<std::uint32_t>(i)};
  }
}

std::uint32_t TermTable::find(std::string_view term) const {
  if (slots_.empty()) return kUnknown;
  const std::uint32_t hash = hash_of(term);
  for (std::size_t at = hash & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
    const Slot& slot = slots_[at];
    if (slot.term == kUnknown) return kUnknown;
    if (slot.hash == hash && terms_[slot.term] == term) return slot.term;
  }
}

std::size_t TermTable::bytes() const {
  std::size_t total = slots_.size() * sizeof(Slot) + terms_.size() * sizeof(std::string);
  for (const std::string& term : terms_) total += term.size() > 15 ? term.size() : 0;
  return total;
}

void TermTable::save(PackedWriter& out) const {
  out.varint(terms_.size());
  std::string_view before;
  for (const std::string& term : terms_) {
    const auto shared = static_cast<std::size_t>(
        std::mismatch(term.begin(),
                      term.begin() + static_cast<std::ptrdiff_t>(std::min(term.size(), before.size())),
                      before.begin())
            .first -
        term.begin());
    out.varint(shared);
    out.text(std::string_view(term).substr(shared));
    before = term;
  }
}

TermTable TermTable::load(PackedReader& in) {
  const std::size_t count = in.count(2);
  std::vector<std::string> terms;
  terms.reserve(count);
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < count && in.ok(); ++i) {
    const std::uint64_t shared = in.varint();
    const std::string_view rest = in.text();
    if ((terms.empty() && shared > 0) || (!terms.empty() && shared > terms.back().size())) {
      in.fail();
      break;
    }
    std::string term =
        terms.empty() ? std::string() : terms.back().substr(0, static_cast<std::size_t>(shared));
    term += rest;
    total += term.size();
    // Ascending, so that each term stands once; and no chain of shared beginnings grows without bound.
    if ((!terms.empty() && term <= terms.back()) || total > (std::uint64_t{1} << 30U)) {
      in.fail();
      break;
    }
    terms.push_back(std::move(term));
  }
  return in.ok() ? TermTable(std::move(terms)) : TermTable();
}

}  // namespace loam::baseline
