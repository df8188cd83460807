// An embedder: a question's vector is to be nearer to its passage's than to those of all other passages of
// the step and of wrong ones that look right (Karpukhin et al. 2020, "Dense passage retrieval").
#include <algorithm>
#include <cmath>

#include "train/contrast.h"
#include "train/encoder_math.h"
#include "train/pair_task.h"

namespace loam::train {
namespace {

class EmbedderTask final : public PairTask {
 public:
  static Result<std::unique_ptr<EncoderTask>> make(const std::filesystem::path& file,
                                                   const engine::WordPiece& words,
                                                   const EncoderTaskOptions& options) {
    SpanDataOptions how;
    how.answers = Answers::optional;
    how.group_column = options.group_column;
    auto data = read_span_data(file, how);
    if (!data) return data.error();
    auto task = std::unique_ptr<EmbedderTask>(new EmbedderTask(*std::move(data), words, options));
    if (auto split = task->split(Together::no); !split) return split.error();
    return std::unique_ptr<EncoderTask>(std::move(task));
  }

  engine::HeadKind kind() const override { return engine::HeadKind::embedder; }
  engine::HeadPooling pooling() const override { return engine::HeadPooling::mean; }
  engine::HeadInput input() const override { return engine::HeadInput::text; }
  std::size_t head_rows() const override { return 0; }
  bool items_stand_alone() const override { return false; }

  void add_sequences(std::size_t item, std::uint64_t epoch, EncoderSequences& to) const override {
    to.add(alone(questions_[train_[item]]), item, 0);
    to.add(alone(passages_[question(train_[item]).passage]), item, 1);
    for (const std::size_t wrong : wrong_passages(item, epoch)) to.add(alone(passages_[wrong]), item, 2);
  }

  double loss(const EncoderSequences& sequences, const PooledStates& states, HeadView, float weight,
              float* drows) const override {
    std::vector<std::size_t> asked, told;
    for (std::size_t s = 0; s < sequences.part.size(); ++s)
      (sequences.part[s] == 0 ? asked : told).push_back(s);
    const auto relation = [&](std::size_t anchor, std::size_t candidate) {
      const std::size_t item = sequences.item[anchor];
      if (sequences.item[candidate] == item) {
        return sequences.part[candidate] == 1 ? Against::right : Against::wrong;
      }
      // The right passage may come up a second time, for another question.
      const bool same =
          sequences.tokens[candidate].size() == right_length(item) &&
          std::equal(sequences.tokens[candidate].begin() + 1, sequences.tokens[candidate].end() - 1,
                     passages_[question(train_[item]).passage].begin());
      return same ? Against::ignored : Against::wrong;
    };
    return contrast(states.rows, states.width, asked, told, relation, options_.temperature, weight, drows);
  }

  /// Mean reciprocal rank of the right passage among all that were held out.
  std::vector<EncoderFigure> measure(EncoderReading& reading, bool) override {
    if (held_out_.empty()) return {};
    const std::size_t width = reading.width();
    const std::vector<std::size_t> all = passages_of(data_, held_out_);
    EncoderSequences told, asked;
    for (const std::size_t passage : all) {
      if (fits(0, passage)) told.add(alone(passages_[passage]), passage, 0);
    }
    for (const std::size_t item : held_out_) asked.add(alone(questions_[item]), item, 0);
    std::vector<float> vectors(told.tokens.size() * width);
    reading.read(told, pooling(), [&](std::size_t s, std::span<const float> row) {
      const float length = std::sqrt(dot_of(row.data(), row.data(), width));
      for (std::size_t i = 0; i < width; ++i) vectors[s * width + i] = row[i] / length;
    });
    double sum = 0;
    reading.read(asked, pooling(), [&](std::size_t s, std::span<const float> row) {
      const std::size_t right = question(asked.item[s]).passage;
      std::vector<float> scores;
      float own = 0;
      for (std::size_t p = 0; p < told.tokens.size(); ++p) {
        scores.push_back(dot_of(row.data(), vectors.data() + p * width, width));
        if (told.item[p] == right) own = scores.back();
      }
      const auto better =
          std::count_if(scores.begin(), scores.end(), [&](float score) { return score > own; });
      sum += 1.0 / static_cast<double>(1 + better);
    });
    return {{"mean reciprocal rank among " + std::to_string(told.tokens.size()) + " passages",
             sum / static_cast<double>(held_out_.size()), held_out_.size()}};
  }

 private:
  EmbedderTask(SpanData data, const engine::WordPiece& words, const EncoderTaskOptions& options)
      : PairTask(std::move(data), words, options, 1) {}

  std::vector<engine::Token> alone(const std::vector<engine::Token>& tokens) const {
    std::vector<engine::Token> whole = {words_.first()};
    whole.insert(whole.end(), tokens.begin(), tokens.end());
    whole.push_back(words_.last());
    return whole;
  }
  std::size_t right_length(std::size_t item) const {
    return passages_[question(train_[item]).passage].size() + 2;
  }
};

}  // namespace

Result<std::unique_ptr<EncoderTask>> make_embedder_task(const std::filesystem::path& data,
                                                        const engine::WordPiece& words,
                                                        const EncoderTaskOptions& options) {
  return EmbedderTask::make(data, words, options);
}

}  // namespace loam::train
