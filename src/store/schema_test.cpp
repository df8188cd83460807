// What open() makes of files of every kind: new, old, newer, foreign, damaged, hostile, read-only.
#include "store/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>
#include <thread>

#include "store/testing/sample.h"

namespace loam::store {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::put;
using testing::read_file;
using testing::sample;
using testing::TemporaryFolder;
using testing::write_file;

class SchemaTest : public ::testing::Test {
 protected:
  /// A closed store with two small documents.
  void make_store() {
    auto store = Store::open(file_);
    ASSERT_TRUE(store) << store.error().line();
    const auto collection =
        (*store)->ensure_collection("handbook", "fake", "fingerprint", testing::kDimensions);
    ASSERT_TRUE(collection);
    ASSERT_TRUE(put(**store, collection->id, sample("a.md", {"parking costs ten euros", "lunch is free"})));
    ASSERT_TRUE(put(**store, collection->id, sample("b.md", {"leave is twelve weeks"})));
    const RunItem item{"q1", "a.md", "{\"f1\":1}", "ten euros"};
    ASSERT_TRUE((*store)->add_run({RunId{}, 1, "qa", "{}", "{}"}, std::span(&item, 1)));
  }

  void run_sql(const std::string& sql) {
    sqlite3* raw = nullptr;
    ASSERT_EQ(sqlite3_open(file_.c_str(), &raw), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(raw, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(raw);
    sqlite3_close(raw);
  }

  Error open_error(StoreOptions options = {}) {
    auto store = Store::open(file_, options);
    EXPECT_FALSE(store) << "the store opened";
    return store ? Error{} : store.error();
  }

  TemporaryFolder folder_;
  std::filesystem::path file_ = folder_ / "loam.db";
};

TEST_F(SchemaTest, a_new_store_says_what_it_is_and_flushes_every_commit) {
  make_store();
  auto database = Database::open(file_, {});
  ASSERT_TRUE(database);
  ASSERT_TRUE(prepare_schema(**database, {}, silent_logger()));
  EXPECT_EQ(*(*database)->number("PRAGMA application_id"), kApplicationId);
  EXPECT_EQ(*(*database)->number("PRAGMA user_version"), kSchemaVersion);
  EXPECT_EQ(*(*database)->number("PRAGMA synchronous"), 2);  // FULL
  EXPECT_EQ(*(*database)->number("PRAGMA foreign_keys"), 1);
  EXPECT_EQ(*(*database)->number("PRAGMA trusted_schema"), 0);
  auto mode = (*database)->prepare("PRAGMA journal_mode");
  ASSERT_TRUE(mode.next());
  EXPECT_EQ(mode.text(0), "wal");
}

TEST_F(SchemaTest, an_empty_file_becomes_a_store) {
  write_file(file_, "");
  make_store();
  auto store = Store::open(file_);
  ASSERT_TRUE(store);
  EXPECT_THAT(*(*store)->check(), IsEmpty());
}

TEST_F(SchemaTest, a_newer_store_is_refused_untouched) {
  make_store();
  run_sql("PRAGMA user_version = " + std::to_string(kSchemaVersion + 1));
  const std::string before = read_file(file_);
  const Error error = open_error();
  EXPECT_EQ(error.kind, Kind::bad_request);
  EXPECT_THAT(error.message, HasSubstr("newer"));
  EXPECT_FALSE(error.next_step.empty());
  EXPECT_EQ(read_file(file_), before);
}

TEST_F(SchemaTest, a_database_of_another_program_is_refused_untouched) {
  run_sql("CREATE TABLE theirs(x); INSERT INTO theirs VALUES(1)");
  const std::string before = read_file(file_);
  EXPECT_EQ(open_error().kind, Kind::bad_data);
  EXPECT_EQ(read_file(file_), before);
  EXPECT_FALSE(std::filesystem::exists(file_.string() + "-wal"));
}

TEST_F(SchemaTest, a_file_that_is_no_database_is_refused_untouched) {
  const std::string text(5000, 'x');
  write_file(file_, text);
  const Error error = open_error();
  EXPECT_EQ(error.kind, Kind::bad_data);
  EXPECT_THAT(error.message, HasSubstr("not a Loam store"));
  EXPECT_EQ(read_file(file_), text);
}

TEST_F(SchemaTest, a_folder_in_place_of_the_file_and_a_missing_folder_are_refused) {
  std::filesystem::create_directory(file_);
  EXPECT_EQ(open_error().kind, Kind::bad_request);
  file_ = folder_ / "missing/loam.db";
  EXPECT_EQ(open_error().kind, Kind::unavailable);
}

TEST_F(SchemaTest, a_schema_with_anything_added_missing_or_altered_is_refused) {
  make_store();
  const std::string sound = read_file(file_);
  for (const char* sql :
       {"CREATE TRIGGER evil AFTER INSERT ON documents BEGIN DELETE FROM runs; END", "CREATE TABLE more(x)",
        "CREATE VIEW more AS SELECT 1", "DROP TABLE runs", "DROP INDEX documents_by_hash",
        "DROP VIEW fts_1_rows", "ALTER TABLE texts ADD COLUMN more TEXT", "DROP TABLE fts_1",
        "INSERT INTO collections VALUES(9,'x','x','x',4,0)"}) {
    write_file(file_, sound);
    run_sql(sql);
    const Error error = open_error();
    EXPECT_EQ(error.kind, Kind::bad_data) << sql;
  }
}

TEST_F(SchemaTest, a_truncated_store_is_refused_or_reports_its_damage) {
  make_store();
  const std::string sound = read_file(file_);
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{99}, std::size_t{100}, std::size_t{4096}, std::size_t{8192},
        std::size_t{8192 * 3}, sound.size() - 8192, sound.size() - 1}) {
    write_file(file_, std::string_view(sound).substr(0, size));
    auto store = Store::open(file_);
    if (!store) {
      EXPECT_EQ(store.error().kind, Kind::bad_data) << size << ": " << store.error().line();
      continue;
    }
    const auto problems = (*store)->check();
    EXPECT_TRUE(!problems || !problems->empty()) << size;
  }
}

/// Calls everything once. What comes back does not matter, as long as failures are typed and nothing crashes.
void use_everything(Store& store) {
  const auto typed = [](const auto& result) {
    if (!result) {
      EXPECT_TRUE(result.error().kind == Kind::bad_data || result.error().kind == Kind::bad_request)
          << result.error().line();
    }
  };
  typed(store.check());
  auto collections = store.collections();
  typed(collections);
  if (!collections) return;
  const std::vector<std::string> terms = {"parking", "leave", "a-17", "ten"};
  for (const Collection& collection : *collections) {
    typed(store.counts(collection.id));
    typed(store.search_terms(collection.id, terms, 5));
    typed(store.document_frequencies(collection.id, terms));
    typed(store.for_each_vector(collection.id, [](PassageId, std::span<const float>) {}));
    auto documents = store.documents(collection.id);
    typed(documents);
    if (!documents) continue;
    for (const DocumentRow& row : *documents) {
      typed(store.document_text(row.id));
      typed(store.pages_of(row.id));
      auto ids = store.passages_of(row.id);
      typed(ids);
      if (ids) typed(store.passages(*ids));
    }
    if (!documents->empty()) typed(store.remove_document(documents->front().id));
    typed(put(store, collection.id, sample("c.md", {"parking is dear", "leave it"})));
  }
  auto runs = store.runs("", 5);
  typed(runs);
  if (runs && !runs->empty()) typed(store.run_items(runs->front().id));
  typed(store.find_run(RunId{1}));
}

// proves P-STORE-07
TEST_F(SchemaTest, flipped_bytes_give_a_store_or_bad_data_and_never_a_crash) {
  make_store();
  const std::string sound = read_file(file_);
  std::minstd_rand engine(20240817);  // fixed, so that a failure repeats
  const auto random = [&engine] { return static_cast<std::uint32_t>(engine() >> 3); };
  const std::uint32_t size = static_cast<std::uint32_t>(sound.size());
  constexpr int kRounds = 120;
  int refused = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::string damaged = sound;
    // Half the rounds aim at page headers, where the structure is.
    const std::uint32_t flips = 1 + random() % 8;
    for (std::uint32_t i = 0; i < flips; ++i) {
      const std::uint32_t at =
          round % 2 == 0 ? random() % size : (random() % (size / 8192)) * 8192 + random() % 128;
      damaged[at] = static_cast<char>(random());
    }
    for (const char* tail : {"-wal", "-shm"}) std::filesystem::remove(file_.string() + tail);
    write_file(file_, damaged);
    auto store = Store::open(file_);
    if (!store) {
      ++refused;
      EXPECT_TRUE(store.error().kind == Kind::bad_data || store.error().kind == Kind::bad_request)
          << round << ": " << store.error().line();
      continue;
    }
    use_everything(**store);
  }
  EXPECT_GT(refused, 0);
  EXPECT_LT(refused, kRounds);
}

