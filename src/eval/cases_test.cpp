#include "eval/cases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>
#include <string>

namespace loam::eval {
namespace {
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// A folder of its own that is gone after the test.
class CasesFiles : public testing::Test {
 protected:
  CasesFiles() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::temp_directory_path() /
              (std::string("loam-cases-") + test->name() + "-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_ / "qrels");
  }
  ~CasesFiles() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path file(const std::string& name, std::string_view bytes) {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return folder_ / name;
  }
  std::filesystem::path folder_;
};

const DataNote* note_of(const std::vector<DataNote>& notes, std::string_view kind) {
  for (const DataNote& note : notes) {
    if (note.kind == kind) return &note;
  }
  return nullptr;
}

ClassificationData parsed(std::string_view bytes, const std::string& name = "data.csv",
                          const ClassificationOptions& options = {}) {
  const auto data = parse_classification(bytes, name, options);
  EXPECT_TRUE(data.ok()) << data.error().line();
  if (!data) return {};
  EXPECT_EQ(data->items.size() + left_out(data->notes), data->rows);  // proves P-EVAL-08
  EXPECT_EQ(data->version.items, data->items.size());
  return *data;
}

Error refused(std::string_view bytes, const std::string& name = "data.csv",
              const ClassificationOptions& options = {}) {
  const auto data = parse_classification(bytes, name, options);
  EXPECT_FALSE(data.ok());
  return data ? Error{} : data.error();
}

TEST(ClassificationFile, csv_rows_become_items_with_their_lines) {
  const ClassificationData data =
      parsed("text,label\n\"I lost it, twice\",card\n\nhello,\"other\"\n\"two\nlines\",card\nlast,other");
  ASSERT_EQ(data.items.size(), 4u);
  EXPECT_EQ(data.items[0].text, "I lost it, twice");
  EXPECT_EQ(data.items[0].label, "card");
  EXPECT_EQ(data.items[0].id, "line 2");
  EXPECT_EQ(data.items[1].line, 4u);
  EXPECT_EQ(data.items[2].text, "two\nlines");
  EXPECT_EQ(data.items[3].line, 7u);
  EXPECT_THAT(data.labels, ElementsAre("card", "other"));
  EXPECT_EQ(data.version.sha256.size(), 64u);
}

TEST(ClassificationFile, json_lines_csv_and_tabs_say_the_same) {
  const ClassificationData json =
      parsed("{\"text\":\"a, b\",\"label\":\"x\"}\n\n{\"label\":2,\"text\":\"c\"}\n", "data.jsonl");
  const ClassificationData csv = parsed("label;text\nx;a, b\n2;c\n");
  const ClassificationData tabs = parsed("text\tlabel\na, b\tx\nc\t2\n", "stdin");
  for (const ClassificationData* data : {&json, &csv, &tabs}) {
    ASSERT_EQ(data->items.size(), 2u);
    EXPECT_EQ(data->items[0].text, "a, b");
    EXPECT_EQ(data->items[1].label, "2");
    EXPECT_THAT(data->labels, ElementsAre("2", "x"));
  }
  EXPECT_EQ(json.items[1].line, 3u);
}

TEST(ClassificationFile, a_missing_column_is_refused_with_the_nearest_one) {  // proves P-EVAL-09
  const Error csv = refused("Texts,category\na,b\n", "bank.csv");
  EXPECT_EQ(csv.kind, Kind::bad_request);
  EXPECT_THAT(csv.line(), HasSubstr("bank.csv line 1"));
  EXPECT_THAT(csv.line(), HasSubstr("'text'; the nearest is 'Texts' (of 2 columns: 'Texts', 'category')"));
  EXPECT_THAT(csv.line(), HasSubstr("--text"));
  const Error json = refused("{\"txt\":\"a\",\"label\":\"b\"}\n", "bank.jsonl");
  EXPECT_THAT(json.line(), HasSubstr("'txt'"));
  EXPECT_THAT(refused("text,label\na,b\n", "d.csv", {.group_column = "customr"}).line(),
              HasSubstr("'customr'"));
  EXPECT_THAT(refused("text,text,label\na,b,c\n").message, HasSubstr("two columns"));
}

TEST(ClassificationFile, a_line_that_is_not_json_is_refused_with_its_number) {  // proves P-EVAL-09
  const std::string good = "{\"text\":\"a\",\"label\":\"b\"}\n";
  EXPECT_THAT(refused(good + "\n" + good + "{\"text\": \"a\"\n" + good, "d.jsonl").place,
              HasSubstr("line 4"));
  EXPECT_THAT(refused(good + "[1,2]\n", "d.jsonl").line(), HasSubstr("line 2: it is an array"));
  EXPECT_THAT(refused("[\n{\"text\":\"a\"}\n]", "d.json").next_step,
              HasSubstr("one whole object on each line"));
  EXPECT_THAT(refused(good + "{\"text\":{\"a\":1},\"label\":\"b\"}\n", "d.jsonl").line(),
              HasSubstr("line 2: \"text\" is an object"));
}

TEST(ClassificationFile, rows_that_cannot_be_used_are_left_out_and_counted) {  // proves P-EVAL-08
  const ClassificationData data = parsed(
      "text,label\n"
      "good,a\n"
      ",a\n"
      "   ,b\n"
      "no label,\n"
      "short\n"
      "one, two,a\n"
      "also good,b,\n");
  ASSERT_EQ(data.items.size(), 2u);
  EXPECT_EQ(data.rows, 7u);
  ASSERT_NE(note_of(data.notes, "empty text"), nullptr);
  EXPECT_THAT(note_of(data.notes, "empty text")->lines, ElementsAre(3u, 4u));
  ASSERT_NE(note_of(data.notes, "missing label"), nullptr);
  EXPECT_THAT(note_of(data.notes, "missing label")->lines, ElementsAre(5u, 6u));
  ASSERT_NE(note_of(data.notes, "ragged row"), nullptr);
  EXPECT_THAT(note_of(data.notes, "ragged row")->lines, ElementsAre(7u));
  EXPECT_TRUE(note_of(data.notes, "ragged row")->left_out);
}

TEST(ClassificationFile, a_file_without_a_usable_row_is_refused_with_why) {
  EXPECT_THAT(refused("").message, HasSubstr("no rows"));
  EXPECT_THAT(refused("text,label\n").message, HasSubstr("no rows"));
  EXPECT_THAT(refused("text,label\n,x\na,\n").message, HasSubstr("1 row without a text"));
  EXPECT_THAT(refused("\n\n", "d.jsonl").message, HasSubstr("no rows"));
}

TEST(ClassificationFile, stray_labels_are_told_and_merged_only_on_request) {  // proves P-EVAL-10
  const std::string bytes = "text,label\na,refund\nb,refund\nc, refund\nd,\"Refund \"\ne,other\nf,re  fund\n";
  const ClassificationData apart = parsed(bytes);
  EXPECT_THAT(apart.labels, ElementsAre(" refund", "Refund ", "other", "re  fund", "refund"));
  const DataNote* note = note_of(apart.notes, "stray label");
  ASSERT_NE(note, nullptr);
  EXPECT_EQ(note->count, 2u);
  EXPECT_THAT(note->lines, ElementsAre(4u, 5u));
  EXPECT_THAT(note->message, HasSubstr("\"refund\" is also written"));
  const ClassificationData merged = parsed(bytes, "data.csv", {.merge_stray_labels = true});
  EXPECT_THAT(merged.labels, ElementsAre("other", "re  fund", "refund"));
  EXPECT_EQ(merged.items.size(), apart.items.size());
  EXPECT_THAT(note_of(merged.notes, "stray label")->message, HasSubstr("merged"));
}

TEST(ClassificationFile, one_class_rare_labels_and_too_many_labels_are_told) {
  const DataNote* one = nullptr;
  const ClassificationData single = parsed("text,label\na,x\nb,x\n");
  one = note_of(single.notes, "one class");
  ASSERT_NE(one, nullptr);
  EXPECT_THAT(one->message, HasSubstr("\"x\""));
  std::string bytes = "text,label\n";
  for (int i = 0; i < 1000; ++i)
    bytes += "text number " + std::to_string(i) + ",label " + std::to_string(i) + "\n";
  const ClassificationData thousand = parsed(bytes);
  EXPECT_EQ(thousand.labels.size(), 1000u);
  ASSERT_NE(note_of(thousand.notes, "rare label"), nullptr);
  EXPECT_EQ(note_of(thousand.notes, "rare label")->count, 1000u);
  EXPECT_EQ(note_of(thousand.notes, "rare label")->lines.size(), 20u);
  EXPECT_NE(note_of(thousand.notes, "many labels"), nullptr);
}

TEST(ClassificationFile, repeated_texts_and_their_conflicts_are_told) {
  const ClassificationData data =
      parsed("text,label\nHello!,a\nhello,a\n  HELLO ,b\nother,b\n:-),a\n:-(,b\n");
  EXPECT_THAT(note_of(data.notes, "duplicate")->lines, ElementsAre(3u));
  EXPECT_THAT(note_of(data.notes, "conflicting labels")->lines, ElementsAre(4u));
  EXPECT_EQ(data.items.size(), 6u);
}

TEST(ClassificationFile, bytes_that_are_not_utf8_are_mended_and_told) {
  const ClassificationData csv = parsed("text,label\ncaf\xE9,a\nb,c\n");
  EXPECT_EQ(csv.items[0].text, "caf\xC3\xA9");
  EXPECT_THAT(note_of(csv.notes, "encoding")->message, HasSubstr("Windows-1252"));
  const ClassificationData json = parsed("{\"text\":\"\xC3\xA9 \xFF\",\"label\":\"a\"}\n", "d.jsonl");
  EXPECT_EQ(json.items[0].text, "\xC3\xA9 \xEF\xBF\xBD");
  EXPECT_NE(note_of(json.notes, "encoding"), nullptr);
}

TEST(ClassificationFile, quotes_in_tab_separated_texts_swallow_no_rows) {
  const ClassificationData data = parsed(
      "label\ttext\nham\t\"Gimme a few\" was what he said\nspam\t\"open\nham\tplain\nham\t\"closed\"\n",
      "sms.tsv");
  ASSERT_EQ(data.items.size(), 4u);
  EXPECT_EQ(data.items[0].text, "\"Gimme a few\" was what he said");
  EXPECT_EQ(data.items[1].text, "\"open");
  EXPECT_EQ(data.items[3].text, "closed");
}

TEST(ClassificationFile, ids_stay_unique) {
  const ClassificationData data = parsed("id,text,label\n7,a,x\n7,b,y\n,c,x\n");
  EXPECT_EQ(data.items[0].id, "7");
  EXPECT_EQ(data.items[1].id, "7 (line 3)");
  EXPECT_EQ(data.items[2].id, "line 4");
  EXPECT_NE(note_of(data.notes, "duplicate id"), nullptr);
}

TEST(ClassificationFile, without_labels_every_row_is_an_item) {
  const ClassificationData data =
      parsed("text\nfirst, with a comma\n\nsecond\n", "d.csv", {.labels_required = false});
  ASSERT_EQ(data.items.size(), 2u);
  EXPECT_EQ(data.items[0].text, "first, with a comma");
  const ClassificationData holes =
      parsed("{\"text\":\"a\"}\n{\"text\":\"\"}\n{\"x\":1}\n", "d.jsonl", {.labels_required = false});
  EXPECT_EQ(holes.items.size(), 3u);
  EXPECT_EQ(note_of(holes.notes, "empty text")->count, 2u);
}

TEST_F(CasesFiles, a_file_that_is_not_there_or_no_file_is_refused) {
  EXPECT_EQ(read_classification(folder_ / "none.csv").error().kind, Kind::unavailable);
  EXPECT_EQ(read_classification(folder_).error().kind, Kind::bad_request);
  EXPECT_EQ(read_qa(folder_ / "none.jsonl").error().kind, Kind::unavailable);
  EXPECT_EQ(read_beir(folder_).error().kind, Kind::unavailable);
}

TEST_F(CasesFiles, questions_are_read_with_their_answers) {
  const auto data =
      read_qa(file("qa.jsonl",
                   "{\"id\":\"q1\",\"question\":\"Who?\",\"answer\":\"Ann\",\"accept\":[\"Anna\"],"
                   "\"source\":\"a.md\",\"quote\":\"Ann did\"}\n"
                   "{\"question\":\"When?\",\"answer\":null}\n"
                   "{\"question\":\"How many?\",\"answer\":7}\n"
                   "{\"question\":\"Which?\",\"accept\":[\"blue\"]}\n"
                   "{\"question\":\"Why?\"}\n"
                   "{\"question\":\" \",\"answer\":\"x\"}\n"));
  ASSERT_TRUE(data) << data.error().line();
  ASSERT_EQ(data->cases.size(), 5u);
  EXPECT_EQ(data->cases[0].accept, std::vector<std::string>{"Anna"});
  EXPECT_EQ(data->cases[0].quote, "Ann did");
  EXPECT_FALSE(data->cases[1].answer.has_value());
  EXPECT_EQ(data->cases[1].id, "line 2");
  EXPECT_EQ(data->cases[2].answer, "7");
  EXPECT_EQ(data->cases[3].answer, "blue");
  EXPECT_FALSE(data->cases[4].answer.has_value());
  EXPECT_THAT(note_of(data->notes, "no answer")->lines, ElementsAre(5u));
  EXPECT_EQ(data->cases.size() + left_out(data->notes), data->rows);
}

TEST_F(CasesFiles, lines_that_are_no_cases_are_refused_with_their_number) {  // proves P-EVAL-09
  const std::string good = "{\"question\":\"a\",\"answer\":\"b\"}\n";
  EXPECT_THAT(read_qa(file("a.jsonl", good + "{\"qestion\":\"a\"}\n")).error().line(),
              testing::AllOf(HasSubstr("line 2"), HasSubstr("'qestion'")));
  EXPECT_THAT(read_qa(file("b.jsonl", good + "{\"question\":\"a\",\"accept\":\"b\"}\n")).error().line(),
              HasSubstr("line 2: \"accept\" is a string, not an array"));
  EXPECT_THAT(read_qa(file("c.jsonl", "")).error().message, HasSubstr("no lines"));
  EXPECT_THAT(read_texts(file("d.jsonl", "{\"output\":\"a\"}\n")).error().line(), HasSubstr("'input'"));
  const std::string choice = "{\"context\":\"a\",\"choices\":[\"b\",\"c\"],\"answer\":";
  for (const std::string wrong : {"2", "-1", "\"b\"", "0.5", "null", "99999999999999999999"}) {
    EXPECT_THAT(read_choices(file("e.jsonl", choice + "1}\n" + choice + wrong + "}\n")).error().line(),
                HasSubstr("line 2: \"answer\" must be"))
        << wrong;
  }
  EXPECT_THAT(
      read_choices(file("f.jsonl", "{\"context\":\"a\",\"choices\":[\"b\"],\"answer\":0}\n")).error().line(),
      HasSubstr("1 choice;"));
}

TEST_F(CasesFiles, texts_take_one_reference_or_several_and_objects_as_json) {
  const auto data = read_texts(file("t.jsonl",
                                    "{\"input\":\"a\",\"reference\":\"b\",\"cluster\":\"d1\"}\n"
                                    "{\"input\":\"a\",\"references\":[\"b\",\"c\"]}\n"
                                    "{\"input\":\"a\",\"reference\":{\"name\":\"x\"}}\n"
                                    "{\"input\":\"a\"}\n{\"input\":\"\",\"reference\":\"b\"}\n"));
  ASSERT_TRUE(data) << data.error().line();
  ASSERT_EQ(data->cases.size(), 3u);
  EXPECT_EQ(data->cases[0].cluster, "d1");
  EXPECT_EQ(data->cases[1].references.size(), 2u);
  EXPECT_EQ(data->cases[2].references[0], "{\"name\":\"x\"}");
  EXPECT_EQ(data->cases.size() + left_out(data->notes), data->rows);
  EXPECT_EQ(data->rows, 5u);
}

TEST_F(CasesFiles, choices_are_read) {
  const auto data =
      read_choices(file("c.jsonl", "{\"context\":\"a\",\"choices\":[\"b\",\"c\"],\"answer\":1}\n"));
  ASSERT_TRUE(data) << data.error().line();
  EXPECT_EQ(data->cases[0].answer, 1);
  EXPECT_EQ(data->version.items, 1u);
}

TEST_F(CasesFiles, retrieval_data_joins_its_three_files_and_tells_what_does_not_fit) {
  file("corpus.jsonl", "{\"_id\":\"d1\",\"text\":\"a\"}\n{\"_id\":\"d2\",\"text\":\"b\"}\n");
  file("queries.jsonl",
       "{\"_id\":\"q1\",\"text\":\"one\"}\n{\"_id\":\"q2\",\"text\":\"two\"}\n{\"_id\":\"q3\",\"text\":"
       "\"three\"}\n"
       "{\"_id\":\"q1\",\"text\":\"again\"}\n");
  file("qrels/test.tsv",
       "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\tlost\t1\nq1\td1\t0\nq3\td2\t0\nq9\td1\t1\n");
  const auto data = read_beir(folder_);
  ASSERT_TRUE(data) << data.error().line();
  ASSERT_EQ(data->queries.size(), 2u);
  EXPECT_THAT(data->queries[0].judged,
              ElementsAre(std::pair<std::string, int>("d1", 2), std::pair<std::string, int>("lost", 1)));
  EXPECT_EQ(data->queries.size() + left_out(data->notes), data->rows);
  for (const char* kind : {"not judged", "duplicate id", "no relevant document", "unknown document",
                           "unknown query", "duplicate judgement"}) {
    ASSERT_NE(note_of(data->notes, kind), nullptr) << kind;
    EXPECT_EQ(note_of(data->notes, kind)->count, 1u) << kind;
  }
  const std::string before = data->version.sha256;
  file("corpus.jsonl", "{\"_id\":\"d1\",\"text\":\"changed\"}\n");
  EXPECT_NE(read_beir(folder_)->version.sha256, before);
  file("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\td1\tmany\n");
  EXPECT_THAT(read_beir(folder_).error().line(), HasSubstr("test.tsv line 2"));
  EXPECT_EQ(read_beir(folder_, "../test").error().kind, Kind::bad_request);
  EXPECT_THAT(read_beir(folder_, "dev").error().next_step, HasSubstr("qrels/SPLIT.tsv"));
}

// Splits -------------------------------------------------------------------------------------------------

ClassificationData made(std::size_t per_label, std::size_t labels, std::size_t per_cluster = 0) {
  ClassificationData data;
  data.version.file = "made.csv";
  for (std::size_t label = 0; label < labels; ++label) {
    data.labels.push_back("label " + std::string(label < 10 ? "0" : "") + std::to_string(label));
    for (std::size_t i = 0; i < per_label; ++i) {
      const std::size_t n = data.items.size();
      data.items.push_back(
          {std::to_string(n), "text " + std::to_string(n), data.labels.back(),
           per_cluster == 0 ? "" : "c" + std::to_string(n % (per_label * labels / per_cluster)), n + 2});
    }
  }
  return data;
}

std::set<std::size_t> all_of(const Split& split) {
  std::set<std::size_t> all;
  for (const auto* part : {&split.train, &split.validate, &split.test})
    all.insert(part->begin(), part->end());
  return all;
}

TEST(Split, folds_test_each_item_once_and_keep_like_texts_together) {
  ClassificationData data;
  for (int i = 0; i < 60; ++i) {
    LabelledText item;
    item.text = i % 6 == 0 ? "Same text, " + std::to_string(i / 12) : "text " + std::to_string(i);
    item.label = i % 2 == 0 ? "a" : "b";
    data.items.push_back(std::move(item));
  }
  data.labels = {"a", "b"};
  const auto folds = split_folds(data, 5, 3);
  ASSERT_TRUE(folds.ok()) << folds.error().line();
  ASSERT_EQ(folds->size(), 5U);
  const std::vector<std::size_t> groups = group_numbers(data);
  std::vector<int> tested(60, 0);
  for (const Split& split : *folds) {
    EXPECT_EQ(split.train.size() + split.validate.size() + split.test.size(), 60U);
    std::set<std::size_t> held;
    for (const std::size_t item : split.test) {
      ++tested[item];
      if (groups[item] != 0) held.insert(groups[item]);
    }
    for (const std::size_t item : split.train) EXPECT_FALSE(held.contains(groups[item])) << item;
    for (const std::size_t item : split.validate) EXPECT_FALSE(held.contains(groups[item])) << item;
  }
  EXPECT_EQ(tested, std::vector<int>(60, 1));
  EXPECT_NE(groups[0], 0U);
  EXPECT_EQ(groups[0], groups[6]);  // "Same text, 0" twice
  EXPECT_EQ(groups[1], 0U);
  EXPECT_EQ(split_folds(data, 2, 3).error().kind, Kind::bad_request);
  data.items.resize(3);
  EXPECT_EQ(split_folds(data, 5, 3).error().kind, Kind::bad_data);
}

TEST(Split, gives_every_item_to_one_part_and_each_label_its_share) {  // proves P-EVAL-11
  const ClassificationData data = made(10, 77);
  const auto split = split_items(data, 0.2, 0.2, 1);
  ASSERT_TRUE(split);
  EXPECT_EQ(split->train.size(), 462u);
  EXPECT_EQ(split->validate.size(), 154u);
  EXPECT_EQ(split->test.size(), 154u);
  EXPECT_EQ(all_of(*split).size(), data.items.size());
  std::vector<int> of_label(77);
  for (const std::size_t item : split->test) ++of_label[item / 10];
  EXPECT_THAT(of_label, testing::Each(2));
}

TEST(Split, is_the_same_for_the_same_seed_and_another_for_another) {  // proves P-EVAL-11
  const ClassificationData data = made(20, 5);
  const auto one = split_items(data, 0.25, 0.25, 7);
  const auto same = split_items(data, 0.25, 0.25, 7);
  const auto other = split_items(data, 0.25, 0.25, 8);
  ASSERT_TRUE(one && same && other);
  EXPECT_EQ(one->test, same->test);
  EXPECT_EQ(one->train, same->train);
  EXPECT_NE(one->test, other->test);
}

TEST(Split, keeps_clusters_and_repeated_texts_together) {  // proves P-EVAL-11
  ClassificationData data = made(50, 4, 5);
  for (std::size_t i = 0; i < data.items.size(); i += 17)
    data.items[i].text = i % 2 == 0 ? "Hello, World!" : "hello world";
  const auto split = split_items(data, 0.2, 0.3, 3);
  ASSERT_TRUE(split);
  EXPECT_EQ(all_of(*split).size(), data.items.size());
  std::set<std::string> clusters;
  std::set<std::string> texts;
  const auto part_of = [&](const std::vector<std::size_t>& items) {
    ClassificationData part;
    for (const std::size_t item : items) part.items.push_back(data.items[item]);
    return part;
  };
  EXPECT_TRUE(leakage(part_of(split->train), part_of(split->test)).empty());
  EXPECT_TRUE(leakage(part_of(split->train), part_of(split->validate)).empty());
  EXPECT_TRUE(leakage(part_of(split->validate), part_of(split->test)).empty());
  EXPECT_NEAR(static_cast<double>(split->test.size()), 60.0, 20.0);
}

TEST(Split, what_cannot_be_divided_is_refused) {
  EXPECT_THAT(split_items(made(10, 1), 0.2, 0.2, 1).error().message, HasSubstr("nothing to tell apart"));
  EXPECT_THAT(split_items(made(1, 5), 0.2, 0.2, 1).error().message, HasSubstr("stays empty"));
  EXPECT_EQ(split_items({}, 0.2, 0.2, 1).error().kind, Kind::bad_data);
  for (const double share : {-0.1, 0.9, std::numeric_limits<double>::quiet_NaN()})
    EXPECT_EQ(split_items(made(10, 2), share, 0.2, 1).error().kind, Kind::bad_request);
  const auto no_test = split_items(made(10, 2), 0.2, 0, 1);
  ASSERT_TRUE(no_test);
  EXPECT_TRUE(no_test->test.empty());
}

TEST(Split, a_thousand_labels_and_labels_on_one_item_are_divided) {
  ClassificationData data = made(3, 1000);
  std::sort(data.labels.begin(), data.labels.end());
  const auto split = split_items(data, 0.2, 0.2, 1);
  ASSERT_TRUE(split);
  EXPECT_EQ(all_of(*split).size(), 3000u);
  std::set<std::string> learnt;
  for (const std::size_t item : split->train) learnt.insert(data.items[item].label);
  EXPECT_EQ(learnt.size(), 1000u);  // none is tested that was never learnt
}

TEST(Leakage, tells_texts_and_groups_that_stand_on_both_sides) {  // proves P-EVAL-11
  ClassificationData train = made(3, 2);
  ClassificationData test = made(3, 2);
  for (LabelledText& item : test.items) item.text = "other " + item.text;
  EXPECT_TRUE(leakage(train, test).empty());
  test.items[0].text = " TEXT 1.";
  test.items[4].text = "text 0";
  const std::vector<DataNote> notes = leakage(train, test);
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_EQ(notes[0].kind, "leakage");
  EXPECT_THAT(notes[0].lines, ElementsAre(2u, 6u));
  EXPECT_THAT(notes[0].message, HasSubstr("2 of 6 test texts"));
  EXPECT_THAT(notes[0].message, HasSubstr("1 with another label"));
  train.items[5].cluster = "shared";
  test.items[1].cluster = "shared";
  EXPECT_EQ(leakage(train, test).size(), 2u);
}

}  // namespace
}  // namespace loam::eval
