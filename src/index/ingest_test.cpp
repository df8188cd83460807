#include "index/ingest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <thread>

#include "index/index.h"
#include "index/testing/fakes.h"
#include "store/testing/sample.h"

namespace loam::index {
namespace {

namespace fs = std::filesystem;
using store::testing::TemporaryFolder;
using store::testing::write_file;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

class IngestTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = store::Store::open(home_ / "loam.db");
    ASSERT_TRUE(opened) << opened.error().line();
    store_ = std::move(*opened);
    auto made = store_->ensure_collection("docs", embedder_.model_name(), embedder_.fingerprint(),
                                          embedder_.dimensions());
    ASSERT_TRUE(made);
    collection_ = made->id;
  }

  fs::path write(const std::string& name, const std::string& text) {
    const fs::path file = files_ / name;
    fs::create_directories(file.parent_path());
    write_file(file, text);
    // Old enough to be trusted; different for each write, as a real clock's would be.
    fs::last_write_time(
        file, fs::file_time_type::clock::now() - std::chrono::hours(24) + std::chrono::seconds(++writes_));
    return file;
  }

  /// Source to verdict, in the order reported by the last run.
  std::vector<std::pair<std::string, std::string>> run(const std::vector<fs::path>& paths) {
    verdicts_.clear();
    auto summary = ingest(
        *store_, collection_, reader_, embedder_, paths, options_,
        [&](const FileVerdict& verdict) {
          verdicts_.push_back(verdict);
          if (on_file) on_file(verdict);
        },
        progress_, stop_.get_token());
    EXPECT_TRUE(summary) << (summary ? "" : summary.error().line());
    if (summary) summary_ = *summary;
    std::vector<std::pair<std::string, std::string>> short_form;
    for (const FileVerdict& verdict : verdicts_)
      short_form.emplace_back(verdict.file, std::string(name_of(verdict.verdict)));
    return short_form;
  }
  std::vector<std::pair<std::string, std::string>> run() { return run({files_.path()}); }

  std::string reason_of(const std::string& file) {
    for (const FileVerdict& verdict : verdicts_) {
      if (verdict.file == file) return verdict.reason;
    }
    return "no verdict";
  }

  std::vector<std::string> sources() {
    std::vector<std::string> names;
    const auto rows = store_->documents(collection_);
    EXPECT_TRUE(rows);
    if (rows) {
      for (const store::DocumentRow& row : *rows) names.push_back(row.source);
    }
    return names;
  }

  void expect_sound() { EXPECT_THAT(*store_->check(), IsEmpty()); }

  TemporaryFolder home_, files_;
  std::unique_ptr<store::Store> store_;
  CollectionId collection_{};
  testing::FakeEmbedder embedder_;
  testing::FakeReader reader_;
  IngestOptions options_;
  ProgressSink progress_;
  std::stop_source stop_;
  std::vector<FileVerdict> verdicts_;
  IngestSummary summary_;
  std::function<void(const FileVerdict&)> on_file;
  int writes_ = 0;
};

TEST_F(IngestTest, a_folder_is_ingested_in_name_order_with_paths_relative_to_it) {
  write("b.md", "beta text");
  write("a/z.md", "zeta text");
  write("a-b.md", "dash text");
  EXPECT_THAT(run(),
              ElementsAre(Pair("a/z.md", "ingested"), Pair("a-b.md", "ingested"), Pair("b.md", "ingested")));
  EXPECT_EQ(summary_.ingested, 3);
  EXPECT_EQ(summary_.passages, 3U);
  EXPECT_EQ(verdicts_[0].passages, 1);
  EXPECT_EQ(*store_->document_text((*store_->find_document(collection_, "a/z.md"))->id), "zeta text");
  expect_sound();
}

// proves P-ING-03
TEST_F(IngestTest, an_unchanged_file_is_neither_read_nor_embedded_again) {
  write("a.md", "alpha");
  run();
  const auto embedded = embedder_.embedded;
  EXPECT_THAT(run(), ElementsAre(Pair("a.md", "unchanged")));
  // A new time with the same bytes: hashed, and still nothing to do.
  write("a.md", "alpha");
  EXPECT_THAT(run(), ElementsAre(Pair("a.md", "unchanged")));
  EXPECT_EQ(reader_.files_read, 1);
  EXPECT_EQ(embedder_.embedded, embedded);
}