// Migration ---------------------------------------------------------------------------------------------

// proves P-STORE-08
TEST_F(SchemaTest, migration_keeps_a_backup_of_the_old_store_and_is_all_or_nothing) {
  make_store();
  auto database = Database::open(file_, {});
  ASSERT_TRUE(database);
  const Migration broken[] = {{kSchemaVersion, "CREATE TABLE half(x); CREATE TABLE half(x)"}};
  EXPECT_FALSE(migrate(**database, kSchemaVersion + 1, broken, silent_logger()));
  EXPECT_EQ(*(*database)->number("PRAGMA user_version"), kSchemaVersion);
  EXPECT_EQ(*(*database)->number("SELECT count(*) FROM sqlite_schema WHERE name = 'half'"), 0);

  const Migration good[] = {{kSchemaVersion, "ALTER TABLE runs ADD COLUMN extra TEXT"},
                            {kSchemaVersion + 1, "UPDATE collections SET name = 'new'"}};
  const auto migrated = migrate(**database, kSchemaVersion + 2, good, silent_logger());
  ASSERT_TRUE(migrated) << migrated.error().line();
  EXPECT_EQ(*(*database)->number("PRAGMA user_version"), kSchemaVersion + 2);
  EXPECT_EQ(*(*database)->number("SELECT count(*) FROM collections WHERE name = 'new'"), 1);

  auto old = Store::open(file_.string() + ".v" + std::to_string(kSchemaVersion) + ".backup");
  ASSERT_TRUE(old) << old.error().line();
  EXPECT_TRUE((*old)->find_collection("handbook")->has_value());
  EXPECT_THAT(*(*old)->check(), IsEmpty());
}

