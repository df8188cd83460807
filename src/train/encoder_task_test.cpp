// The losses of encoders against finite differences, and what they learn from.
#include "train/encoder_task.h"

#include <algorithm>
#include <fstream>
#include <set>

#include "engine/testing/fixture.h"
#include "gtest/gtest.h"
#include "train/contrast.h"
#include "train/encoder_math.h"
#include "train/testing/numbers.h"

namespace loam::train {
namespace {

namespace fs = std::filesystem;
using testing::doubles;
using testing::random_floats;
using testing::relative_error;
using testing::slopes;

TEST(Contrast, the_gradient_is_that_of_the_slow_twin) {
  constexpr std::size_t kWidth = 5, kRows = 6;
  const auto rows = random_floats(kRows * kWidth, 3);
  const std::vector<std::size_t> anchors = {0, 2, 4}, candidates = {1, 3, 5};
  const auto relation = [](std::size_t anchor, std::size_t candidate) {
    if (candidate == anchor + 1) return Against::right;
    return anchor == 0 && candidate == 3 ? Against::ignored : Against::wrong;
  };
  const auto slow = [&](const std::vector<double>& at) {
    const auto cosine = [&](std::size_t a, std::size_t b) {
      double ab = 0, aa = 0, bb = 0;
      for (std::size_t i = 0; i < kWidth; ++i) {
        const double x = at[a * kWidth + i], y = at[b * kWidth + i];
        ab += x * y;
        aa += x * x;
        bb += y * y;
      }
      return ab / std::sqrt(aa * bb);
    };
    double total = 0;
    for (const std::size_t anchor : anchors) {
      double sum = 0;
      for (const std::size_t candidate : candidates) {
        if (relation(anchor, candidate) != Against::ignored) sum += std::exp(cosine(anchor, candidate) / 0.3);
      }
      total += std::log(sum) - cosine(anchor, anchor + 1) / 0.3;
    }
    return total;
  };
  std::vector<float> drows(rows.size(), 0.0F);
  const double loss = contrast(rows, kWidth, anchors, candidates, relation, 0.3, 0.5F, drows.data());
  EXPECT_NEAR(loss, slow(doubles(rows)), 1e-5 * loss);
  const auto expected = slopes([&](const std::vector<double>& at) { return 0.5 * slow(at); }, doubles(rows));
  EXPECT_LT(relative_error(drows, expected), 1e-5);
}

TEST(Contrast, an_anchor_without_a_right_or_a_wrong_row_counts_nothing) {
  const auto rows = random_floats(4 * 3, 9);
  std::vector<float> drows(rows.size(), 0.0F);
  const std::vector<std::size_t> anchors = {0, 1}, candidates = {2, 3};
  const auto relation = [](std::size_t anchor, std::size_t candidate) {
    if (anchor == 0) return Against::wrong;
    return candidate == 2 ? Against::right : Against::ignored;
  };
  EXPECT_EQ(contrast(rows, 3, anchors, candidates, relation, 0.1, 1.0F, drows.data()), 0.0);
  EXPECT_EQ(drows, std::vector<float>(rows.size(), 0.0F));
}

/// The words of a tiny encoder.
const engine::WordPiece& tiny_words() {
  static const engine::WordPiece words = [] {
    const auto path = engine::testing::scratch_folder() / "task_words.gguf";
    EXPECT_TRUE(engine::testing::write_tiny_embedder(path).ok());
    return *engine::WordPiece::of(**engine::LocalModel::open(path));
  }();
  return words;
}

fs::path write_file(const std::string& name, const std::string& text) {
  const fs::path path = engine::testing::scratch_folder() / name;
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

fs::path some_questions() {
  const char* const things[] = {"leave", "notice", "salad", "pump", "price", "contract"};
  std::string lines;
  for (int i = 0; i < 12; ++i) {
    const std::string thing = things[i % 6], number = std::to_string(10 + i);
    lines += "{\"question\":\"What is the " + thing + " of " + number +
             "?\",\"context\":\"In the manual the " + thing + " is " + number +
             " days long.\",\"answers\":[{\"text\":\"" + number + " days\"}]}\n";
  }
  return write_file("questions.jsonl", lines);
}

fs::path some_texts() {
  std::string lines;
  for (int i = 0; i < 12; ++i) {
    const char* const labels[] = {"leave", "pump", "salad"};
    lines += "{\"text\":\"in the manual the " + std::string(labels[i % 3]) + " of the day " +
             std::to_string(i) + "\",\"label\":\"" + labels[i % 3] + "\"}\n";
  }
  return write_file("texts.jsonl", lines);
}

/// States that do not come from a model, so that a task's loss stands alone.
class MadeUpStates final : public EncoderReading {
 public:
  void read(const EncoderSequences& sequences, engine::HeadPooling pooling,
            const std::function<void(std::size_t, std::span<const float>)>& each) override {
    for (std::size_t s = 0; s < sequences.tokens.size(); ++s) {
      const std::size_t rows = pooling == engine::HeadPooling::tokens ? sequences.tokens[s].size() : 1;
      each(s, random_floats(rows * kWidth, 100 + sequences.tokens[s].size() + s));
    }
  }
  std::size_t width() const override { return kWidth; }
  std::span<const float> head() const override { return head_; }
  static constexpr std::size_t kWidth = 4;

 private:
  std::vector<float> head_ = random_floats(2 * (kWidth + 1), 5);
};

using Make = Result<std::unique_ptr<EncoderTask>> (*)(const fs::path&, const engine::WordPiece&,
                                                      const EncoderTaskOptions&);
struct KindOfTask {
  const char* name;
  Make make;
  fs::path (*data)();
};

class TaskOf : public ::testing::TestWithParam<KindOfTask> {
 protected:
  std::unique_ptr<EncoderTask> open(EncoderTaskOptions options = {}) {
    auto made = GetParam().make(GetParam().data(), tiny_words(), options);
    EXPECT_TRUE(made.ok()) << (made ? "" : made.error().line());
    if (!made) return nullptr;
    MadeUpStates states;
    const auto prepared = (*made)->prepare(states);
    EXPECT_TRUE(prepared.ok()) << (prepared ? "" : prepared.error().line());
    return *std::move(made);
  }
};

TEST_P(TaskOf, the_gradient_of_its_loss_is_its_slope) {
  EncoderTaskOptions options;
  options.hold_out = 0;
  options.temperature = 0.5;
  const auto task = open(options);
  ASSERT_NE(task, nullptr);
  ASSERT_GT(task->items(), 2U);
  EncoderSequences sequences;
  for (std::size_t item = 0; item < task->items(); ++item) task->add_sequences(item, 1, sequences);
  constexpr std::size_t kWidth = MadeUpStates::kWidth;
  PooledStates states;
  states.width = kWidth;
  std::size_t rows = 0;
  for (const auto& sequence : sequences.tokens) {
    states.first.push_back(rows);
    rows += task->pooling() == engine::HeadPooling::tokens ? sequence.size() : 1;
  }
  states.first.push_back(rows);
  const auto numbers = random_floats(rows * kWidth, 17);
  const auto head = random_floats(task->head_rows() * (kWidth + 1), 18);
  std::vector<float> drows(numbers.size(), 0.0F), dhead(head.size(), 0.0F);
  states.rows = numbers;
  const double loss = task->loss(sequences, states, {head, dhead}, 0.25F, drows.data());
  EXPECT_GT(loss, 0.0);
  EXPECT_EQ(task->loss(sequences, states, {head, {}}, 0.0F, nullptr), loss);
  // Along the gradient the loss grows by the gradient's squared length.
  double squares = 0;
  for (const float g : drows) squares += static_cast<double>(g) * static_cast<double>(g);
  for (const float g : dhead) squares += static_cast<double>(g) * static_cast<double>(g);
  ASSERT_GT(squares, 0.0);
  const double step = 5e-2 / std::sqrt(squares);
  const auto at = [&](double distance) {
    auto moved = numbers;
    auto moved_head = head;
    for (std::size_t i = 0; i < moved.size(); ++i) moved[i] += static_cast<float>(distance) * drows[i];
    for (std::size_t i = 0; i < head.size(); ++i) moved_head[i] += static_cast<float>(distance) * dhead[i];
    PooledStates there = states;
    there.rows = moved;
    return 0.25 * task->loss(sequences, there, {moved_head, {}}, 0.0F, nullptr);
  };
  EXPECT_NEAR((at(step) - at(-step)) / (2 * step) / squares, 1.0, 2e-3);
}

TEST_P(TaskOf, an_item_and_epoch_always_gives_the_same_sequences) {
  EncoderTaskOptions options;
  options.hold_out = 0;
  const auto one = open(options), two = open(options);
  ASSERT_NE(one, nullptr);
  ASSERT_EQ(one->items(), two->items());
  for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
    EncoderSequences a, b;
    for (std::size_t item = 0; item < one->items(); ++item) {
      one->add_sequences(item, epoch, a);
      two->add_sequences(item, epoch, b);
    }
    EXPECT_EQ(a.tokens, b.tokens);
  }
}

TEST_P(TaskOf, what_is_too_long_is_left_out_and_told) {
  EncoderTaskOptions options;
  options.hold_out = 0;
  options.sequence_tokens = 6;
  const auto made = GetParam().make(GetParam().data(), tiny_words(), options);
  ASSERT_TRUE(made.ok()) << made.error().line();
  std::size_t told = 0;
  for (const eval::DataNote& note : (*made)->notes()) told += note.kind == "too long" ? note.count : 0;
  EXPECT_EQ(told, 12U);
  EXPECT_EQ((*made)->items(), 0U);
}

INSTANTIATE_TEST_SUITE_P(kinds, TaskOf,
                         ::testing::Values(KindOfTask{"reader", &make_reader_task, &some_questions},
                                           KindOfTask{"reranker", &make_reranker_task, &some_questions},
                                           KindOfTask{"embedder", &make_embedder_task, &some_questions},
                                           KindOfTask{"classifier", &make_classifier_task, &some_texts}),
                         [](const auto& one) { return std::string(one.param.name); });

// proves P-TRAIN-20
TEST(ReaderTaskTest, asks_questions_of_passages_that_do_not_answer_too) {
  EncoderTaskOptions options;
  options.hold_out = 0;
  options.negatives = 1;
  const auto task = make_reader_task(some_questions(), tiny_words(), options);
  ASSERT_TRUE(task.ok()) << task.error().line();
  EXPECT_EQ((*task)->items(), 24U);
  options.negatives = 0;
  const auto alone = make_reader_task(some_questions(), tiny_words(), options);
  ASSERT_TRUE(alone.ok());
  EXPECT_EQ((*alone)->items(), 12U);
}

/// States that make a fixed head say the passage's first token, more so the longer the sequence.
class KnownStates final : public EncoderReading {
 public:
  void read(const EncoderSequences& sequences, engine::HeadPooling,
            const std::function<void(std::size_t, std::span<const float>)>& each) override {
    for (std::size_t s = 0; s < sequences.tokens.size(); ++s) {
      std::vector<float> rows(sequences.tokens[s].size(), 0.0F);
      rows[0] = 1.0F;
      each(s, rows);
    }
  }
  std::size_t width() const override { return 1; }
  std::span<const float> head() const override { return head_; }

