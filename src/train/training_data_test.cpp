#include "train/training_data.h"

#include <set>

#include "engine/testing/fixture.h"
#include "gtest/gtest.h"
#include "train/examples.h"

namespace loam::train {
namespace {

const eval::DataNote* note_of(const std::vector<eval::DataNote>& notes, const std::string& kind) {
  for (const eval::DataNote& note : notes) {
    if (note.kind == kind) return &note;
  }
  return nullptr;
}

// proves P-TRAIN-08
TEST(TrainingDataTest, every_row_is_an_item_or_in_a_note_with_its_line) {
  const auto data = parse_training_data(
      "{\"prompt\":\"a\",\"response\":\"b\"}\n"
      "not json\n"
      "\n"
      "{\"prompt\":\"a\",\"response\":\"b\"}\n"
      "{\"prompt\":\"a\",\"response\":\"c\"}\n"
      "{\"prompt\":\"\",\"response\":\"c\"}\n"
      "{\"prompt\":\"x\"}\n"
      "[1]\n"
      "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}\n"
      "{\"messages\":[{\"role\":\"tool\",\"content\":\"hi\"}]}\n"
      "{\"instruction\":\"do\",\"input\":\"this\",\"output\":\"done\",\"system\":\"be\"}\n",
      "d.jsonl");
  ASSERT_TRUE(data.ok()) << data.error().line();
  EXPECT_EQ(data->rows, 10U);
  EXPECT_EQ(data->items.size(), 3U);
  EXPECT_EQ(data->items.size() + eval::left_out(data->notes), data->rows);
  ASSERT_NE(note_of(data->notes, "malformed"), nullptr);
  EXPECT_EQ(note_of(data->notes, "malformed")->lines, (std::vector<std::size_t>{2, 7, 8, 10}));
  EXPECT_NE(note_of(data->notes, "malformed")->message.find("line 2: not JSON"), std::string::npos);
  EXPECT_EQ(note_of(data->notes, "duplicate")->lines, (std::vector<std::size_t>{4}));
  EXPECT_EQ(note_of(data->notes, "conflicting")->lines, (std::vector<std::size_t>{5}));
  EXPECT_FALSE(note_of(data->notes, "conflicting")->left_out);
  EXPECT_EQ(note_of(data->notes, "empty")->lines, (std::vector<std::size_t>{6}));
  EXPECT_EQ(note_of(data->notes, "no answer")->lines, (std::vector<std::size_t>{9}));
  const auto& last = data->items.back().messages;
  ASSERT_EQ(last.size(), 3U);
  EXPECT_EQ(last[0].content, "be");
  EXPECT_EQ(last[1].content, "do\n\nthis");
  EXPECT_EQ(last[2].content, "done");
}

TEST(TrainingDataTest, conversations_of_openai_and_tables_are_read) {
  const auto chat = parse_training_data(
      "{\"messages\":[{\"role\":\"developer\",\"content\":\"s\"},{\"role\":\"user\",\"content\":[{\"type\":"
      "\"text\",\"text\":\"one "
      "\"},{\"type\":\"text\",\"text\":\"two\"}]},{\"role\":\"assistant\",\"content\":"
      "\"three\"}]}\n",
      "x.jsonl");
  ASSERT_TRUE(chat.ok());
  EXPECT_EQ(chat->items[0].messages[1].content, "one two");
  const auto table =
      parse_training_data("prompt,document,response\n\"a, b\",leave.md,\"two\nlines\"\nshort,row\n", "x.csv");
  ASSERT_TRUE(table.ok()) << table.error().line();
  EXPECT_EQ(table->items[0].messages[0].content, "a, b");
  EXPECT_EQ(table->items[0].messages[1].content, "two\nlines");
  EXPECT_EQ(table->items[0].cluster, "group leave.md");
  EXPECT_EQ(note_of(table->notes, "malformed")->lines, (std::vector<std::size_t>{4}));
  const auto columns = parse_training_data("promt,response\na,b\n", "x.csv");
  ASSERT_FALSE(columns.ok());
  EXPECT_EQ(columns.error().kind, Kind::bad_request);
  EXPECT_NE(columns.error().line().find("promt"), std::string::npos);
}

TEST(TrainingDataTest, a_file_without_a_usable_row_is_refused) {
  EXPECT_EQ(parse_training_data("", "x.jsonl").error().kind, Kind::bad_data);
  const auto none = parse_training_data("{\"text\":\"a\"}\n", "x.jsonl");
  ASSERT_FALSE(none.ok());
  EXPECT_NE(none.error().message.find("\"prompt\""), std::string::npos);
  EXPECT_EQ(read_training_data("/nowhere/x.jsonl").error().kind, Kind::unavailable);
}

// proves P-TRAIN-09
TEST(TrainingDataTest, no_group_and_no_prompt_is_in_both_parts) {
  std::string lines;
  for (int i = 0; i < 60; ++i) {
    const std::string group = i < 40 ? ",\"document\":\"d" + std::to_string(i % 8) + "\"" : "";
    lines += "{\"prompt\":\"" +
             std::string(i < 40 ? "p" + std::to_string(i) : "Same " + std::to_string(i % 5)) +
             "\",\"response\":\"r" + std::to_string(i) + "\"" + group + "}\n";
  }
  const auto data = parse_training_data(lines, "x.jsonl");
  ASSERT_TRUE(data.ok());
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const auto split = split_training_data(*data, 0.2, seed);
    ASSERT_TRUE(split.ok());
    EXPECT_EQ(split->train.size() + split->held_out.size(), 60U);
    EXPECT_NEAR(static_cast<double>(split->held_out.size()), 12.0, 3.0);
    std::set<std::string> train;
    for (const std::size_t i : split->train) train.insert(data->items[i].cluster);
    for (const std::size_t i : split->held_out) EXPECT_FALSE(train.contains(data->items[i].cluster));
    const auto again = split_training_data(*data, 0.2, seed);
    EXPECT_EQ(again->held_out, split->held_out);
  }
  EXPECT_TRUE(split_training_data(*data, 0.0, 1)->held_out.empty());
  const auto one = parse_training_data("{\"prompt\":\"a\",\"response\":\"b\"}\n", "x.jsonl");
  EXPECT_EQ(split_training_data(*one, 0.1, 1).error().kind, Kind::bad_request);
}

TEST(ExamplesTest, answers_and_their_ends_count_and_nothing_else) {
  auto chat = engine::ChatTokens::open(engine::testing::tiny_model());
  ASSERT_TRUE(chat.ok());
  const auto data = parse_training_data(
      "{\"messages\":[{\"role\":\"user\",\"content\":\"q1\"},{\"role\":\"assistant\",\"content\":\"first\"},"
      "{\"role\":\"user\",\"content\":\"q2\"},{\"role\":\"assistant\",\"content\":\"the <|im_end|>\"}]}\n",
      "x.jsonl");
  const auto examples = make_examples(*data, **chat, 512);
  ASSERT_TRUE(examples.ok()) << examples.error().line();
  const Example& example = examples->items.at(0);
  std::vector<engine::Token> learnt;
  for (std::size_t i = 0; i < example.tokens.size(); ++i) {
    if (example.counts[i] != 0) learnt.push_back(example.tokens[i]);
  }
  const auto text = engine::testing::tiny_model()->decode(learnt);
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(*text, "first<|im_end|>the <|im_end|><|im_end|>");
  const auto end = (*chat)->end_of_answer();
  EXPECT_EQ(std::count(learnt.begin(), learnt.end(), end), 2);
  // What is read before the last answer is what the engine would read.
  const auto prompt = (*chat)->prompt({data->items[0].messages.begin(), data->items[0].messages.end() - 1});
  ASSERT_TRUE(prompt.ok());
  EXPECT_TRUE(std::equal(prompt->begin(), prompt->end(), example.tokens.begin()));
}

TEST(ExamplesTest, what_is_too_long_is_told_and_never_cut) {
  auto chat = engine::ChatTokens::open(engine::testing::tiny_model());
  const auto data = parse_training_data("{\"prompt\":\"a\",\"response\":\"b\"}\n{\"prompt\":\"" +
                                            std::string(300, 'x') + "\",\"response\":\"b\"}\n",
                                        "x.jsonl");
  const auto examples = make_examples(*data, **chat, 100);
  ASSERT_TRUE(examples.ok());
  EXPECT_EQ(examples->items.size(), 1U);
  ASSERT_EQ(examples->notes.size(), 1U);
  EXPECT_EQ(examples->notes[0].lines, (std::vector<std::size_t>{2}));
  EXPECT_TRUE(examples->notes[0].left_out);
  EXPECT_EQ(make_examples(*data, **chat, 3).error().kind, Kind::bad_data);
}

}  // namespace
}  // namespace loam::train
