// A span reader (Devlin et al. 2019): two rows of a head score every token of the passage as the start and as
// the end of the answer, and [CLS] as the place of no answer.
#include <algorithm>
#include <cmath>
#include <limits>

#include "baseline/linear.h"
#include "eval/data_file.h"
#include "eval/metrics.h"
#include "train/encoder_math.h"
#include "train/encoder_task.h"
#include "train/span_data.h"
#include "train/training_data.h"

namespace loam::train {
namespace {

constexpr std::size_t kLongestAnswerTokens = 30;  // as it is served (engine/encoder_services.cpp)
constexpr double kUsualNegatives = 0.5;
constexpr std::size_t kNearPassages = 8;  // that a question without its own passage is asked of

/// A question with a passage, as it is learnt.
struct ReaderPair {
  std::size_t question = 0;  ///< of SpanData::items
  std::size_t passage = 0;
  std::size_t start = 0, end = 0;  ///< tokens of the passage, the last included; only where it answers
  bool answers = false;
  std::vector<std::size_t>
      others;  ///< where not empty: passages that do not answer, one for each epoch in turn
};

class ReaderTask final : public EncoderTask {
 public:
  static Result<std::unique_ptr<EncoderTask>> make(const std::filesystem::path& file,
                                                   const engine::WordPiece& words,
                                                   const EncoderTaskOptions& options) {
    SpanDataOptions how;
    how.group_column = options.group_column;
    auto read = read_span_data(file, how);
    if (!read) return read.error();
    auto task = std::unique_ptr<ReaderTask>(new ReaderTask(*std::move(read), words, options));
    if (auto split = task->split(); !split) return split.error();
    return std::unique_ptr<EncoderTask>(std::move(task));
  }

  engine::HeadKind kind() const override { return engine::HeadKind::reader; }
  engine::HeadPooling pooling() const override { return engine::HeadPooling::tokens; }
  engine::HeadInput input() const override { return engine::HeadInput::pair; }
  std::size_t head_rows() const override { return 2; }
  std::size_t items() const override { return train_.size(); }
  std::size_t line_of(std::size_t item) const override { return data_.items[train_[item].question].line; }
  bool items_stand_alone() const override { return true; }

  void add_sequences(std::size_t item, std::uint64_t epoch, EncoderSequences& to) const override {
    to.add(tokens_of(train_[item], epoch), item, 0);
  }
  double loss(const EncoderSequences& sequences, const PooledStates& states, HeadView head, float weight,
              float* drows) const override;
  std::vector<EncoderFigure> measure(EncoderReading& reading, bool trained) override;
  void finish(engine::EncoderHead& head) const override { head.no_answer_bias = no_answer_bias_; }

 private:
  ReaderTask(SpanData data, const engine::WordPiece& words, const EncoderTaskOptions& options)
      : data_(std::move(data)), words_(words), options_(options) {
    version_ = data_.version;
    rows_ = data_.rows;
    notes_ = data_.notes;
    for (const std::string& passage : data_.passages) {
      placed_.push_back(words.encode_placed(passage));
      std::vector<engine::Token> ids;
      for (const engine::PlacedToken& token : placed_.back()) ids.push_back(token.id);
      passages_.push_back(std::move(ids));
    }
    for (const SpanQuestion& item : data_.items) {
      std::vector<engine::Token> ids = words.encode(item.question);
      questions_.emplace_back(ids.begin() + 1, ids.end() - 1);
    }
  }

  Result<void> split();
  std::vector<ReaderPair> pairs_of(const std::vector<std::size_t>& items, double negatives);
  bool place(std::size_t item, ReaderPair& pair) const;
  std::vector<std::size_t> near_passages(std::size_t item, const baseline::Bm25Neighbours& ranks,
                                         const std::vector<std::size_t>& numbers) const;

