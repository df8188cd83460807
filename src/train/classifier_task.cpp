// A classifier from few examples (Tunstall et al. 2022, "SetFit"): first texts of one label are drawn
// together and others apart, then a multinomial logistic head is fitted on the pooled states.
#include <algorithm>
#include <cmath>
#include <map>

#include "baseline/linear.h"
#include "eval/data_file.h"
#include "train/contrast.h"
#include "train/encoder_math.h"
#include "train/encoder_task.h"
#include "train/random.h"

namespace loam::train {
namespace {

constexpr double kInverseStrength = 16.0;    // of the head's regularisation, on vectors of about unit length:
                                             // chosen for few texts a label, bench/README.md "classify"
constexpr std::size_t kLongestLabel = 1024;  // bytes; an adapter's file holds no longer ones
constexpr float kNeverChosen = -1e4F;        // bias of a label without a text to learn from

class ClassifierTask final : public EncoderTask {
 public:
  static Result<std::unique_ptr<EncoderTask>> make(const std::filesystem::path& file,
                                                   const engine::WordPiece& words,
                                                   const EncoderTaskOptions& options) {
    eval::ClassificationOptions how;
    how.text_column = options.text_column;
    how.label_column = options.label_column;
    how.group_column = options.group_column;
    auto data = eval::read_classification(file, how);
    if (!data) return data.error();
    auto task = std::unique_ptr<ClassifierTask>(new ClassifierTask(*std::move(data), words, options));
    if (auto split = task->split(); !split) return split.error();
    return std::unique_ptr<EncoderTask>(std::move(task));
  }

  engine::HeadKind kind() const override { return engine::HeadKind::classifier; }
  engine::HeadPooling pooling() const override { return engine::HeadPooling::mean; }
  engine::HeadInput input() const override { return engine::HeadInput::text; }
  std::size_t head_rows() const override { return 0; }  // fitted at the end, not trained by steps
  std::size_t items() const override { return anchors_.size(); }
  std::size_t line_of(std::size_t item) const override { return data_.items[anchors_[item]].line; }
  bool items_stand_alone() const override { return false; }

  /// A text and another of its label.
  void add_sequences(std::size_t item, std::uint64_t epoch, EncoderSequences& to) const override {
    const std::size_t text = anchors_[item];
    const std::vector<std::size_t>& same = of_label_[label_[text]];
    Random random(options_.seed * 0x9E3779B97F4A7C15ULL + epoch * 0x51ED2701ULL + item);
    std::size_t other = same[static_cast<std::size_t>(random.below(same.size() - 1))];
    if (other == text) other = same.back();
    to.add(tokens_[text], item, 0);
    to.add(tokens_[other], item, 1);
  }

  double loss(const EncoderSequences& sequences, const PooledStates& states, HeadView, float weight,
              float* drows) const override {
    std::vector<std::size_t> rows(sequences.item.size());
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = i;
    const auto relation = [&](std::size_t anchor, std::size_t candidate) {
      if (anchor == candidate) return Against::ignored;
      const std::size_t one = sequences.item[anchor], two = sequences.item[candidate];
      if (one == two) return Against::right;
      return label_[anchors_[one]] == label_[anchors_[two]] ? Against::ignored : Against::wrong;
    };
    // Each text is an anchor once.
    return contrast(states.rows, states.width, rows, rows, relation, options_.temperature, 0.5F * weight,
                    drows) /
           2;
  }

  std::vector<EncoderFigure> measure(EncoderReading& reading, bool trained) override;
  void finish(engine::EncoderHead& head) const override {
    head.labels = data_.labels;
    head.rows = data_.labels.size();
    head.weight = weight_;
    head.bias = bias_;
  }

 private:
  ClassifierTask(eval::ClassificationData data, const engine::WordPiece& words,
                 const EncoderTaskOptions& options)
      : data_(std::move(data)), options_(options) {
    version_ = data_.version;
    rows_ = data_.rows;
    notes_ = data_.notes;
    std::map<std::string, std::size_t> numbers;
    for (std::size_t i = 0; i < data_.labels.size(); ++i) numbers[data_.labels[i]] = i;
    for (const eval::LabelledText& item : data_.items) {
      tokens_.push_back(words.encode(item.text));
      label_.push_back(numbers.at(item.label));
    }
  }

  Result<void> split();
  void fit(std::span<const float> states, std::size_t width);