TEST_F(SchemaTest, a_version_that_no_migration_starts_from_is_refused) {
  make_store();
  auto database = Database::open(file_, {});
  ASSERT_TRUE(database);
  const auto refused = migrate(**database, kSchemaVersion + 1, {}, silent_logger());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Kind::bad_data);
}

std::string frozen(const char* name) {
  return read_file(std::filesystem::path(LOAM_SOURCE_DIR) / "tests/compat" / name);
}

std::int64_t version_of(const std::filesystem::path& file) {
  auto database = Database::open(file, {});
  return database ? *(*database)->number("PRAGMA user_version") : -1;
}

/// What every frozen sample holds since format 1.
void expect_the_sample(const std::filesystem::path& file) {
  auto store = Store::open(file);
  ASSERT_TRUE(store) << store.error().line();
  EXPECT_THAT(*(*store)->check(), IsEmpty());
  const auto collection = (*store)->find_collection("handbook");
  ASSERT_TRUE(collection && *collection);
  EXPECT_EQ((*collection)->embedder, "fake");
  const auto row = (*store)->find_document((*collection)->id, "leave.md");
  ASSERT_TRUE(row && *row);
  EXPECT_EQ(*(*store)->document_text((*row)->id), "Parents get twelve weeks.\nAsk your manager first.\n");
  const auto hits = (*store)->search_terms((*collection)->id, std::vector<std::string>{"weeks"}, 5);
  ASSERT_TRUE(hits && hits->size() == 1);
  int vectors = 0;
  ASSERT_TRUE(
      (*store)->for_each_vector((*collection)->id, [&](PassageId, std::span<const float>) { ++vectors; }));
  EXPECT_EQ(vectors, 3);
  EXPECT_EQ((*store)->runs("ask", 5)->size(), 1U);
}

