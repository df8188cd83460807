// A re-ranker (Nogueira and Cho 2019): question and passage are read together, and one row of a head scores
// the pair. The right passage has to win against wrong ones of the same question: softmax over their scores,
// as it is served, where only the order counts.
#include <algorithm>

#include "train/encoder_math.h"
#include "train/pair_task.h"

namespace loam::train {
namespace {

constexpr std::size_t kWrongForEach = 4;
constexpr std::size_t kReranked = 20;  // the first hits, as `loam ask` hands them on

class RerankerTask final : public PairTask {
 public:
  static Result<std::unique_ptr<EncoderTask>> make(const std::filesystem::path& file,
                                                   const engine::WordPiece& words,
                                                   const EncoderTaskOptions& options) {
    SpanDataOptions how;
    how.answers = Answers::optional;
    how.group_column = options.group_column;
    auto data = read_span_data(file, how);
    if (!data) return data.error();
    auto task = std::unique_ptr<RerankerTask>(new RerankerTask(*std::move(data), words, options));
    if (auto split = task->split(Together::yes); !split) return split.error();
    return std::unique_ptr<EncoderTask>(std::move(task));
  }

  engine::HeadKind kind() const override { return engine::HeadKind::reranker; }
  engine::HeadPooling pooling() const override { return engine::HeadPooling::mean; }
  engine::HeadInput input() const override { return engine::HeadInput::pair; }
  std::size_t head_rows() const override { return 1; }
  bool items_stand_alone() const override { return true; }

  void add_sequences(std::size_t item, std::uint64_t epoch, EncoderSequences& to) const override {
    const std::size_t asked = train_[item];
    to.add(joined_pair(words_, questions_[asked], passages_[question(asked).passage]), item, 0);
    for (const std::size_t wrong : wrong_passages(item, epoch)) {
      to.add(joined_pair(words_, questions_[asked], passages_[wrong]), item, 1);
    }
  }

  double loss(const EncoderSequences& sequences, const PooledStates& states, HeadView head, float weight,
              float* drows) const override {
    const std::size_t width = states.width;
    double total = 0;
    std::vector<double> scores;
    for (std::size_t begin = 0, end = 0; begin < sequences.item.size(); begin = end) {
      scores.clear();
      for (end = begin; end < sequences.item.size() && sequences.item[end] == sequences.item[begin]; ++end) {
        scores.push_back(score(states.rows.subspan(end * width, width), head.values));
      }
      total += softmax_loss(scores, 0);  // the right passage comes first
      if (drows == nullptr) continue;
      for (std::size_t i = begin; i < end; ++i) {
        const double off = scores[i - begin] - (i == begin ? 1.0 : 0.0);
        const auto gradient = static_cast<float>(static_cast<double>(weight) * off);
        add_scaled(head.values.data(), gradient, width, drows + i * width);
        add_scaled(states.rows.data() + i * width, gradient, width, head.gradients.data());
      }
    }
    return total;
  }

  /// Mean reciprocal rank of the right passage, where it is among the first by words; before training, of
  /// that order.
  std::vector<EncoderFigure> measure(EncoderReading& reading, bool trained) override {
    EncoderSequences pairs;
    std::vector<std::size_t> right;  // of each question: where the right passage is among its own pairs
    for (const std::size_t item : held_out_) {
      std::vector<std::size_t> first = held_out_ranks_->by_words(question(item).question, kReranked);
      first.erase(std::remove_if(first.begin(), first.end(), [&](std::size_t p) { return !fits(item, p); }),
                  first.end());
      const auto found = std::find(first.begin(), first.end(), question(item).passage);
      if (found == first.end()) continue;
      for (const std::size_t passage : first) {
        pairs.add(joined_pair(words_, questions_[item], passages_[passage]), right.size(), 0);
      }
      right.push_back(static_cast<std::size_t>(found - first.begin()));
    }
    if (right.empty()) return {};
    std::vector<double> scores(pairs.tokens.size());
    if (trained) {
      reading.read(pairs, pooling(), [&](std::size_t s, std::span<const float> row) {
        scores[s] = score(row, reading.head());
      });
    } else {
      for (std::size_t i = 0; i < scores.size(); ++i) scores[i] = -static_cast<double>(i);
    }
    double sum = 0;
    for (std::size_t begin = 0, end = 0; begin < scores.size(); begin = end) {
      for (end = begin; end < scores.size() && pairs.item[end] == pairs.item[begin]; ++end) {
      }
      const double own = scores[begin + right[pairs.item[begin]]];
      std::size_t rank = 1;
      for (std::size_t i = begin; i < end; ++i) rank += scores[i] > own ? 1 : 0;
      sum += 1.0 / static_cast<double>(rank);
    }
    return {{"mean reciprocal rank among the first 20 by words", sum / static_cast<double>(right.size()),
             right.size()}};
  }

 private:
  RerankerTask(SpanData data, const engine::WordPiece& words, const EncoderTaskOptions& options)
      : PairTask(std::move(data), words, options, kWrongForEach) {}

  static double score(std::span<const float> row, std::span<const float> head) {
    return static_cast<double>(dot_of(row.data(), head.data(), row.size()) + head[row.size()]);
  }
};

}  // namespace

Result<std::unique_ptr<EncoderTask>> make_reranker_task(const std::filesystem::path& data,
                                                        const engine::WordPiece& words,
                                                        const EncoderTaskOptions& options) {
  return RerankerTask::make(data, words, options);
}

}  // namespace loam::train
