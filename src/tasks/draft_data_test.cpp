#include "tasks/draft_data.h"

#include "base/json.h"
#include "gtest/gtest.h"

namespace loam::tasks {
namespace {

DraftDocument document(const std::string& source,
                       const std::vector<std::pair<std::string, std::string>>& parts) {
  DraftDocument made;
  made.source = source;
  std::size_t at = 10;  // as if a heading stood before
  for (const auto& [heading, text] : parts) {
    Passage passage;
    passage.ordinal = static_cast<int>(made.passages.size());
    passage.span = {at, at + text.size()};
    passage.heading_path = heading;
    passage.text = text;
    passage.page = 1;
    made.passages.push_back(passage);
    at += text.size() + 2;
  }
  return made;
}

const DraftItem* item_with(const Draft& draft, const std::string& question) {
  for (const DraftItem& item : draft.items) {
    if (item.question == question) return &item;
  }
  return nullptr;
}

// proves P-TRAIN-11
TEST(DraftData, each_answer_is_the_bytes_of_its_place) {
  const std::vector<DraftDocument> documents = {
      document("lease.md",
               {{"Lease > Money and dates",
                 "A deposit is a sum that the landlord keeps until the flat is returned. The lease "
                 "began on 1 March 2019 and runs for five years. It is paid by transfer."},
                {"Lease > Office", "Opening hours: 9 to 12 o'clock\nTelephone: 0171 2345678\n"}}),
      document("tax.md", {{"Tax",
                           "The rate of the tax was raised to 19.5% in the year before last. Nothing else "
                           "was changed by it."}})};
  DraftOptions options;
  options.most_per_passage = 10;
  const Draft draft = draft_data(documents, options);
  ASSERT_GE(draft.items.size(), 5U);
  for (const DraftItem& item : draft.items) {
    const DraftDocument& home = item.source == "lease.md" ? documents[0] : documents[1];
    bool there = false;
    for (const Passage& passage : home.passages) {
      if (!passage.span.contains(item.span)) continue;
      there = true;
      EXPECT_EQ(item.answer, slice(passage.text, {item.span.start - passage.span.start,
                                                  item.span.end - passage.span.start}));
      EXPECT_EQ(item.passage, passage.text);
    }
    EXPECT_TRUE(there) << item.question;
    EXPECT_EQ(item.page, 1);
    EXPECT_FALSE(item.answer.empty());
  }
  const DraftItem* deposit = item_with(draft, "What is a deposit?");
  ASSERT_NE(deposit, nullptr);
  EXPECT_EQ(deposit->answer, "a sum that the landlord keeps until the flat is returned");
  EXPECT_EQ(deposit->kind, DraftKind::definition);
  const DraftItem* hours = item_with(draft, "What is given as \"Opening hours\" under \"Office\"?");
  ASSERT_NE(hours, nullptr);
  EXPECT_EQ(hours->answer, "9 to 12 o'clock");
  const DraftItem* rate =
      item_with(draft,
                "Which percentage is missing: \"The rate of the tax was raised to ____ in the year "
                "before last.\"");
  ASSERT_NE(rate, nullptr);
  EXPECT_EQ(rate->answer, "19.5%");
  const DraftItem* money = item_with(draft, "What is said about \"Money and dates\"?");
  ASSERT_NE(money, nullptr);
  EXPECT_EQ(money->answer.substr(0, 9), "A deposit");
  for (const DraftItem& item : draft.items) EXPECT_EQ(item.question.find("What is It"), std::string::npos);
  EXPECT_EQ(draft.counts.documents, 2U);
  EXPECT_EQ(draft.counts.passages, 3U);
}

TEST(DraftData, a_question_with_two_answers_is_left_out_and_counted) {
  const std::vector<DraftDocument> documents = {
      document("a.md", {{"", "Opening hours: 9 to 12\nFax: 1234 and 5678\n"}}),
      document("b.md", {{"", "Opening hours: 10 to 16\nFax: 1234 and 5678\n"}})};
  const Draft draft = draft_data(documents);
  EXPECT_EQ(item_with(draft, "What is given as \"Opening hours\"?"), nullptr);
  EXPECT_NE(item_with(draft, "What is given as \"Fax\"?"), nullptr);
  EXPECT_EQ(draft.counts.ambiguous, 2U);
  EXPECT_EQ(draft.counts.repeated, 1U);
}

TEST(DraftData, limits_are_shared_out_between_documents_and_counted) {
  std::vector<std::pair<std::string, std::string>> parts;
  for (int i = 0; i < 12; ++i) {
    parts.push_back(
        {"", "Room " + std::to_string(i) + " of the house: painted in colour " + std::to_string(i)});
  }
  const std::vector<DraftDocument> documents = {
      document("long.md", parts),
      document("short.md", {{"", "A ladder is a thing that leads up to the roof."}}),
      document("empty.md", {{"", "Hm."}})};
  DraftOptions options;
  options.most = 4;
  const Draft draft = draft_data(documents, options);
  ASSERT_EQ(draft.items.size(), 4U);
  EXPECT_EQ(draft.items.back().source, "short.md");
  EXPECT_EQ(draft.counts.over_limit, 9U);
  EXPECT_EQ(draft.counts.documents_without, 1U);
  // Spread over the long one, not its beginning alone.
  EXPECT_NE(draft.items[2].question.find("Room 8"), std::string::npos);
}

TEST(DraftData, hostile_text_is_no_question_and_no_crash) {
  const std::vector<DraftDocument> documents = {
      document("odd.md", {{" > ", ""},
                          {"", ": : :\n::\n- : x\n"},
                          {"", std::string(20000, 'a') + ": b"},
                          {"", "is is is is is is is. are are a a. \xC3\xA4 is a \xC3\xA4."},
                          {"", "| a | b |\n|---|---|\n"}})};
  const Draft draft = draft_data(documents);
  for (const DraftItem& item : draft.items) EXPECT_FALSE(item.answer.empty());
}

TEST(DraftData, a_line_is_what_the_trainer_reads) {
  DraftItem item;
  item.question = "What is a \"deposit\"?";
  item.answer = "a sum\nof money";
  item.span = {5, 18};
  item.source = "lease.md";
  item.page = 3;
  item.passage = "A deposit is a sum\nof money.";
  const Json line = Json::parse(draft_line(item));
  EXPECT_NE(line["prompt"].get<std::string>().find(item.passage), std::string::npos);
  EXPECT_NE(line["prompt"].get<std::string>().find("lease.md, page 3"), std::string::npos);
  EXPECT_EQ(line["response"], item.answer);
  EXPECT_EQ(line["document"], "lease.md");
  EXPECT_EQ(line["span"][0], 5);
}

}  // namespace
}  // namespace loam::tasks