  std::size_t passage_of(const ReaderPair& pair, std::uint64_t epoch) const {
    return pair.others.empty() ? pair.passage : pair.others[epoch % pair.others.size()];
  }
  std::size_t length(std::size_t question, std::size_t passage) const {
    return questions_[question].size() + passages_[passage].size() + 3;
  }
  std::vector<engine::Token> tokens_of(const ReaderPair& pair, std::uint64_t epoch) const {
    return joined_pair(words_, questions_[pair.question], passages_[passage_of(pair, epoch)]);
  }

  SpanData data_;
  const engine::WordPiece& words_;
  EncoderTaskOptions options_;
  std::vector<std::vector<engine::PlacedToken>> placed_;  // of passages
  std::vector<std::vector<engine::Token>> passages_, questions_;
  std::vector<ReaderPair> train_, held_out_;
  float no_answer_bias_ = 0;
};

/// The tokens that the first marked answer begins and ends with.
bool ReaderTask::place(std::size_t item, ReaderPair& pair) const {
  const SpanQuestion& of = data_.items[item];
  const auto& tokens = placed_[of.passage];
  const Span answer = of.answers.front();
  std::size_t first = tokens.size(), last = 0;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (!tokens[i].span.overlaps(answer)) continue;
    first = std::min(first, i);
    last = i;
  }
  if (first == tokens.size()) return false;
  pair.start = first;
  pair.end = last;
  pair.answers = true;
  return true;
}

/// Passages most like the question that hold none of its answers.
std::vector<std::size_t> ReaderTask::near_passages(std::size_t item, const baseline::Bm25Neighbours& ranks,
                                                   const std::vector<std::size_t>& numbers) const {
  const SpanQuestion& of = data_.items[item];
  std::vector<std::size_t> near;
  for (const std::size_t rank : ranks.nearest(of.question, 3 * kNearPassages)) {
    const std::size_t passage = numbers[rank];
    bool holds = passage == of.passage;
    for (const Span& answer : of.answers) {
      holds = holds ||
              data_.passages[passage].find(slice(data_.passages[of.passage], answer)) != std::string::npos;
    }
    if (holds || length(item, passage) > static_cast<std::size_t>(options_.sequence_tokens)) continue;
    near.push_back(passage);
    if (near.size() == kNearPassages) break;
  }
  return near;
}

Result<void> ReaderTask::split() {
  eval::SeenRows too_long, nothing;
  std::vector<std::size_t> usable;
  for (std::size_t i = 0; i < data_.items.size(); ++i) {
    ReaderPair pair;
    if (length(i, data_.items[i].passage) > static_cast<std::size_t>(options_.sequence_tokens)) {
      too_long.add(data_.items[i].line);
    } else if (!data_.items[i].answers.empty() && !place(i, pair)) {
      nothing.add(data_.items[i].line);
    } else {
      usable.push_back(i);
    }
  }
  eval::add_note(notes_, "too long",
                 eval::counted(too_long.count, "row") + " have more than " +
                     std::to_string(options_.sequence_tokens) + " tokens with their passage",
                 too_long, eval::Rows::left_out);
  eval::add_note(notes_, "no token", eval::counted(nothing.count, "row") + " have an answer without a token",
                 nothing, eval::Rows::left_out);
  std::vector<std::string> clusters;
  for (const std::size_t i : usable) clusters.push_back(data_.groups[data_.items[i].passage]);
  auto parts = split_clusters(clusters, options_.hold_out, options_.seed, version_.file);
  if (!parts) return parts.error();
  const auto chosen = [&](const std::vector<std::size_t>& numbers) {
    std::vector<std::size_t> items;
    for (const std::size_t number : numbers) items.push_back(usable[number]);
    return items;
  };
  train_ = pairs_of(chosen(parts->train), options_.negatives < 0 ? kUsualNegatives : options_.negatives);
  held_out_ = pairs_of(chosen(parts->held_out), 1.0);
  held_out_items_ = parts->held_out.size();
  return done();
}

/// The questions with their own passages, and each that is answered with others that do not answer it.
std::vector<ReaderPair> ReaderTask::pairs_of(const std::vector<std::size_t>& items, double negatives) {
  std::vector<ReaderPair> pairs;
  std::vector<std::size_t> numbers;  // passages of this part only: those of the other are not to be seen
  for (const std::size_t item : items) numbers.push_back(data_.items[item].passage);
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  std::vector<std::string> texts;
  for (const std::size_t number : numbers) texts.push_back(data_.passages[number]);
  const std::vector<int> labels(texts.size(), 0);
  const auto ranks = baseline::Bm25Neighbours::fit(texts, labels, 1);
  double wanted = 0;
  for (const std::size_t item : items) {
    ReaderPair pair;
    pair.question = item;
    pair.passage = data_.items[item].passage;
    if (!data_.items[item].answers.empty()) place(item, pair);
    pairs.push_back(pair);
    if (!pair.answers || !ranks) continue;
    wanted += negatives;
    if (wanted < 1.0) continue;
    ReaderPair other;
    other.question = item;
    other.passage = pair.passage;
    other.others = near_passages(item, *ranks, numbers);
    for (std::size_t i = 0; wanted >= 1.0 && i < other.others.size(); ++i, wanted -= 1.0) {
      pairs.push_back(other);
      std::rotate(other.others.begin(), other.others.begin() + 1, other.others.end());
    }
  }
  return pairs;
}

double ReaderTask::loss(const EncoderSequences& sequences, const PooledStates& states, HeadView head,
                        float weight, float* drows) const {
  const std::size_t width = states.width;
  double total = 0;
  std::vector<std::size_t> places;
  std::vector<double> scores;
  for (std::size_t s = 0; s < sequences.tokens.size(); ++s) {
    const ReaderPair& pair = train_[sequences.item[s]];
    const std::size_t first = questions_[pair.question].size() + 2;
    const std::size_t length = states.first[s + 1] - states.first[s];
    places.assign(1, states.first[s]);
    for (std::size_t i = first; i + 1 < length; ++i) places.push_back(states.first[s] + i);
    for (std::size_t row = 0; row < 2; ++row) {
      const float* head_row = head.values.data() + row * width;
      const float bias = head.values[2 * width + row];
      scores.clear();
      for (const std::size_t place : places) {
        scores.push_back(
            static_cast<double>(dot_of(states.rows.data() + place * width, head_row, width) + bias));
      }
      const std::size_t target = pair.answers ? 1 + (row == 0 ? pair.start : pair.end) : 0;
      total += 0.5 * softmax_loss(scores, target);
      if (drows == nullptr) continue;
      for (std::size_t i = 0; i < places.size(); ++i) {
        const double off = scores[i] - (i == target ? 1.0 : 0.0);
        const auto gradient = static_cast<float>(0.5 * static_cast<double>(weight) * off);
        add_scaled(head_row, gradient, width, drows + places[i] * width);
        add_scaled(states.rows.data() + places[i] * width, gradient, width,
                   head.gradients.data() + row * width);
        head.gradients[2 * width + row] += gradient;
      }
    }
  }
  return total;
}

/// What a reader says of one pair.
struct Reading {
  double span_score = 0, nothing_score = 0;
  std::size_t start = 0, end = 0;  // tokens of the passage, the last included
};

Reading best_span(std::span<const float> rows, std::span<const float> head, std::size_t width,
                  std::size_t first) {
  const std::size_t length = rows.size() / width, count = length - first - 1;
  const auto score = [&](std::size_t token, std::size_t row) {
    return static_cast<double>(dot_of(rows.data() + token * width, head.data() + row * width, width) +
                               head[2 * width + row]);
  };
  std::vector<double> starts(count), ends(count);
  for (std::size_t i = 0; i < count; ++i) {
    starts[i] = score(first + i, 0);
    ends[i] = score(first + i, 1);
  }
  Reading best;
  best.nothing_score = score(0, 0) + score(0, 1);
  best.span_score = -std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = i; j < std::min(count, i + kLongestAnswerTokens); ++j) {
      if (starts[i] + ends[j] <= best.span_score) continue;
      best.span_score = starts[i] + ends[j];
      best.start = i;
      best.end = j;
    }
  }
  return best;
}