// proves P-STORE-09: stores of every released format open for ever.
TEST_F(SchemaTest, the_frozen_store_of_format_1_is_migrated_and_sound_and_its_backup_is_as_it_was) {
  write_file(file_, frozen("store_v1.loam"));
  ASSERT_EQ(version_of(file_), 1);
  expect_the_sample(file_);
  EXPECT_EQ(version_of(file_), kSchemaVersion);
  EXPECT_EQ(version_of(file_.string() + ".v1.backup"), 1);
  auto store = Store::open(file_);
  ASSERT_TRUE(store);
  const RunId old = (*store)->runs("ask", 5)->front().id;
  EXPECT_THAT(*(*store)->run_items(old), IsEmpty());
  const RunItem item{"q1", "leave.md", "{\"f1\":0.5}", "twelve weeks"};
  const auto added = (*store)->add_run({RunId{}, 1, "qa", "{}", "{}"}, std::span(&item, 1));
  ASSERT_TRUE(added) << added.error().line();
  EXPECT_EQ((*store)->run_items(*added)->size(), 1U);
  EXPECT_THAT(*(*store)->check(), IsEmpty());
}

TEST_F(SchemaTest, the_frozen_store_of_format_2_opens_and_is_sound) {
  write_file(file_, frozen("store_v2.loam"));
  expect_the_sample(file_);
  auto store = Store::open(file_);
  ASSERT_TRUE(store);
  const auto runs = (*store)->runs("qa", 5);
  ASSERT_TRUE(runs && runs->size() == 1);
  const auto items = (*store)->run_items(runs->front().id);
  ASSERT_TRUE(items && items->size() == 2);
  EXPECT_EQ((*items)[0].item, "q1");
  EXPECT_EQ((*items)[0].cluster, "leave.md");
  EXPECT_EQ((*items)[1].scores, "{\"f1\":0.5}");
  EXPECT_EQ((*items)[1].output, "ten euros");
}

TEST_F(SchemaTest, the_frozen_store_of_format_3_opens_and_is_sound) {
  write_file(file_, frozen("store_v3.loam"));
  EXPECT_EQ(version_of(file_), 3);
  expect_the_sample(file_);
  auto store = Store::open(file_);
  ASSERT_TRUE(store);
  const auto collection = (*store)->find_collection("handbook");
  ASSERT_TRUE(collection && *collection);
  const auto adopted = (*store)->adopted(scope_of((*collection)->id));
  ASSERT_TRUE(adopted && *adopted);
  EXPECT_EQ((*adopted)->settings, "{\"ask.passages\":\"6\"}");
  EXPECT_EQ((*store)->adoptions("")->size(), 2U);
}

TEST_F(SchemaTest, an_old_store_opened_by_many_at_once_is_migrated_once_and_its_backup_is_the_old_one) {
  for (int round = 0; round < 10; ++round) {
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path()))
      std::filesystem::remove(entry.path());
    write_file(file_, frozen("store_v1.loam"));
    constexpr std::size_t kThreads = 4;
    std::vector<std::string> errors(kThreads);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        auto store = Store::open(file_);
        if (!store) errors[i] = store.error().line();
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_THAT(errors, ::testing::Each(IsEmpty()));
    EXPECT_EQ(version_of(file_), kSchemaVersion);
    EXPECT_EQ(version_of(file_.string() + ".v1.backup"), 1);
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path()))
      EXPECT_THAT(entry.path().string(), ::testing::Not(HasSubstr(".partial")));
  }
}

TEST_F(SchemaTest, what_a_killed_migration_left_is_cleared_away_by_the_next) {
  write_file(file_, frozen("store_v1.loam"));
  // No process has this number: it is above the largest that Linux gives.
  const std::filesystem::path left = file_.string() + ".v1.backup.2147483647-1.partial";
  const std::filesystem::path of_another =
      file_.string() + ".v1.backup." + std::to_string(::getpid()) + "-999.partial";
  write_file(left, "half");
  write_file(of_another, "half");
  ASSERT_TRUE(Store::open(file_));
  EXPECT_FALSE(std::filesystem::exists(left));
  EXPECT_TRUE(std::filesystem::exists(of_another));  // that process lives
}

TEST_F(SchemaTest, an_old_store_is_not_migrated_by_a_reader) {
  write_file(file_, frozen("store_v1.loam"));
  EXPECT_EQ(open_error({.read_only = true}).kind, Kind::bad_request);
  EXPECT_EQ(version_of(file_), 1);
}

// Who may write -----------------------------------------------------------------------------------------