TEST_F(IngestTest, a_change_within_the_clock_tick_of_the_first_run_is_noticed) {
  const fs::path file = files_ / "a.md";
  write_file(file, "alpha");
  const auto time = fs::last_write_time(file);
  run();
  write_file(file, "gamma");  // same size
  fs::last_write_time(file, time);
  EXPECT_THAT(run(), ElementsAre(Pair("a.md", "ingested")));
}

TEST_F(IngestTest, without_trust_in_times_the_bytes_decide) {
  const fs::path file = write("a.md", "alpha");
  const auto time = fs::last_write_time(file);
  run();
  write_file(file, "gamma");
  fs::last_write_time(file, time);
  EXPECT_THAT(run(), ElementsAre(Pair("a.md", "unchanged")));
  options_.trust_mtime = false;
  EXPECT_THAT(run(), ElementsAre(Pair("a.md", "ingested")));
}

TEST_F(IngestTest, a_changed_file_replaces_what_was_known_of_it) {
  write("a.md", "apples are red");
  run();
  write("a.md", "pears are green");
  EXPECT_THAT(run(), ElementsAre(Pair("a.md", "ingested")));
  EXPECT_THAT(*store_->search_terms(collection_, std::vector<std::string>{"apples"}, 5), IsEmpty());
  EXPECT_EQ(store_->search_terms(collection_, std::vector<std::string>{"pears"}, 5)->size(), 1U);
  EXPECT_EQ(store_->counts(collection_)->documents, 1U);
  expect_sound();
}

// proves P-ING-04
TEST_F(IngestTest, a_renamed_or_moved_file_is_not_embedded_again) {
  write("old.md", "lasting words");
  write("sub/moved.md", "other words");
  run();
  const auto embedded = embedder_.embedded;
  fs::rename(files_ / "old.md", files_ / "new.md");
  fs::rename(files_ / "sub/moved.md", files_ / "moved.md");
  EXPECT_THAT(run(), ElementsAre(Pair("moved.md", "renamed"), Pair("new.md", "renamed")));
  EXPECT_EQ(reason_of("new.md"), "was old.md");
  EXPECT_EQ(embedder_.embedded, embedded);
  EXPECT_THAT(sources(), ElementsAre("moved.md", "new.md"));
  expect_sound();
}

TEST_F(IngestTest, a_copy_is_a_document_of_its_own) {
  write("a.md", "same words");
  run();
  write("b.md", "same words");
  EXPECT_THAT(run(), ElementsAre(Pair("a.md", "unchanged"), Pair("b.md", "ingested")));
  fs::remove(files_ / "a.md");
  EXPECT_THAT(run(), ElementsAre(Pair("b.md", "unchanged"), Pair("a.md", "removed")));
  EXPECT_THAT(sources(), ElementsAre("b.md"));
}

TEST_F(IngestTest, a_folder_that_moved_as_a_whole_keeps_its_names) {
  write("one/a.md", "alpha");
  write("one/b.md", "beta");
  run({files_ / "one"});
  fs::rename(files_ / "one", files_ / "two");
  EXPECT_THAT(run({files_ / "two"}), ElementsAre(Pair("a.md", "renamed"), Pair("b.md", "renamed")));
  EXPECT_THAT(sources(), ElementsAre("a.md", "b.md"));
}

TEST_F(IngestTest, files_that_are_gone_are_removed_only_inside_the_named_folders) {
  write("one/a.md", "alpha");
  write("one/b.md", "beta");
  write("two/c.md", "gamma");
  run({files_ / "one", files_ / "two"});
  fs::remove(files_ / "one/a.md");
  fs::remove(files_ / "two/c.md");
  EXPECT_THAT(run({files_ / "one"}), ElementsAre(Pair("b.md", "unchanged"), Pair("a.md", "removed")));
  EXPECT_THAT(sources(), ElementsAre("b.md", "c.md"));
  options_.remove_missing = false;
  EXPECT_THAT(run({files_ / "two"}), IsEmpty());
  EXPECT_THAT(sources(), ElementsAre("b.md", "c.md"));
}

TEST_F(IngestTest, a_single_named_file_removes_nothing_else) {
  write("a.md", "alpha");
  write("b.md", "beta");
  run();
  EXPECT_THAT(run({files_ / "a.md"}), ElementsAre(Pair("a.md", "unchanged")));
  EXPECT_THAT(sources(), ElementsAre("a.md", "b.md"));
  fs::remove(files_ / "a.md");
  EXPECT_THAT(run({files_ / "a.md"}), ElementsAre(Pair("a.md", "removed")));
  EXPECT_THAT(sources(), ElementsAre("b.md"));
}

