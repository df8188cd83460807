// What is made of an encoder's states: scores of passages, and spans that answer.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/local_encoder.h"

namespace loam::engine {
namespace {

// Devlin et al., "BERT", NAACL 2019, limit answers to 30 pieces of words in their code for SQuAD; longer
// spans are nearly always two unrelated ends.
constexpr std::size_t kLongestAnswer = 30;

float row_times(const EncoderHead& head, std::size_t row, std::span<const float> state) {
  const auto weight = head.weight.begin() + static_cast<std::ptrdiff_t>(row * head.width);
  return std::inner_product(state.begin(), state.end(), weight, head.bias[row]);
}

/// One vector of a sequence, as the head wants it.
std::vector<float> pooled(const EncoderHead& head, std::span<const float> states) {
  std::vector<float> one(states.begin(), states.begin() + static_cast<std::ptrdiff_t>(head.width));
  if (head.pooling == HeadPooling::cls) return one;
  const std::size_t tokens = states.size() / head.width;
  for (std::size_t t = 1; t < tokens; ++t) {
    for (std::size_t i = 0; i < head.width; ++i) one[i] += states[t * head.width + i];
  }
  for (float& value : one) value /= static_cast<float>(tokens);
  return one;
}

Error not_finite(const std::string& name) {
  return Error{Kind::bad_data, name, "the model gave something that is not a number",
               "check the model file and the adapter: loam models show"};
}

Error wrong_kind(const std::filesystem::path& adapter, const EncoderHead& head, HeadKind wanted) {
  return Error{
      Kind::bad_request, adapter.string(),
      "its head is of the kind " + std::string(name_of(head.kind)) + ", not " + std::string(name_of(wanted)),
      "loam train " + std::string(name_of(wanted)) + " makes one"};
}

Result<std::unique_ptr<LocalEncoder>> open_kind(std::shared_ptr<LocalModel> model,
                                                const std::filesystem::path& adapter,
                                                const LocalEncoderOptions& options, Logger& logger,
                                                HeadKind wanted) {
  auto encoder = LocalEncoder::open(std::move(model), adapter, options, logger);
  if (!encoder) return encoder.error();
  if ((*encoder)->head().kind != wanted) return wrong_kind(adapter, (*encoder)->head(), wanted);
  return encoder;
}

/// The sequences of windows, to be read. The windows keep their spans.
std::vector<std::vector<Token>> sequences_of(std::vector<PairWindow>& windows) {
  std::vector<std::vector<Token>> sequences;
  for (PairWindow& window : windows) sequences.push_back(std::move(window.tokens));
  return sequences;
}

bool is_word_byte(char byte) {
  const auto c = static_cast<unsigned char>(byte);
  return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// Whether a word goes on over this place of the text.
bool inside_word(std::string_view text, std::size_t at) {
  return at > 0 && at < text.size() && is_word_byte(text[at - 1]) && is_word_byte(text[at]);
}

/// The best that do not overlap a better one.
std::vector<AnswerSpan> best_of(std::vector<AnswerSpan> found, std::size_t most) {
  const auto better = [](const AnswerSpan& a, const AnswerSpan& b) {
    if (a.score != b.score) return a.score > b.score;
    if (a.span.start != b.span.start) return a.span.start < b.span.start;
    return a.span.end < b.span.end;
  };
  std::vector<AnswerSpan> best;
  while (best.size() < most) {
    const auto next = std::min_element(found.begin(), found.end(), better);
    if (next == found.end()) break;
    best.push_back(*next);
    const Span taken = next->span;
    std::erase_if(found, [&](const AnswerSpan& one) { return one.span.overlaps(taken); });
  }
  return best;
}

/// The best spans of one window, as far as they may be an answer.
std::vector<AnswerSpan> spans_of(const EncoderHead& head, const PairWindow& window,
                                 std::span<const float> states, const PassageToRead& passage,
                                 std::size_t most) {
  std::vector<AnswerSpan> found;
  const std::size_t count = window.spans.size();
  const auto state_of = [&](std::size_t token) { return states.subspan(token * head.width, head.width); };
  const float silence =
      row_times(head, 0, state_of(0)) + row_times(head, 1, state_of(0)) + head.no_answer_bias;
  std::vector<float> ends(count);
  for (std::size_t i = 0; i < count; ++i) ends[i] = row_times(head, 1, state_of(window.first + i));
  for (std::size_t i = 0; i < count; ++i) {
    const Span first = window.spans[i];
    if (first.start < passage.answers_from || inside_word(passage.text, first.start)) continue;
    const float start = row_times(head, 0, state_of(window.first + i)) - silence;
    for (std::size_t j = i; j < std::min(count, i + kLongestAnswer); ++j) {
      const Span last = window.spans[j];
      if (last.end <= first.start || inside_word(passage.text, last.end)) continue;
      found.push_back({{first.start, last.end}, start + ends[j]});
    }
  }
  return best_of(std::move(found), most);
}

}  // namespace

LocalReranker::LocalReranker(std::unique_ptr<LocalEncoder> encoder) : encoder_(std::move(encoder)) {}
const std::string& LocalReranker::model_name() const { return encoder_->name(); }
const std::string& LocalReranker::fingerprint() const { return encoder_->fingerprint(); }

Result<std::unique_ptr<LocalReranker>> LocalReranker::open(std::shared_ptr<LocalModel> model,
                                                           const std::filesystem::path& adapter,
                                                           LocalEncoderOptions options, Logger& logger) {
  auto encoder = open_kind(std::move(model), adapter, options, logger, HeadKind::reranker);
  if (!encoder) return encoder.error();
  return std::unique_ptr<LocalReranker>(new LocalReranker(*std::move(encoder)));
}

Result<std::vector<float>> LocalReranker::score(std::string_view question,
                                                std::span<const std::string> passages) {
  const std::vector<std::string_view> texts(passages.begin(), passages.end());
  auto windows = encoder_->windows(question, texts);
  if (!windows) return windows.error();
  const std::vector<std::vector<Token>> sequences = sequences_of(*windows);
  const EncoderHead& head = encoder_->head();
  std::vector<float> of_window(windows->size());
  auto read = encoder_->read(sequences, [&](std::size_t i, std::span<const float> states) {
    of_window[i] = row_times(head, 0, pooled(head, states));
  });
  if (!read) return read.error();
  std::vector<float> scores(passages.size(), -INFINITY);
  for (std::size_t i = 0; i < windows->size(); ++i) {
    if (!std::isfinite(of_window[i])) return not_finite(encoder_->name());
    float& score = scores[(*windows)[i].passage];
    score = std::max(score, of_window[i]);
  }
  return scores;
}

LocalSpanReader::LocalSpanReader(std::unique_ptr<LocalEncoder> encoder) : encoder_(std::move(encoder)) {}
const std::string& LocalSpanReader::model_name() const { return encoder_->name(); }
const std::string& LocalSpanReader::fingerprint() const { return encoder_->fingerprint(); }

Result<std::unique_ptr<LocalSpanReader>> LocalSpanReader::open(std::shared_ptr<LocalModel> model,
                                                               const std::filesystem::path& adapter,
                                                               LocalEncoderOptions options, Logger& logger) {
  auto encoder = open_kind(std::move(model), adapter, options, logger, HeadKind::reader);
  if (!encoder) return encoder.error();
  return std::unique_ptr<LocalSpanReader>(new LocalSpanReader(*std::move(encoder)));
}

Result<std::vector<std::vector<AnswerSpan>>> LocalSpanReader::read(std::string_view question,
                                                                   std::span<const PassageToRead> passages,
                                                                   int most) {
  if (most < 1) return Error{Kind::bad_request, "spans", "at least one must be asked for", "give 1 or more"};
  std::vector<std::string_view> texts;
  for (const PassageToRead& passage : passages) texts.push_back(passage.text);
  auto windows = encoder_->windows(question, texts);
  if (!windows) return windows.error();
  const std::vector<std::vector<Token>> sequences = sequences_of(*windows);
  std::vector<std::vector<AnswerSpan>> found(passages.size());
  auto read = encoder_->read(sequences, [&](std::size_t i, std::span<const float> states) {
    const PairWindow& window = (*windows)[i];
    const std::vector<AnswerSpan> here =
        spans_of(encoder_->head(), window, states, passages[window.passage], static_cast<std::size_t>(most));
    found[window.passage].insert(found[window.passage].end(), here.begin(), here.end());
  });
  if (!read) return read.error();
  std::vector<std::vector<AnswerSpan>> best;
  for (std::vector<AnswerSpan>& spans : found) {
    const bool bad = std::any_of(spans.begin(), spans.end(),
                                 [](const AnswerSpan& one) { return !std::isfinite(one.score); });
    if (bad) return not_finite(encoder_->name());
    best.push_back(best_of(std::move(spans), static_cast<std::size_t>(most)));
  }
  return best;
}

}  // namespace loam::engine
