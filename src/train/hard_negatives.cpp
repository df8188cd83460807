#include "train/hard_negatives.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "train/encoder_math.h"

namespace loam::train {
namespace {

constexpr std::size_t kLookedAt = 30;  // of each kind of rank

void to_unit_length(std::span<float> vector) {
  const float length = std::sqrt(dot_of(vector.data(), vector.data(), vector.size()));
  if (length > 0) {
    for (float& value : vector) value /= length;
  }
}

}  // namespace

std::vector<std::size_t> passages_of(const SpanData& data, std::span<const std::size_t> items) {
  std::vector<std::size_t> passages;
  for (const std::size_t item : items) {
    passages.push_back(data.items[item].passage);
    passages.insert(passages.end(), data.items[item].negatives.begin(), data.items[item].negatives.end());
  }
  std::sort(passages.begin(), passages.end());
  passages.erase(std::unique(passages.begin(), passages.end()), passages.end());
  return passages;
}

PassageRanks::PassageRanks(const SpanData& data, std::vector<std::size_t> passages)
    : data_(data), passages_(std::move(passages)) {
  std::vector<std::string> texts;
  for (const std::size_t passage : passages_) texts.push_back(data.passages[passage]);
  const std::vector<int> labels(texts.size(), 0);
  auto fitted = baseline::Bm25Neighbours::fit(texts, labels, 1);
  if (fitted) words_ = *std::move(fitted);
}

void PassageRanks::read(EncoderReading& base, const engine::WordPiece& words,
                        std::span<const std::size_t> questions, int most_tokens) {
  width_ = base.width();
  const auto cut = [&](std::string_view text) {
    std::vector<engine::Token> tokens = words.encode(text);
    if (tokens.size() > static_cast<std::size_t>(most_tokens)) {
      // For ranks only: what is learnt is never cut.
      tokens.resize(static_cast<std::size_t>(most_tokens));
      tokens.back() = words.last();
    }
    return tokens;
  };
  EncoderSequences sequences;
  for (const std::size_t passage : passages_) sequences.add(cut(data_.passages[passage]), 0, 0);
  vectors_.resize(passages_.size() * width_);
  base.read(sequences, engine::HeadPooling::mean, [&](std::size_t s, std::span<const float> rows) {
    std::copy(rows.begin(), rows.end(), vectors_.begin() + static_cast<std::ptrdiff_t>(s * width_));
    to_unit_length(std::span(vectors_).subspan(s * width_, width_));
  });
  EncoderSequences asked;
  for (const std::size_t item : questions) asked.add(cut(data_.items[item].question), item, 0);
  questions_.resize(data_.items.size());
  base.read(asked, engine::HeadPooling::mean, [&](std::size_t s, std::span<const float> rows) {
    questions_[asked.item[s]].assign(rows.begin(), rows.end());
  });
}

std::vector<std::size_t> PassageRanks::by_words(std::string_view question, std::size_t most) const {
  std::vector<std::size_t> found;
  if (!words_) return found;
  for (const std::size_t rank : words_->nearest(question, most)) found.push_back(passages_[rank]);
  return found;
}

std::vector<std::size_t> PassageRanks::wrong_for(std::size_t item, std::size_t most) const {
  const SpanQuestion& of = data_.items[item];
  const auto holds_answer = [&](std::size_t passage) {
    if (passage == of.passage) return true;
    const std::string& text = data_.passages[passage];
    return std::any_of(of.answers.begin(), of.answers.end(), [&](const Span& answer) {
      return text.find(slice(data_.passages[of.passage], answer)) != std::string::npos;
    });
  };
  const std::vector<std::size_t> by_word = by_words(of.question, kLookedAt);
  std::vector<std::size_t> by_vector;
  if (item < questions_.size() && !questions_[item].empty()) {
    std::vector<std::pair<float, std::size_t>> scores;
    for (std::size_t i = 0; i < passages_.size(); ++i) {
      scores.emplace_back(-dot_of(questions_[item].data(), vectors_.data() + i * width_, width_),
                          passages_[i]);
    }
    const auto end = scores.begin() + static_cast<std::ptrdiff_t>(std::min(kLookedAt, scores.size()));
    std::partial_sort(scores.begin(), end, scores.end());
    for (auto score = scores.begin(); score != end; ++score) by_vector.push_back(score->second);
  }
  std::vector<std::size_t> wrong;
  for (std::size_t i = 0; i < kLookedAt && wrong.size() < most; ++i) {
    for (const std::vector<std::size_t>* ranks : {&by_word, &std::as_const(by_vector)}) {
      if (i >= ranks->size() || wrong.size() == most || holds_answer((*ranks)[i])) continue;
      if (std::find(wrong.begin(), wrong.end(), (*ranks)[i]) == wrong.end()) wrong.push_back((*ranks)[i]);
    }
  }
  return wrong;
}

}  // namespace loam::train