TEST_F(IngestTest, a_path_that_does_not_exist_fails_and_the_rest_is_ingested) {
  write("a.md", "alpha");
  EXPECT_THAT(run({files_ / "none", files_ / "a.md"}),
              ElementsAre(Pair("none", "failed"), Pair("a.md", "ingested")));
  EXPECT_THAT(reason_of("none"), HasSubstr("no such file"));
}

TEST_F(IngestTest, a_named_folder_that_is_gone_keeps_its_documents) {
  // A disk that is not mounted must not empty the collection.
  write("disk/a.md", "alpha");
  run({files_ / "disk"});
  fs::rename(files_ / "disk", files_ / "away");
  EXPECT_THAT(run({files_ / "disk"}), ElementsAre(Pair("disk", "failed")));
  EXPECT_THAT(sources(), ElementsAre("a.md"));
}

TEST_F(IngestTest, files_of_the_same_name_in_two_folders_keep_apart_names_that_stay) {
  write("one/readme.md", "first");
  write("two/readme.md", "second");
  EXPECT_THAT(run({files_ / "one"}), ElementsAre(Pair("readme.md", "ingested")));
  EXPECT_THAT(run({files_ / "two"}), ElementsAre(Pair("two/readme.md", "ingested")));
  EXPECT_THAT(run({files_ / "two"}), ElementsAre(Pair("two/readme.md", "unchanged")));
  EXPECT_THAT(run({files_ / "one", files_ / "two"}),
              ElementsAre(Pair("readme.md", "unchanged"), Pair("two/readme.md", "unchanged")));
}

TEST_F(IngestTest, a_folder_inside_a_named_folder_brings_no_second_document) {
  write("sub/a.md", "alpha");
  run();
  EXPECT_THAT(run({files_ / "sub"}), ElementsAre(Pair("sub/a.md", "unchanged")));
  EXPECT_THAT(run({files_.path(), files_ / "sub", files_.path()}),
              ElementsAre(Pair("sub/a.md", "unchanged")));
  EXPECT_EQ(store_->counts(collection_)->documents, 1U);
}

// proves P-ING-01
TEST_F(IngestTest, one_bad_file_never_stops_the_rest) {
  write("1.md", "fine");
  write("2.md", "BROKEN");
  write("3.md", "UNEMBEDDABLE");
  write("4.md", "");
  write("5.md", "  \n \n");
  write("6.md", "NOTED but fine");
  write("7.png", std::string("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", 18));
  EXPECT_THAT(run(), ElementsAre(Pair("1.md", "ingested"), Pair("2.md", "failed"), Pair("3.md", "failed"),
                                 Pair("4.md", "skipped"), Pair("5.md", "skipped"), Pair("6.md", "ingested"),
                                 Pair("7.png", "skipped")));
  EXPECT_THAT(reason_of("2.md"), HasSubstr("damaged"));
  EXPECT_THAT(reason_of("2.md"), HasSubstr("Try: repair it"));
  EXPECT_THAT(reason_of("4.md"), HasSubstr("no text"));
  EXPECT_THAT(reason_of("5.md"), HasSubstr("no text"));
  EXPECT_EQ(reason_of("6.md"), "page 3 has no text");
  EXPECT_THAT(reason_of("7.png"), HasSubstr("not a format"));
  EXPECT_EQ(summary_.failed, 2);
  EXPECT_EQ(summary_.skipped, 3);
  expect_sound();
}

TEST_F(IngestTest, a_file_that_broke_keeps_its_earlier_version_and_says_so) {
  write("a.md", "good words");
  run();
  write("a.md", "BROKEN");
  EXPECT_THAT(run(), ElementsAre(Pair("a.md", "failed")));
  EXPECT_THAT(reason_of("a.md"), HasSubstr("earlier is kept"));
  EXPECT_EQ(store_->search_terms(collection_, std::vector<std::string>{"words"}, 5)->size(), 1U);
}

TEST_F(IngestTest, a_file_that_became_empty_loses_its_earlier_text) {
  write("a.md", "good words");
  run();
  write("a.md", "");
  EXPECT_THAT(run(), ElementsAre(Pair("a.md", "skipped")));
  EXPECT_THAT(reason_of("a.md"), HasSubstr("removed"));
  EXPECT_THAT(sources(), IsEmpty());
}

