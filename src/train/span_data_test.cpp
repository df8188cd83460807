#include "train/span_data.h"

#include "gtest/gtest.h"

namespace loam::train {
namespace {

std::string answer_of(const SpanData& data, std::size_t item, std::size_t which = 0) {
  const SpanQuestion& of = data.items[item];
  return std::string(slice(data.passages[of.passage], of.answers.at(which)));
}

std::size_t noted(const SpanData& data, const std::string& kind) {
  for (const eval::DataNote& note : data.notes) {
    if (note.kind == kind) return note.count;
  }
  return 0;
}

TEST(SpanDataTest, reads_squad_with_offsets_in_code_points) {
  const std::string file =
      "{\"version\":\"2.0\",\"data\":[{\"title\":\"Z\\u00fcrich\",\"paragraphs\":[{\"context\":"
      "\"Z\\u00fcrich lies "
      "at the Limmat.\",\"qas\":[{\"id\":\"1\",\"question\":\"Which "
      "river?\",\"is_impossible\":false,\"answers\":["
      "{\"text\":\"Limmat\",\"answer_start\":19},{\"text\":\"the "
      "Limmat\",\"answer_start\":15}]},{\"id\":\"2\","
      "\"question\":\"Which sea?\",\"is_impossible\":true,\"answers\":[]}]},{\"context\":\"Nobody "
      "asks.\",\"qas\":[]}]}]}";
  const auto data = parse_span_data(file, "squad.json");
  ASSERT_TRUE(data.ok()) << data.error().line();
  ASSERT_EQ(data->items.size(), 2U);
  EXPECT_EQ(data->passages.size(), 2U);
  EXPECT_EQ(data->groups[0], data->groups[1]);
  EXPECT_EQ(answer_of(*data, 0), "Limmat");
  EXPECT_EQ(answer_of(*data, 0, 1), "the Limmat");
  EXPECT_TRUE(data->items[1].answers.empty());
  EXPECT_EQ(data->rows, 2U);
}

// proves P-TRAIN-08
TEST(SpanDataTest, counts_add_up_whatever_is_wrong) {
  const std::string lines =
      "{\"question\":\"How many?\",\"context\":\"There are six "
      "pumps.\",\"answers\":[{\"text\":\"six\",\"start\":10}]}\n"
      "not json\n"
      "\n"
      "{\"question\":\"How many?\",\"context\":\"There are six "
      "pumps.\",\"answers\":[{\"text\":\"six\",\"start\":10}]}\n"
      "{\"question\":\" \",\"context\":\"There are six pumps.\",\"answers\":[]}\n"
      "{\"question\":\"How much?\",\"context\":\"There are six "
      "pumps.\",\"answers\":[{\"text\":\"ten\",\"start\":3}]}\n"
      "{\"question\":\"How often?\",\"context\":\"It is six times "
      "six.\",\"answers\":[{\"text\":\"six\",\"start\":1}]}\n"
      "{\"question\":\"Who?\",\"passage\":\"There are six pumps.\",\"answer\":null,\"document\":\"manual\"}\n"
      "{\"question\":\"What?\",\"passage\":\"There are six pumps.\",\"answer\":\"pumps\"}\n"
      "{\"question\":\"What?\"}\n";
  const auto data = parse_span_data(lines, "lines.jsonl");
  ASSERT_TRUE(data.ok()) << data.error().line();
  EXPECT_EQ(data->rows, 9U);
  EXPECT_EQ(data->items.size() + eval::left_out(data->notes), data->rows);
  EXPECT_EQ(noted(*data, "malformed"), 2U);
  EXPECT_EQ(noted(*data, "duplicate"), 1U);
  EXPECT_EQ(noted(*data, "empty"), 1U);
  EXPECT_EQ(noted(*data, "misplaced"), 1U);
  EXPECT_EQ(noted(*data, "moved"), 1U);
  ASSERT_EQ(data->items.size(), 4U);
  EXPECT_EQ(data->items[1].line, 7U);
  EXPECT_EQ(data->items[1].answers.front().start, 6U);
  EXPECT_EQ(answer_of(*data, 3), "pumps");
}

TEST(SpanDataTest, pairs_need_no_marked_answer_and_may_bring_wrong_passages) {
  SpanDataOptions options;
  options.answers = Answers::optional;
  const std::string lines =
      "{\"question\":\"How many?\",\"passage\":\"Six pumps.\",\"negative\":\"Four fans.\"}\n"
      "{\"question\":\"How long?\",\"passage\":\"Ten days.\",\"negatives\":[\"Four fans.\",\"Six pumps.\"]}\n"
      "{\"question\":\"Who?\",\"passage\":\"Ten days.\",\"answers\":[]}\n"
      "{\"question\":\"Who?\",\"passage\":\"Ten days.\",\"negative\":3}\n";
  const auto data = parse_span_data(lines, "pairs.jsonl", options);
  ASSERT_TRUE(data.ok()) << data.error().line();
  ASSERT_EQ(data->items.size(), 2U);
  EXPECT_EQ(data->passages.size(), 3U);
  EXPECT_EQ(data->items[1].negatives.size(), 2U);
  EXPECT_EQ(data->items[1].negatives[1], data->items[0].passage);
  EXPECT_EQ(noted(*data, "unanswered"), 1U);
  EXPECT_EQ(noted(*data, "malformed"), 1U);
  EXPECT_EQ(data->items.size() + eval::left_out(data->notes), data->rows);
}

TEST(SpanDataTest, data_without_a_usable_row_is_refused_with_the_first_reason) {
  for (const char* bytes : {"", "{}", "{\"data\":[]}", "{\"data\":[{\"title\":3}]}", "[1,2]", "\xFF\xFE"}) {
    const auto data = parse_span_data(bytes, "bad.json");
    ASSERT_FALSE(data.ok()) << bytes;
    EXPECT_EQ(data.error().kind, Kind::bad_data) << bytes;
    EXPECT_NE(data.error().next_step.find("SQuAD"), std::string::npos) << data.error().line();
  }
}

}  // namespace
}  // namespace loam::train