std::vector<EncoderFigure> ReaderTask::measure(EncoderReading& reading, bool trained) {
  if (!trained || held_out_.empty()) return {};
  EncoderSequences sequences;
  for (std::size_t i = 0; i < held_out_.size(); ++i) sequences.add(tokens_of(held_out_[i], 0), i, 0);
  struct Judged {
    double margin = 0;      // of the best span over saying nothing
    double if_said = 0;     // F1 of saying it
    double if_nothing = 0;  // F1 of saying nothing
  };
  std::vector<Judged> judged(held_out_.size());
  std::vector<double> exact(held_out_.size());
  reading.read(sequences, pooling(), [&](std::size_t s, std::span<const float> rows) {
    const ReaderPair& pair = held_out_[s];
    const std::size_t passage = passage_of(pair, 0);
    const Reading found =
        best_span(rows, reading.head(), reading.width(), questions_[pair.question].size() + 2);
    judged[s].margin = found.span_score - found.nothing_score;
    judged[s].if_nothing = pair.answers ? 0.0 : 1.0;
    if (!pair.answers) return;
    const SpanQuestion& question = data_.items[pair.question];
    std::vector<std::string> accepted;
    for (const Span& answer : question.answers) {
      accepted.emplace_back(slice(data_.passages[passage], answer));
    }
    const Span span = {placed_[passage][found.start].span.start, placed_[passage][found.end].span.end};
    const std::string_view said = slice(data_.passages[passage], span);
    judged[s].if_said = eval::token_f1(said, accepted);
    exact[s] = eval::exact_match(said, accepted);
  });
  std::size_t answered = 0;
  double f1 = 0, exact_sum = 0, all_said = 0;
  for (std::size_t i = 0; i < judged.size(); ++i) {
    all_said += judged[i].if_said;
    if (!held_out_[i].answers) continue;
    ++answered;
    f1 += judged[i].if_said;
    exact_sum += exact[i];
  }
  // Nothing is said where the bias is above the margin: the bias between two margins that gives the best
  // mean.
  std::sort(judged.begin(), judged.end(),
            [](const Judged& a, const Judged& b) { return a.margin < b.margin; });
  double sum = all_said, best = all_said;
  no_answer_bias_ = answered == judged.size() ? 0.0F : static_cast<float>(judged.front().margin - 1.0);
  for (std::size_t i = 0; i < judged.size(); ++i) {
    sum += judged[i].if_nothing - judged[i].if_said;
    if (sum <= best) continue;
    best = sum;
    const double above = i + 1 < judged.size() ? judged[i + 1].margin : judged[i].margin + 1.0;
    no_answer_bias_ = static_cast<float>(0.5 * (judged[i].margin + above));
  }
  std::vector<EncoderFigure> figures;
  if (answered > 0) {
    const auto count = static_cast<double>(answered);
    figures.push_back({"exact match", exact_sum / count, answered});
    figures.push_back({"F1", f1 / count, answered});
  }
  if (answered < judged.size()) {
    figures.push_back(
        {"F1 with passages that do not answer", best / static_cast<double>(judged.size()), judged.size()});
  }
  return figures;
}

}  // namespace

Result<std::unique_ptr<EncoderTask>> make_reader_task(const std::filesystem::path& data,
                                                      const engine::WordPiece& words,
                                                      const EncoderTaskOptions& options) {
  return ReaderTask::make(data, words, options);
}

}  // namespace loam::train