TEST_F(SchemaTest, a_read_only_store_can_be_searched_and_checked_but_not_changed) {
  make_store();
  auto store = Store::open(file_, {.read_only = true});
  ASSERT_TRUE(store) << store.error().line();
  const CollectionId id = (*(*store)->find_collection("handbook"))->id;
  EXPECT_EQ((*store)->search_terms(id, std::vector<std::string>{"parking"}, 5)->size(), 1U);
  EXPECT_THAT(*(*store)->check(), IsEmpty());
  const auto refused = put(**store, id, sample("c.md", {"new"}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Kind::unavailable);
  file_ = folder_ / "none.db";
  EXPECT_EQ(open_error({.read_only = true}).kind, Kind::unavailable);
  EXPECT_FALSE(std::filesystem::exists(file_));
}

/// Runs `body` in a child without root's right to write anywhere; its return value is the exit status.
template <typename Body>
int run_as_nobody(const Body& body) {
  const pid_t child = fork();
  if (child == 0) {
    constexpr uid_t kNobody = 65534;
    if (geteuid() == 0 && (setgid(kNobody) != 0 || setuid(kNobody) != 0)) _exit(99);
    _exit(body());
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

TEST_F(SchemaTest, in_a_folder_that_cannot_be_written_reading_works_and_writing_is_refused_with_the_place) {
  make_store();
  namespace fs = std::filesystem;
  fs::permissions(file_, fs::perms::owner_read | fs::perms::group_read | fs::perms::others_read);
  fs::permissions(folder_.path(), fs::perms::owner_read | fs::perms::owner_exec | fs::perms::others_read |
                                      fs::perms::others_exec);
  const int status = run_as_nobody([&] {
    auto writer = Store::open(file_);
    if (writer || writer.error().kind != Kind::unavailable || writer.error().place != file_.string())
      return 1;
    auto fresh = Store::open(folder_ / "fresh.db");
    if (fresh || fresh.error().kind != Kind::unavailable) return 2;
    auto reader = Store::open(file_, {.read_only = true});
    if (!reader) return 3;
    const auto collection = (*reader)->find_collection("handbook");
    if (!collection || !*collection) return 4;
    const auto hits = (*reader)->search_terms((*collection)->id, std::vector<std::string>{"parking"}, 5);
    return hits && hits->size() == 1 ? 0 : 5;
  });
  fs::permissions(folder_.path(), fs::perms::owner_all);
  EXPECT_EQ(status, 0);
}

TEST_F(SchemaTest, a_writer_waits_for_another_and_then_says_who_is_in_the_way) {
  make_store();
  auto other = Database::open(file_, {});
  ASSERT_TRUE(other);
  Transaction held(**other);
  ASSERT_TRUE(held.begun());
  auto store = Store::open(file_, {.busy_timeout_ms = 50});
  ASSERT_TRUE(store) << store.error().line();
  const CollectionId id = (*(*store)->find_collection("handbook"))->id;
  const auto refused = put(**store, id, sample("c.md", {"new"}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Kind::unavailable);
  EXPECT_THAT(refused.error().message, HasSubstr("another process"));
  EXPECT_EQ((*store)->search_terms(id, std::vector<std::string>{"parking"}, 5)->size(),
            1U);  // readers never wait
}

TEST_F(SchemaTest, stores_opened_for_the_first_time_at_once_make_one_sound_store) {
  constexpr int kThreads = 6;
  std::vector<std::thread> threads;
  std::vector<std::string> errors(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([this, i, &errors] {
      auto store = Store::open(file_);
      if (!store) {
        errors[static_cast<std::size_t>(i)] = store.error().line();
        return;
      }
      const auto collection =
          (*store)->ensure_collection("shared", "fake", "fingerprint", testing::kDimensions);
      if (!collection) {
        errors[static_cast<std::size_t>(i)] = collection.error().line();
        return;
      }
      for (int n = 0; n < 5; ++n) {
        auto made = put(**store, collection->id,
                        sample(std::to_string(i) + "-" + std::to_string(n), {"words of one"}));
        if (!made) errors[static_cast<std::size_t>(i)] = made.error().line();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(errors, ::testing::Each(IsEmpty()));
  auto store = Store::open(file_);
  ASSERT_TRUE(store);
  EXPECT_EQ((*store)->collections()->size(), 1U);
  EXPECT_EQ((*store)->counts((*(*store)->find_collection("shared"))->id)->documents, 30U);
  EXPECT_THAT(*(*store)->check(), IsEmpty());
}

}  // namespace
}  // namespace loam::store