// proves P-ING-05
TEST_F(IngestTest, links_loops_pipes_and_hidden_files_are_passed_over) {
  write("a.md", "alpha");
  write(".hidden.md", "secret");
  write(".git/config", "secret");
  fs::create_directory_symlink(files_.path(), files_ / "loop");
  fs::create_symlink("a.md", files_ / "link.md");
  fs::create_symlink("nowhere", files_ / "dangling");
  ASSERT_EQ(mkfifo((files_ / "pipe").c_str(), 0600), 0);  // opening it would wait for ever
  EXPECT_THAT(run(),
              ElementsAre(Pair("a.md", "ingested"), Pair("dangling", "skipped"), Pair("link.md", "skipped"),
                          Pair("loop", "skipped"), Pair("pipe", "skipped")));
  EXPECT_EQ(reason_of("pipe"), "named pipe");
  EXPECT_EQ(reason_of("loop"), "symbolic link");
}

TEST_F(IngestTest, hidden_files_are_taken_when_asked_for) {
  write(".hidden.md", "secret");
  options_.include_hidden = true;
  EXPECT_THAT(run(), ElementsAre(Pair(".hidden.md", "ingested")));
}

TEST_F(IngestTest, followed_links_end_in_loops_and_bring_each_file_once) {
  write("a.md", "alpha");
  write("sub/b.md", "beta");
  fs::create_directory_symlink("..", files_ / "sub/up");
  fs::create_directory_symlink("sub", files_ / "again");
  fs::create_symlink("a.md", files_ / "z.md");
  fs::create_symlink("self", files_ / "self");
  options_.follow_symlinks = true;
  run();
  EXPECT_EQ(summary_.ingested, 2);
  EXPECT_EQ(summary_.failed, 0);
  EXPECT_EQ(store_->counts(collection_)->documents, 2U);
  run();
  EXPECT_EQ(summary_.ingested, 0);
  EXPECT_EQ(summary_.removed, 0);
}

TEST_F(IngestTest, an_unreadable_folder_fails_and_its_documents_stay) {
  write("open/a.md", "alpha");
  write("shut/b.md", "beta");
  run();
  if (geteuid() == 0) {
    // Root reads everything: a folder that turned into a link to nowhere stands in for it below, so here only
    // the walk's own report is not reachable.
    GTEST_LOG_(INFO) << "running as root: permissions do not bind, only the readable half is checked";
    EXPECT_THAT(run(), UnorderedElementsAre(Pair("open/a.md", "unchanged"), Pair("shut/b.md", "unchanged")));
    return;
  }
  fs::permissions(files_ / "shut", fs::perms::none);
  EXPECT_THAT(run(), UnorderedElementsAre(Pair("open/a.md", "unchanged"), Pair("shut", "failed")));
  fs::permissions(files_ / "shut", fs::perms::owner_all);
  EXPECT_THAT(sources(), ElementsAre("open/a.md", "shut/b.md"));
}

TEST_F(IngestTest, a_file_name_that_is_no_utf8_gets_a_printable_source) {
  write("bad\xFFname.md", "alpha");
  write("bad\xFEname.md", "beta");
  const auto verdicts = run();
  ASSERT_EQ(verdicts.size(), 2U);
  EXPECT_TRUE(is_valid_utf8(verdicts[0].first));
  EXPECT_NE(verdicts[0].first, verdicts[1].first);
  EXPECT_THAT(run(), ElementsAre(Pair(verdicts[0].first, "unchanged"), Pair(verdicts[1].first, "unchanged")));
}

// proves P-ING-06
TEST_F(IngestTest, another_recipe_reads_every_file_again) {
  write("a.md", "alpha beta gamma. delta epsilon zeta. eta theta iota.");
  run();
  EXPECT_THAT(run(), ElementsAre(Pair("a.md", "unchanged")));
  options_.cut.target_tokens = 20;
  EXPECT_THAT(run(), ElementsAre(Pair("a.md", "ingested")));
  EXPECT_THAT(run(), ElementsAre(Pair("a.md", "unchanged")));
}