 private:
  std::vector<float> head_ = {3.0F, 3.0F, 0.0F, 0.0F};  // [CLS] scores 3 twice, all else 0
};

// proves P-TRAIN-20
TEST(ReaderTaskTest, the_bias_is_where_held_out_questions_are_answered_best) {
  EncoderTaskOptions options;
  options.hold_out = 0.4;
  const auto task = make_reader_task(some_questions(), tiny_words(), options);
  ASSERT_TRUE(task.ok()) << task.error().line();
  KnownStates states;
  EXPECT_TRUE((*task)->measure(states, false).empty());
  const auto figures = (*task)->measure(states, true);
  ASSERT_EQ(figures.size(), 3U);
  EXPECT_EQ(figures[0].name, "exact match");
  // It never finds the answer, so that saying nothing is best: every margin is -6, and the bias lies above
  // it.
  EXPECT_EQ(figures[0].value, 0.0);
  EXPECT_EQ(figures[2].value, 0.5);
  engine::EncoderHead head;
  (*task)->finish(head);
  EXPECT_GT(head.no_answer_bias, -6.0F);
}

// proves P-TRAIN-22
TEST(RerankerTaskTest, neither_questions_nor_wrong_passages_come_from_what_is_held_out) {
  EncoderTaskOptions options;
  options.hold_out = 0.4;
  options.negatives = 8;
  const auto task = make_reranker_task(some_questions(), tiny_words(), options);
  ASSERT_TRUE(task.ok()) << task.error().line();
  MadeUpStates states;
  ASSERT_TRUE((*task)->prepare(states).ok());
  EncoderSequences learnt;
  for (std::size_t item = 0; item < (*task)->items(); ++item) (*task)->add_sequences(item, 0, learnt);
  /// Collects what is read when the held-out part is measured.
  class Listening final : public EncoderReading {
   public:
    void read(const EncoderSequences& sequences, engine::HeadPooling,
              const std::function<void(std::size_t, std::span<const float>)>& each) override {
      const std::vector<float> row(1, 0.0F);
      for (std::size_t s = 0; s < sequences.tokens.size(); ++s) {
        seen.insert(passage_of(sequences.tokens[s]));
        each(s, row);
      }
    }
    std::size_t width() const override { return 1; }
    std::span<const float> head() const override { return head_; }
    static std::vector<engine::Token> passage_of(const std::vector<engine::Token>& pair) {
      const auto middle = std::find(pair.begin(), pair.end(), tiny_words().last());
      return {middle, pair.end()};
    }
    std::set<std::vector<engine::Token>> seen;

   private:
    std::vector<float> head_ = {1.0F, 0.0F};
  } listening;
  (*task)->measure(listening, true);
  ASSERT_FALSE(listening.seen.empty());
  for (const auto& pair : learnt.tokens) {
    EXPECT_FALSE(listening.seen.contains(Listening::passage_of(pair)));
  }
}

TEST(RerankerTaskTest, the_right_passage_comes_first_and_wrong_ones_follow) {
  EncoderTaskOptions options;
  options.hold_out = 0;
  options.negatives = 3;
  const auto task = make_reranker_task(some_questions(), tiny_words(), options);
  ASSERT_TRUE(task.ok()) << task.error().line();
  MadeUpStates states;
  ASSERT_TRUE((*task)->prepare(states).ok());
  EncoderSequences sequences;
  (*task)->add_sequences(0, 0, sequences);
  ASSERT_EQ(sequences.tokens.size(), 4U);
  EXPECT_EQ(sequences.part, (std::vector<std::uint8_t>{0, 1, 1, 1}));
  const std::set<std::vector<engine::Token>> different(sequences.tokens.begin(), sequences.tokens.end());
  EXPECT_EQ(different.size(), 4U);
}

TEST(RerankerTaskTest, a_single_passage_is_refused) {
  const auto file = write_file("single.jsonl", "{\"question\":\"How long?\",\"passage\":\"Ten days.\"}\n");
  EncoderTaskOptions options;
  options.hold_out = 0;
  const auto task = make_reranker_task(file, tiny_words(), options);
  ASSERT_TRUE(task.ok()) << task.error().line();
  MadeUpStates states;
  const auto prepared = (*task)->prepare(states);
  ASSERT_FALSE(prepared.ok());
  EXPECT_EQ(prepared.error().kind, Kind::bad_data);
}

TEST(ClassifierTaskTest, one_label_is_refused_and_lonely_texts_are_told) {
  EncoderTaskOptions options;
  options.hold_out = 0;
  const auto one =
      write_file("one_label.jsonl", "{\"text\":\"a\",\"label\":\"x\"}\n{\"text\":\"b\",\"label\":\"x\"}\n");
  EXPECT_FALSE(make_classifier_task(one, tiny_words(), options).ok());
  const auto lonely = write_file("lonely.jsonl",
                                 "{\"text\":\"a\",\"label\":\"x\"}\n{\"text\":\"b\",\"label\":\"x\"}\n"
                                 "{\"text\":\"c\",\"label\":\"y\"}\n");
  const auto task = make_classifier_task(lonely, tiny_words(), options);
  ASSERT_TRUE(task.ok()) << task.error().line();
  EXPECT_EQ((*task)->items(), 2U);
  ASSERT_FALSE((*task)->notes().empty());
  EXPECT_EQ((*task)->notes().back().kind, "lonely");
}

}  // namespace
}  // namespace loam::train