  eval::ClassificationData data_;
  EncoderTaskOptions options_;
  std::vector<std::vector<engine::Token>> tokens_;
  std::vector<std::size_t> label_;                  // of each item
  std::vector<std::vector<std::size_t>> of_label_;  // of the part that is learnt from
  std::vector<std::size_t> train_, anchors_, held_out_;
  std::vector<float> weight_, bias_;
};

Result<void> ClassifierTask::split() {
  if (data_.labels.size() < 2) {
    return Error{Kind::bad_data, version_.file, "all texts have one label",
                 "give texts of two labels or more"};
  }
  for (const std::string& label : data_.labels) {
    if (label.size() <= kLongestLabel) continue;
    return Error{Kind::bad_data, version_.file,
                 "a label has " + std::to_string(label.size()) + " bytes: \"" + label.substr(0, 40) + "...\"",
                 "name the column of labels: --label COL"};
  }
  std::vector<bool> held(data_.items.size(), false), left(data_.items.size(), false);
  eval::SeenRows too_long, lonely;
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    if (tokens_[i].size() <= static_cast<std::size_t>(options_.sequence_tokens)) continue;
    left[i] = true;
    too_long.add(data_.items[i].line);
  }
  eval::add_note(notes_, "too long",
                 eval::counted(too_long.count, "row") + " have more than " +
                     std::to_string(options_.sequence_tokens) + " tokens",
                 too_long, eval::Rows::left_out);
  if (options_.hold_out > 0) {
    auto parts = eval::split_items(data_, 0.0, options_.hold_out, options_.seed);
    if (!parts) return parts.error();
    for (const std::size_t i : parts->test) held[i] = true;
  }
  of_label_.resize(data_.labels.size());
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    if (left[i]) continue;
    (held[i] ? held_out_ : train_).push_back(i);
    if (!held[i]) of_label_[label_[i]].push_back(i);
  }
  if (train_.empty()) return done();  // the trainer says so
  std::size_t labels = 0;
  for (const auto& of : of_label_) labels += of.empty() ? 0 : 1;
  if (labels < 2) {
    return Error{Kind::bad_data, version_.file, "fewer than two labels are left to learn from",
                 "hold out less, or give more texts"};
  }
  for (const std::size_t i : train_) {
    if (of_label_[label_[i]].size() > 1) {
      anchors_.push_back(i);
    } else {
      lonely.add(data_.items[i].line);
    }
  }
  eval::add_note(
      notes_, "lonely",
      eval::counted(lonely.count, "row") + " are the only text of their label: learnt by the head alone",
      lonely, eval::Rows::kept);
  held_out_items_ = held_out_.size();
  return done();
}

/// The head on the states of the texts that are learnt from, (train_.size(), width).
void ClassifierTask::fit(std::span<const float> states, std::size_t width) {
  // About unit length, so that the strength of the regularisation means the same for every model.
  double lengths = 0;
  for (std::size_t i = 0; i < train_.size(); ++i) {
    const float* row = states.data() + i * width;
    lengths += std::sqrt(static_cast<double>(dot_of(row, row, width)));
  }
  const auto shrink = static_cast<float>(static_cast<double>(train_.size()) / lengths);
  std::vector<float> rows(states.begin(), states.end());
  for (float& value : rows) value *= shrink;
  std::vector<int> labels;
  for (const std::size_t i : train_) labels.push_back(static_cast<int>(label_[i]));
  baseline::LogisticOptions options;
  options.c = kInverseStrength;
  const int classes = static_cast<int>(data_.labels.size());
  const auto fitted = baseline::LogisticRegression::fit_dense(rows, width, labels, classes, options);
  weight_.assign(data_.labels.size() * width, 0.0F);
  bias_.assign(data_.labels.size(), 0.0F);
  if (!fitted) return;  // cannot be: two labels, equal lengths, finite states
  for (int label = 0; label < classes; ++label) {
    const auto at = static_cast<std::size_t>(label);
    for (std::size_t i = 0; i < width; ++i) {
      weight_[at * width + i] = static_cast<float>(fitted->weight(label, i)) * shrink;
    }
    bias_[at] = of_label_[at].empty() ? kNeverChosen : static_cast<float>(fitted->intercept(label));
  }
}

std::vector<EncoderFigure> ClassifierTask::measure(EncoderReading& reading, bool) {
  const std::size_t width = reading.width();
  EncoderSequences texts;
  for (const std::size_t i : train_) texts.add(tokens_[i], i, 0);
  std::vector<float> states(train_.size() * width);
  reading.read(texts, pooling(), [&](std::size_t s, std::span<const float> row) {
    std::copy(row.begin(), row.end(), states.begin() + static_cast<std::ptrdiff_t>(s * width));
  });
  fit(states, width);
  if (held_out_.empty()) return {};
  EncoderSequences asked;
  for (const std::size_t i : held_out_) asked.add(tokens_[i], i, 0);
  std::size_t right = 0;
  reading.read(asked, pooling(), [&](std::size_t s, std::span<const float> row) {
    std::size_t best = 0;
    float most = 0;
    for (std::size_t label = 0; label < bias_.size(); ++label) {
      const float score = dot_of(row.data(), weight_.data() + label * width, width) + bias_[label];
      if (label > 0 && score <= most) continue;
      most = score;
      best = label;
    }
    right += best == label_[asked.item[s]] ? 1 : 0;
  });
  return {{"accuracy", static_cast<double>(right) / static_cast<double>(held_out_.size()), held_out_.size()}};
}

}  // namespace

Result<std::unique_ptr<EncoderTask>> make_classifier_task(const std::filesystem::path& data,
                                                          const engine::WordPiece& words,
                                                          const EncoderTaskOptions& options) {
  return ClassifierTask::make(data, words, options);
}

}  // namespace loam::train