TEST_F(IngestTest, another_embedder_is_refused_with_both_names_and_nothing_is_touched) {
  write("a.md", "alpha");
  testing::FakeEmbedder other("other fingerprint");
  const auto refused = ingest(*store_, collection_, reader_, other, {files_.path()}, options_, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Kind::bad_request);
  EXPECT_THAT(refused.error().message, HasSubstr("fake fingerp"));
  EXPECT_THAT(refused.error().message, HasSubstr("other finger"));
  EXPECT_FALSE(refused.error().next_step.empty());
  EXPECT_EQ(ingest(*store_, CollectionId{77}, reader_, embedder_, {files_.path()}, options_, {}).error().kind,
            Kind::bad_request);
}

TEST_F(IngestTest, stopping_keeps_what_was_reported_and_removes_nothing) {
  for (int i = 0; i < 9; ++i) write(std::to_string(i) + ".md", "words " + std::to_string(i));
  run();
  fs::remove(files_ / "8.md");
  for (int i = 0; i < 8; ++i) write(std::to_string(i) + ".md", "new words " + std::to_string(i));
  on_file = [&](const FileVerdict& verdict) {
    if (verdict.file == "2.md") stop_.request_stop();
  };
  EXPECT_EQ(run().size(), 3U);
  EXPECT_TRUE(summary_.stopped);
  EXPECT_EQ(store_->counts(collection_)->documents, 9U);
  on_file = {};
  stop_ = {};
  run();
  EXPECT_EQ(summary_.unchanged, 3);
  EXPECT_EQ(summary_.ingested, 5);
  EXPECT_EQ(summary_.removed, 1);
  expect_sound();
}

TEST_F(IngestTest, stopping_inside_a_large_file_stores_none_of_it) {
  std::string text;
  for (int i = 0; i < 3000; ++i)
    text += "Sentence number " + std::to_string(i) + " has some words in it.\n\n";
  write("large.md", text);
  options_.embed_batch = 8;
  embedder_.before_embedding = [&] { stop_.request_stop(); };
  EXPECT_THAT(run(), IsEmpty());
  EXPECT_TRUE(summary_.stopped);
  EXPECT_EQ(store_->counts(collection_)->documents, 0U);
}

TEST_F(IngestTest, passages_reach_the_embedder_in_batches_of_the_asked_size) {
  std::string text;
  for (int i = 0; i < 500; ++i) text += "Sentence number " + std::to_string(i) + " has some words in it.\n\n";
  write("large.md", text);
  options_.embed_batch = 4;
  run();
  EXPECT_EQ(embedder_.largest_batch, 4U);
  EXPECT_EQ(embedder_.embedded, summary_.passages);
  expect_sound();
}

TEST_F(IngestTest, progress_never_goes_back_and_ends_at_its_total) {
  for (int i = 0; i < 5; ++i)
    write(std::to_string(i) + ".md", std::string(static_cast<std::size_t>(i) * 100, 'x'));
  std::uint64_t last = 0, total = 0;
  progress_ = [&](const Progress& progress) {
    EXPECT_GE(progress.done, last);
    EXPECT_LE(progress.done, progress.total);
    last = progress.done;
    total = progress.total;
  };
  run();
  EXPECT_GT(total, 0U);
  EXPECT_EQ(last, total);
}

// proves P-ING-07
TEST_F(IngestTest, two_runs_at_once_share_a_collection_without_harm) {
  for (int i = 0; i < 30; ++i) write(std::to_string(i) + ".md", "words of file " + std::to_string(i));
  std::string errors[2];
  std::thread threads[2];
  for (int t = 0; t < 2; ++t) {
    threads[t] = std::thread([&, t] {
      auto own = store::Store::open(home_ / "loam.db");
      if (!own) {
        errors[t] = own.error().line();
        return;
      }
      testing::FakeEmbedder embedder;
      testing::FakeReader reader;
      std::string failed;
      const auto note = [&](const FileVerdict& verdict) {
        if (verdict.verdict == Verdict::failed) failed += verdict.file + ": " + verdict.reason + "\n";
      };
      const auto summary = ingest(**own, collection_, reader, embedder, {files_.path()}, options_, note);
      if (!summary)
        errors[t] = summary.error().line();
      else if (summary->failed > 0 || summary->removed > 0)
        errors[t] = "files failed or were removed: " + failed;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(errors[0], "");
  EXPECT_EQ(errors[1], "");
  EXPECT_EQ(store_->counts(collection_)->documents, 30U);
  expect_sound();
}

}  // namespace
}  // namespace loam::index
