#include "store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <limits>

#include "store/testing/sample.h"

namespace loam::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kDimensions;
using testing::put;
using testing::sample;

class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    open();
    auto collection = store_->ensure_collection("handbook", "fake", "fingerprint", kDimensions);
    ASSERT_TRUE(collection) << collection.error().line();
    handbook_ = collection->id;
  }

  void open() {
    store_.reset();
    auto store = Store::open(file_);
    ASSERT_TRUE(store) << store.error().line();
    store_ = std::move(*store);
  }

  DocumentId add(CollectionId collection, std::string_view source, const std::vector<std::string>& lines) {
    auto id = put(*store_, collection, sample(source, lines));
    EXPECT_TRUE(id) << (id ? "" : id.error().line());
    return id ? *id : DocumentId{};
  }

  std::vector<std::string> found(CollectionId collection, const std::vector<std::string>& terms, int k = 10) {
    const auto hits = store_->search_terms(collection, terms, k);
    EXPECT_TRUE(hits) << (hits ? "" : hits.error().line());
    std::vector<std::string> texts;
    if (!hits) return texts;
    for (const Scored& hit : *hits) {
      const auto rows = store_->passages({&hit.passage, 1});
      EXPECT_TRUE(rows);
      texts.push_back(rows && !rows->empty() ? rows->front().passage.text : "missing");
    }
    return texts;
  }

  std::vector<std::string> problems() {
    auto found = store_->check();
    EXPECT_TRUE(found) << (found ? "" : found.error().line());
    return found ? *found : std::vector<std::string>{"check failed"};
  }

  /// Changes the file behind the store's back.
  void tamper(const std::string& sql) {
    sqlite3* raw = nullptr;
    ASSERT_EQ(sqlite3_open(file_.c_str(), &raw), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(raw, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(raw);
    sqlite3_close(raw);
  }

  testing::TemporaryFolder folder_;
  std::filesystem::path file_ = folder_ / "loam.db";
  std::unique_ptr<Store> store_;
  CollectionId handbook_{};
};

TEST_F(StoreTest, a_document_comes_back_as_it_was_put_even_after_reopening) {
  const auto made = sample("leave.md", {"Parents get twelve weeks.", "Ask your manager first."});
  const auto id = put(*store_, handbook_, made);
  ASSERT_TRUE(id) << id.error().line();
  open();
  const auto row = store_->find_document(handbook_, "leave.md");
  ASSERT_TRUE(row && *row);
  EXPECT_EQ((*row)->id, *id);
  EXPECT_EQ((*row)->title, "Sample");
  EXPECT_EQ((*row)->media_type, "text/plain");
  EXPECT_EQ((*row)->content_hash, "hash of leave.md");
  EXPECT_EQ((*row)->recipe, "recipe");
  EXPECT_EQ((*row)->root, "/folder");
  EXPECT_EQ((*row)->path, "/folder/leave.md");
  EXPECT_EQ((*row)->file_size, 12);
  EXPECT_EQ((*row)->file_mtime_ns, 34);
  EXPECT_EQ((*row)->ingested_at, 56);
  EXPECT_EQ(*store_->document_text(*id), made.document.text);
  const auto pages = store_->pages_of(*id);
  ASSERT_TRUE(pages && pages->size() == 2);
  EXPECT_EQ((*pages)[1].number, 2);
  EXPECT_EQ((*pages)[1].span, made.document.pages[1].span);
  const auto ids = store_->passages_of(*id);
  ASSERT_TRUE(ids && ids->size() == 2);
  const auto passages = store_->passages(*ids);
  ASSERT_TRUE(passages && passages->size() == 2);
  const auto& second = (*passages)[1];
  EXPECT_EQ(second.source, "leave.md");
  EXPECT_EQ(second.title, "Sample");
  EXPECT_EQ(second.passage.document, *id);
  EXPECT_EQ(second.passage.ordinal, 1);
  EXPECT_EQ(second.passage.span, made.passages[1].span);
  EXPECT_EQ(second.passage.page, 2);
  EXPECT_EQ(second.passage.heading_path, "Sample");
  EXPECT_EQ(second.passage.text, "Ask your manager first.");
  EXPECT_EQ(second.passage.tokens, 7);
  std::vector<float> vectors;
  ASSERT_TRUE(store_->for_each_vector(handbook_, [&](PassageId, std::span<const float> vector) {
    vectors.insert(vectors.end(), vector.begin(), vector.end());
  }));
  EXPECT_EQ(vectors, made.vectors);
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(StoreTest, text_with_quotes_zero_bytes_and_other_scripts_comes_back_byte_for_byte) {
  const std::string odd =
      std::string("it's \"odd\"; DROP TABLE\0 passages --", 35) + " \xF0\x9F\x8C\xB1 gr\xC3\xBC\xC3\x9F";
  const auto id = add(handbook_, "odd'; --.md", {odd});
  EXPECT_EQ(*store_->document_text(id), odd + "\n");
  EXPECT_THAT(found(handbook_, {"odd"}), ElementsAre(odd));
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(StoreTest, a_document_with_the_same_source_is_replaced_in_both_legs) {
  const auto id = add(handbook_, "a.md", {"apples are red", "pears are green"});
  EXPECT_EQ(add(handbook_, "a.md", {"plums are blue"}), id);
  EXPECT_THAT(found(handbook_, {"apples", "pears"}), IsEmpty());
  EXPECT_THAT(found(handbook_, {"plums"}), ElementsAre("plums are blue"));
  int vectors = 0;
  ASSERT_TRUE(store_->for_each_vector(handbook_, [&](PassageId, std::span<const float>) { ++vectors; }));
  EXPECT_EQ(vectors, 1);
  const auto counts = store_->counts(handbook_);
  ASSERT_TRUE(counts);
  EXPECT_EQ(counts->documents, 1U);
  EXPECT_EQ(counts->passages, 1U);
  EXPECT_EQ(counts->text_bytes, 15U);
  EXPECT_THAT(problems(), IsEmpty());
}

// proves P-STORE-03
TEST_F(StoreTest, a_removed_document_is_found_by_neither_leg) {
  const auto id = add(handbook_, "secret.md", {"the vault code is 4711"});
  add(handbook_, "other.md", {"the vault is in the cellar"});
  ASSERT_TRUE(store_->remove_document(id));
  EXPECT_THAT(found(handbook_, {"code", "4711"}), IsEmpty());
  EXPECT_THAT(found(handbook_, {"vault"}), ElementsAre("the vault is in the cellar"));
  int vectors = 0;
  ASSERT_TRUE(store_->for_each_vector(handbook_, [&](PassageId, std::span<const float>) { ++vectors; }));
  EXPECT_EQ(vectors, 1);
  EXPECT_EQ(store_->document_text(id).error().kind, Kind::bad_request);
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(StoreTest, ids_of_removed_passages_are_never_given_again) {
  const auto first = add(handbook_, "a.md", {"one"});
  const auto old_ids = store_->passages_of(first);
  ASSERT_TRUE(store_->remove_document(first));
  const auto second = add(handbook_, "b.md", {"two"});
  EXPECT_NE(first, second);
  EXPECT_THAT(*store_->passages(*old_ids), IsEmpty());
}

TEST_F(StoreTest, a_file_that_got_another_name_is_still_one_document) {
  add(handbook_, "a.md", {"one"});
  auto made = sample("b.md", {"two"});
  made.row.path = "/folder/a.md";
  ASSERT_TRUE(put(*store_, handbook_, made));
  EXPECT_EQ(store_->counts(handbook_)->documents, 1U);
  EXPECT_EQ((*store_->find_document_at(handbook_, "/folder/a.md"))->source, "b.md");
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(StoreTest, renaming_keeps_text_and_ids_and_refuses_a_name_that_is_taken) {
  const auto id = add(handbook_, "old.md", {"lasting words"});
  add(handbook_, "taken.md", {"others"});
  auto row = sample("new.md", {}).row;
  row.file_size = 99;
  ASSERT_TRUE(store_->rename_document(id, row));
  const auto renamed = store_->find_document(handbook_, "new.md");
  ASSERT_TRUE(renamed && *renamed);
  EXPECT_EQ((*renamed)->id, id);
  EXPECT_EQ((*renamed)->path, "/folder/new.md");
  EXPECT_EQ((*renamed)->file_size, 99);
  EXPECT_FALSE(*store_->find_document(handbook_, "old.md"));
  EXPECT_THAT(found(handbook_, {"lasting"}), ElementsAre("lasting words"));
  row.source = "taken.md";
  EXPECT_EQ(store_->rename_document(id, row).error().kind, Kind::bad_request);
}

TEST_F(StoreTest, a_document_that_breaks_the_invariants_is_refused_and_changes_nothing) {
  const auto generation = *store_->generation(handbook_);
  auto wrong_text = sample("a.md", {"one"});
  wrong_text.passages[0].text = "two";
  auto outside = sample("a.md", {"one"});
  outside.passages[0].span.end = 1000;
  auto few_vectors = sample("a.md", {"one", "two"});
  few_vectors.vectors.resize(kDimensions);
  auto not_a_number = sample("a.md", {"one"});
  not_a_number.vectors[1] = std::numeric_limits<float>::quiet_NaN();
  for (const auto* bad : {&wrong_text, &outside, &few_vectors, &not_a_number}) {
    EXPECT_EQ(put(*store_, handbook_, *bad).error().kind, Kind::bad_request);
  }
  EXPECT_EQ(*store_->generation(handbook_), generation);
  EXPECT_EQ(store_->counts(handbook_)->documents, 0U);
}

TEST_F(StoreTest, ids_that_are_gone_are_refused_by_name) {
  const DocumentId nobody{4711};
  EXPECT_THAT(store_->remove_document(nobody).error().message, HasSubstr("4711"));
  EXPECT_EQ(store_->touch_document(nobody, 1, 2).error().kind, Kind::bad_request);
  EXPECT_EQ(put(*store_, CollectionId{99}, sample("a.md", {"one"})).error().kind, Kind::bad_request);
  EXPECT_EQ(store_->search_terms(CollectionId{99}, std::vector<std::string>{"a"}, 5).error().kind,
            Kind::bad_request);
}

// proves P-STORE-04
TEST_F(StoreTest, another_embedder_is_refused_with_both_names_and_a_next_step) {
  const auto refused =
      store_->ensure_collection("handbook", "other-model", "another fingerprint", kDimensions);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Kind::bad_request);
  EXPECT_THAT(refused.error().message, HasSubstr("fake"));
  EXPECT_THAT(refused.error().message, HasSubstr("other-model"));
  EXPECT_THAT(refused.error().next_step, HasSubstr("-c"));
  const auto same = store_->ensure_collection("handbook", "fake", "fingerprint", kDimensions);
  ASSERT_TRUE(same);
  EXPECT_EQ(same->id, handbook_);
}

TEST_F(StoreTest, collections_neither_show_nor_shift_each_others_results) {
  const auto other = store_->ensure_collection("other", "fake", "fingerprint", kDimensions);
  ASSERT_TRUE(other);
  add(handbook_, "a.md", {"parking costs ten euros", "lunch is free"});
  const auto alone = store_->search_terms(handbook_, std::vector<std::string>{"parking"}, 5);
  for (int i = 0; i < 20; ++i)
    add(other->id, "b" + std::to_string(i), {"parking everywhere, parking for all"});
  const auto beside = store_->search_terms(handbook_, std::vector<std::string>{"parking"}, 5);
  ASSERT_TRUE(alone && beside);
  ASSERT_EQ(beside->size(), 1U);
  EXPECT_EQ(alone->front().score, beside->front().score);
  EXPECT_THAT(*store_->document_frequencies(handbook_, std::vector<std::string>{"parking"}), ElementsAre(1U));
  ASSERT_TRUE(store_->remove_collection(other->id));
  EXPECT_THAT(found(handbook_, {"parking"}), ElementsAre("parking costs ten euros"));
  EXPECT_FALSE(*store_->find_collection("other"));
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(StoreTest, a_collection_made_again_under_a_removed_name_is_empty) {
  add(handbook_, "a.md", {"parking"});
  ASSERT_TRUE(store_->remove_collection(handbook_));
  const auto again = store_->ensure_collection("handbook", "fake", "fingerprint", kDimensions);
  ASSERT_TRUE(again);
  EXPECT_NE(again->id, handbook_);
  EXPECT_THAT(found(again->id, {"parking"}), IsEmpty());
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(StoreTest, generation_grows_with_every_change_of_what_can_be_found) {
  auto before = *store_->generation(handbook_);
  const auto grew = [&] {
    const auto now = *store_->generation(handbook_);
    const bool more = now > before;
    before = now;
    return more;
  };
  const auto id = add(handbook_, "a.md", {"one"});
  EXPECT_TRUE(grew());
  EXPECT_FALSE(grew());
  ASSERT_TRUE(store_->rename_document(id, sample("b.md", {}).row));
  EXPECT_TRUE(grew());
  ASSERT_TRUE(store_->remove_document(id));
  EXPECT_TRUE(grew());
}

// Search ------------------------------------------------------------------------------------------------

TEST_F(StoreTest, the_passage_with_the_rarer_word_comes_first) {
  add(handbook_, "a.md",
      {"the printer is on floor one", "the printer in the archive", "the printer is broken"});
  EXPECT_EQ(found(handbook_, {"printer", "archive"}).front(), "the printer in the archive");
  EXPECT_THAT(found(handbook_, {"printer", "archive"}, 1), ElementsAre("the printer in the archive"));
}

TEST_F(StoreTest, a_word_in_every_passage_still_ranks_them) {
  // SQLite's own bm25() gives such a word no weight, and these would come out in any order.
  add(handbook_, "a.md", {"leave and much else that is not about it at all", "leave leave"});
  const auto hits = store_->search_terms(handbook_, std::vector<std::string>{"leave"}, 5);
  ASSERT_TRUE(hits && hits->size() == 2);
  EXPECT_GT((*hits)[0].score, (*hits)[1].score * 1.2F);
  EXPECT_GT((*hits)[1].score, 0.0F);
  EXPECT_EQ(found(handbook_, {"leave"}).front(), "leave leave");
}

TEST_F(StoreTest, scores_equal_the_formula_computed_by_hand) {
  add(handbook_, "a.md", {"alpha beta", "alpha alpha gamma delta", "epsilon"});
  const auto hits = store_->search_terms(handbook_, std::vector<std::string>{"alpha"}, 5);
  ASSERT_TRUE(hits && hits->size() == 2);
  // Lengths include the heading path "Sample": 3, 5 and 2 words, 10/3 on average; N = 3, n = 2.
  const double idf = std::log(1.0 + (3 - 2 + 0.5) / (2 + 0.5));
  const auto score = [&](double frequency, double length) {
    return idf * frequency * 2.2 / (frequency + 1.2 * (0.25 + 0.75 * length / (10.0 / 3.0)));
  };
  EXPECT_NEAR((*hits)[0].score, score(2, 5), 1e-5);
  EXPECT_NEAR((*hits)[1].score, score(1, 3), 1e-5);
}

TEST_F(StoreTest, words_are_matched_by_stem_case_and_accent) {
  add(handbook_, "a.md", {"Employees were T\xC3\xA9l\xC3\xA9phoning the Caf\xC3\xA9"});
  EXPECT_EQ(found(handbook_, {"employee"}).size(), 1U);
  EXPECT_EQ(found(handbook_, {"CAFE"}).size(), 1U);
  EXPECT_EQ(found(handbook_, {"telephone"}).size(), 1U);
  EXPECT_THAT(
      *store_->document_frequencies(handbook_, std::vector<std::string>{"employee", "cafe", "absent", ""}),
      ElementsAre(1U, 1U, 0U, 0U));
}

TEST_F(StoreTest, the_heading_path_is_searched_too) {
  add(handbook_, "a.md", {"twelve weeks"});
  EXPECT_THAT(found(handbook_, {"sample"}), ElementsAre("twelve weeks"));
}

TEST_F(StoreTest, an_identifier_matches_only_its_parts_in_order) {
  add(handbook_, "a.md", {"clause A-17 applies", "17 people sat in row A", "clause A-18 applies"});
  EXPECT_THAT(found(handbook_, {"a-17"}), ElementsAre("clause A-17 applies"));
}

// proves P-STORE-05
TEST_F(StoreTest, query_syntax_in_terms_is_only_words) {
  add(handbook_, "a.md", {"NEAR and NOT are words", "nothing here"});
  const std::vector<std::string> hostile = {"\"",
                                            "*",
                                            "near(",
                                            "NOT",
                                            "a\" OR \"nothing",
                                            "text:nothing",
                                            "^",
                                            "{",
                                            "-",
                                            std::string("no\0thing", 8),
                                            "'; DROP TABLE passages; --",
                                            "\xFF\xFE",
                                            ""};
  for (const std::string& term : hostile) {
    const auto hits = store_->search_terms(handbook_, std::vector<std::string>{term}, 5);
    ASSERT_TRUE(hits) << term << ": " << hits.error().line();
    const auto frequencies = store_->document_frequencies(handbook_, std::vector<std::string>{term});
    ASSERT_TRUE(frequencies) << term;
  }
  const auto all = store_->search_terms(handbook_, hostile, 5);
  ASSERT_TRUE(all) << all.error().line();
  // The operator inside the term is a word like any other, so this is a phrase that stands nowhere.
  EXPECT_THAT(found(handbook_, {"a\" OR \"nothing"}), IsEmpty());
  EXPECT_THAT(found(handbook_, {"NOT"}), ElementsAre("NEAR and NOT are words"));
}

TEST_F(StoreTest, nothing_to_search_for_finds_nothing) {
  add(handbook_, "a.md", {"one"});
  EXPECT_THAT(found(handbook_, {}), IsEmpty());
  EXPECT_THAT(found(handbook_, {""}), IsEmpty());
  EXPECT_THAT(found(handbook_, {"one"}, 0), IsEmpty());
  EXPECT_THAT(found(handbook_, {"one"}, -1), IsEmpty());
}

TEST_F(StoreTest, a_store_may_be_read_while_its_rows_are_visited) {
  add(handbook_, "a.md", {"one"});
  add(handbook_, "b.md", {"two"});
  int visited = 0;
  ASSERT_TRUE(store_->for_each_document(handbook_, [&](const DocumentRow& row) {
    EXPECT_TRUE(store_->document_text(row.id));
    EXPECT_TRUE(store_->for_each_document(handbook_, [&](const DocumentRow&) { ++visited; }));
  }));
  EXPECT_EQ(visited, 4);
}

// Ledger ------------------------------------------------------------------------------------------------

TEST_F(StoreTest, the_ledger_returns_runs_newest_first) {
  for (int i = 1; i <= 3; ++i)
    ASSERT_TRUE(store_->add_run({RunId{}, i, i == 2 ? "ask" : "retrieval", "{}", "{\"n\":1}"}));
  const auto runs = store_->runs("retrieval", 10);
  ASSERT_TRUE(runs && runs->size() == 2);
  EXPECT_EQ((*runs)[0].at, 3);
  EXPECT_EQ((*runs)[1].at, 1);
  EXPECT_EQ(store_->runs("", 2)->size(), 2U);
}

TEST_F(StoreTest, a_run_keeps_its_items_in_the_order_in_which_they_were_given) {
  const std::vector<RunItem> items = {{"q2", "b.md", "{\"em\":1}", "yes"},
                                      {"q1", "", "{}", std::string(20000, 'x')}};
  const auto added = store_->add_run({RunId{}, 7, "qa", "{\"name\":\"a\"}", "{}"}, items);
  ASSERT_TRUE(added) << added.error().line();
  const auto other = store_->add_run({RunId{}, 8, "qa", "{}", "{}"});
  ASSERT_TRUE(other);
  const auto kept = store_->run_items(*added);
  ASSERT_TRUE(kept && kept->size() == 2);
  EXPECT_EQ((*kept)[0].item, "q2");
  EXPECT_EQ((*kept)[0].cluster, "b.md");
  EXPECT_EQ((*kept)[0].scores, "{\"em\":1}");
  EXPECT_EQ((*kept)[0].output, "yes");
  EXPECT_EQ((*kept)[1].output.size(), 20000U);
  EXPECT_THAT(*store_->run_items(*other), IsEmpty());
  EXPECT_THAT(*store_->run_items(RunId{99}), IsEmpty());
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(StoreTest, a_run_is_found_by_its_number_or_not_at_all) {
  const auto added = store_->add_run({RunId{}, 7, "qa", "{\"name\":\"a\"}", "{\"n\":1}"});
  ASSERT_TRUE(added);
  const auto found = store_->find_run(*added);
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->id, *added);
  EXPECT_EQ((*found)->at, 7);
  EXPECT_EQ((*found)->config, "{\"name\":\"a\"}");
  EXPECT_FALSE(store_->find_run(RunId{2})->has_value());
  EXPECT_FALSE(store_->find_run(RunId{~std::uint64_t{0}})->has_value());
}

TEST_F(StoreTest, a_walk_through_the_ledger_ends_when_its_visitor_has_seen_enough) {
  for (int i = 1; i <= 5; ++i) ASSERT_TRUE(store_->add_run({RunId{}, i, "qa", "{}", "{}"}));
  std::vector<std::int64_t> seen;
  ASSERT_TRUE(store_->for_each_run("", [&](const LedgerRow& row) {
    seen.push_back(row.at);
    return seen.size() < 3;
  }));
  EXPECT_THAT(seen, ::testing::ElementsAre(5, 4, 3));
  EXPECT_THAT(*store_->runs("", 0), IsEmpty());
}

// Check -------------------------------------------------------------------------------------------------

// proves P-STORE-06
TEST_F(StoreTest, check_names_each_kind_of_broken_invariant) {
  add(handbook_, "a.md", {"one word", "two words"});
  ASSERT_THAT(problems(), IsEmpty());
  const std::pair<const char*, const char*> cases[] = {
      {"DELETE FROM vectors WHERE passage = 1", "passage without vector"},
      {"UPDATE vectors SET vector = x'00' WHERE passage = 1", "vector of the wrong size"},
      {"UPDATE passages SET text = 'other' WHERE id = 1", "not its document's text"},
      {"DELETE FROM texts", "document without text"},
      {"INSERT INTO vectors VALUES(99, x'00000000')", "vector without passage"},
      {"UPDATE documents SET passage_count = 5", "another number of passages"},
      {"DELETE FROM fts_1_docsize WHERE id = 2", "without full-text row"},
  };
  store_.reset();
  const std::string sound = testing::read_file(file_);
  for (const auto& [sql, expected] : cases) {
    testing::write_file(file_, sound);
    tamper(sql);
    open();
    EXPECT_THAT(problems(), ::testing::Contains(HasSubstr(expected))) << sql;
    store_.reset();
  }
  // The words of a passage that the index does not know: only FTS5's own check can see that.
  testing::write_file(file_, sound);
  tamper(
      "UPDATE passages SET text = 'one wort' WHERE id = 1; UPDATE texts SET text = 'one wort' || "
      "substr(text, 9)");
  open();
  EXPECT_THAT(problems(), ::testing::Contains(HasSubstr("full-text index of handbook")));
}

// Adopted settings -----------------------------------------------------------------------------------------

// proves P-STORE-11
TEST_F(StoreTest, what_was_adopted_counts_until_it_is_taken_back_and_then_what_was_before) {
  const auto run = store_->add_run({RunId{}, 1, "improve", "{}", "{}"});
  ASSERT_TRUE(run);
  const std::string scope = scope_of(handbook_);
  EXPECT_FALSE(*store_->adopted(scope));
  ASSERT_TRUE(store_->adopt(scope, "{\"a\":\"1\"}", *run, 10));
  ASSERT_TRUE(store_->adopt(scope, "{\"a\":\"2\"}", *run, 20));
  ASSERT_TRUE(store_->adopt("data /x.csv", "{\"a\":\"9\"}", *run, 30));
  open();
  EXPECT_EQ((*store_->adopted(scope))->settings, "{\"a\":\"2\"}");
  const auto taken = store_->take_back(scope, 40);
  ASSERT_TRUE(taken && *taken);
  EXPECT_EQ((*taken)->settings, "{\"a\":\"2\"}");
  EXPECT_EQ((*store_->adopted(scope))->settings, "{\"a\":\"1\"}");
  EXPECT_EQ((*store_->adopted(scope))->run, *run);
  ASSERT_TRUE(*store_->take_back(scope, 50));
  EXPECT_FALSE(*store_->adopted(scope));
  EXPECT_FALSE(*store_->take_back(scope, 60));
  const auto all = store_->adoptions(scope);
  ASSERT_TRUE(all && all->size() == 2);
  EXPECT_EQ(all->front().undone_at, 40);
  EXPECT_EQ((*store_->adopted("data /x.csv"))->settings, "{\"a\":\"9\"}");
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(StoreTest, settings_are_adopted_only_with_a_run_that_says_why) {
  const auto refused = store_->adopt(scope_of(handbook_), "{}", RunId{77}, 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Kind::bad_request);
  EXPECT_FALSE(*store_->adopted(scope_of(handbook_)));
}

TEST_F(StoreTest, a_removed_collection_takes_its_adopted_settings_along) {
  const auto run = store_->add_run({RunId{}, 1, "improve", "{}", "{}"});
  ASSERT_TRUE(store_->adopt(scope_of(handbook_), "{}", *run, 1));
  ASSERT_TRUE(store_->remove_collection(handbook_));
  EXPECT_THAT(*store_->adoptions(""), IsEmpty());
  const auto again = store_->ensure_collection("handbook", "fake", "fingerprint", kDimensions);
  ASSERT_TRUE(again);
  EXPECT_FALSE(*store_->adopted(scope_of(again->id)));
}

}  // namespace
}  // namespace loam::store
