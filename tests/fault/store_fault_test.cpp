// Fails the nth write, flush, truncation or deletion, n = 1, 2, ... until nothing fails: after each, the
// store is as it was or the change is complete, and the error says what kind it is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "fault_vfs.h"
#include "store/store.h"
#include "store/testing/sample.h"

namespace loam::fault {
namespace {

namespace fs = std::filesystem;
using store::Store;
using store::testing::put;
using store::testing::sample;
using store::testing::TemporaryFolder;
using ::testing::AnyOf;
using ::testing::IsEmpty;

CollectionId docs(Store& store) {
  const auto found = store.find_collection("docs");
  return found && *found ? (*found)->id : CollectionId{};
}

DocumentId document(Store& store, std::string_view source) {
  const auto found = store.find_document(docs(store), source);
  return found && *found ? (*found)->id : DocumentId{};
}

template <typename T>
Result<void> outcome(const Result<T>& result) {
  return result ? done() : Result<void>(result.error());
}

using Step = std::function<Result<void>(Store&)>;

/// One of each kind of change. Passages are large enough for several pages, so that a change is many writes.
std::vector<Step> steps() {
  const auto lines = [](const std::string& word) {
    std::vector<std::string> made;
    for (int i = 0; i < 12; ++i)
      made.push_back(word + " " + std::string(1500, 'x') + " " + word + std::to_string(i));
    return made;
  };
  return {
      [](Store& s) {
        return outcome(s.ensure_collection("docs", "fake", "fingerprint", store::testing::kDimensions));
      },
      [=](Store& s) { return outcome(put(s, docs(s), sample("a.md", lines("apple")))); },
      [=](Store& s) { return outcome(put(s, docs(s), sample("b.md", lines("pear")))); },
      [=](Store& s) { return outcome(put(s, docs(s), sample("a.md", lines("plum")))); },
      [](Store& s) { return s.rename_document(document(s, "b.md"), sample("c.md", {}).row); },
      [](Store& s) { return s.touch_document(document(s, "c.md"), 1, 2); },
      [](Store& s) {
        return outcome(s.add_run({RunId{}, 1, "ask", "{}", "{}"}));
      },
      [](Store& s) {
        // Several pages, so that a failure can hit between the row and its last item.
        std::vector<store::RunItem> items;
        for (int i = 0; i < 8; ++i)
          items.push_back({"q" + std::to_string(i), "a.md", "{\"f1\":1}", std::string(3000, 'y')});
        return outcome(s.add_run({RunId{}, 2, "qa", "{}", "{}"}, items));
      },
      [](Store& s) { return s.remove_document(document(s, "c.md")); },
      [](Store& s) { return outcome(s.ensure_collection("more", "fake", "fingerprint", 2)); },
      [](Store& s) { return s.remove_collection(docs(s)); },
  };
}

/// Everything that can be seen of a store.
std::string digest(Store& store) {
  std::string all;
  const auto collections = store.collections();
  if (!collections) return "collections: " + collections.error().line();
  for (const auto& collection : *collections) {
    all += "collection " + collection.name + "\n";
    const auto rows = store.documents(collection.id);
    if (!rows) return "documents: " + rows.error().line();
    for (const auto& row : *rows) {
      const auto text = store.document_text(row.id);
      all += row.source + " " + std::to_string(row.file_size) + " " + (text ? *text : text.error().line()) +
             "\n";
    }
    for (const std::string word : {"apple", "pear", "plum"}) {
      const auto hits = store.search_terms(collection.id, std::vector<std::string>{word}, 100);
      all += word + " " + (hits ? std::to_string(hits->size()) : hits.error().line()) + "\n";
    }
    int vectors = 0;
    const auto read =
        store.for_each_vector(collection.id, [&](PassageId, std::span<const float>) { ++vectors; });
    all += read ? std::to_string(vectors) : read.error().line();
  }
  const auto runs = store.runs("", 10);
  if (!runs) return all + "runs: " + runs.error().line();
  for (const auto& run : *runs) {
    const auto items = store.run_items(run.id);
    all += "run " + run.task + " " + (items ? std::to_string(items->size()) : items.error().line()) + "\n";
  }
  return all;
}

class StoreFaultTest : public ::testing::Test {
 protected:
  void SetUp() override {
    disk_.clear();
    disk_.forget();
    TemporaryFolder folder;
    auto store = Store::open(folder / "loam.db");
    ASSERT_TRUE(store) << store.error().line();
    states_.push_back(digest(**store));
    for (const Step& step : all_steps_) {
      const auto taken = step(**store);
      ASSERT_TRUE(taken) << taken.error().line();
      states_.push_back(digest(**store));
    }
    for (std::size_t i = 1; i < states_.size(); ++i)
      ASSERT_NE(states_[i], states_[i - 1]) << "step " << i << " shows nothing";
  }
  void TearDown() override { disk_.clear(); }

  static void expect_typed(const Error& error, std::int64_t nth) {
    EXPECT_THAT(error.kind, AnyOf(Kind::out_of_room, Kind::unavailable))
        << "operation " << nth << ": " << error.line();
    EXPECT_FALSE(error.next_step.empty()) << error.line();
  }

  void expect_sound_at(const fs::path& file, std::size_t step, std::int64_t nth, std::string_view when) {
    auto store = Store::open(file);
    ASSERT_TRUE(store) << when << ", operation " << nth << ": " << store.error().line();
    const auto problems = (*store)->check();
    ASSERT_TRUE(problems) << problems.error().line();
    EXPECT_THAT(*problems, IsEmpty()) << when << ", operation " << nth;
    const std::string state = digest(**store);
    EXPECT_TRUE(state == states_[step] || (step + 1 < states_.size() && state == states_[step + 1]))
        << when << ", operation " << nth << " in step " << step << " left something else:\n"
        << state.substr(0, 400);
  }

  /// Runs the script with one planned failure. Returns false when nothing failed any more.
  bool round(std::int64_t nth, Failure failure, Lasting lasting) {
    TemporaryFolder folder;
    disk_.forget();
    disk_.plan(nth, failure, lasting);
    std::size_t step = 0;  // steps that were acknowledged
    bool power_lost = false;
    {
      auto store = Store::open(folder / "loam.db");
      if (!store) expect_typed(store.error(), nth);
      while (store && step < all_steps_.size()) {
        const auto taken = all_steps_[step](**store);
        if (disk_.has_failed() && !power_lost && lasting == Lasting::from_now) {
          power_lost = true;
          TemporaryFolder after;
          disk_.lose_power(folder.path(), after.path(), static_cast<std::uint32_t>(nth));
          const std::int64_t at = nth;
          disk_.clear();
          expect_sound_at(after / "loam.db", taken ? step + 1 : step, at, "after loss of power");
          disk_.plan(1, failure, lasting);  // the disk stays gone
        }
        if (taken) {
          ++step;
          continue;
        }
        expect_typed(taken.error(), nth);
        if (lasting == Lasting::from_now) break;
        // The same object goes on after a passing fault: as it was, and the step works when asked again.
        EXPECT_EQ(digest(**store), states_[step]) << "operation " << nth;
        const auto again = all_steps_[step](**store);
        EXPECT_TRUE(again) << "operation " << nth << ": " << again.error().line();
        if (!again) break;
        ++step;
      }
    }
    const bool failed = disk_.has_failed() || power_lost;
    disk_.clear();
    expect_sound_at(folder / "loam.db", step, nth, "after reopening");
    return failed;
  }

  FaultDisk& disk_ = FaultDisk::instance();
  const std::vector<Step> all_steps_ = steps();
  std::vector<std::string> states_;  // before the first step, then after each
};

void until_nothing_fails(std::int64_t at_least, const std::function<bool(std::int64_t)>& round) {
  std::int64_t nth = 1;
  while (round(nth) && !::testing::Test::HasFailure()) ++nth;
  EXPECT_GT(nth, at_least) << "too few operations failed to mean anything";
  GTEST_LOG_(INFO) << nth - 1 << " operations failed, one at a time";
}

// proves P-STORE-01
TEST_F(StoreFaultTest, a_failing_operation_leaves_the_store_as_it_was_or_the_change_complete) {
  until_nothing_fails(100, [&](std::int64_t nth) {
    return round(nth, nth % 2 == 0 ? Failure::io_error : Failure::short_write, Lasting::once);
  });
}

// proves P-STORE-02: also what could be left by a loss of power at that moment.
TEST_F(StoreFaultTest, what_was_acknowledged_survives_a_dead_disk_and_loss_of_power) {
  until_nothing_fails(100,
                      [&](std::int64_t nth) { return round(nth, Failure::short_write, Lasting::from_now); });
}

// proves P-STORE-08: a migration that fails at any moment leaves the old store or the new one.
TEST_F(StoreFaultTest, a_failing_operation_in_a_migration_leaves_the_old_store_or_the_new_one) {
  const std::string old = store::testing::read_file(fs::path(LOAM_SOURCE_DIR) / "tests/compat/store_v1.loam");
  std::string before;
  {
    TemporaryFolder folder;
    store::testing::write_file(folder / "loam.db", old);
    auto store = Store::open(folder / "loam.db");
    ASSERT_TRUE(store) << store.error().line();
    before = digest(**store);
  }
  for (const Lasting lasting : {Lasting::once, Lasting::from_now}) {
    until_nothing_fails(10, [&](std::int64_t nth) {
      TemporaryFolder folder;
      disk_.forget();
      store::testing::write_file(folder / "loam.db", old);
      disk_.plan(nth, nth % 2 == 0 ? Failure::io_error : Failure::disk_full, lasting);
      {
        auto store = Store::open(folder / "loam.db");
        if (!store) expect_typed(store.error(), nth);
      }
      const bool failed = disk_.has_failed();
      disk_.clear();
      auto store = Store::open(folder / "loam.db");
      EXPECT_TRUE(store) << "operation " << nth << ": " << store.error().line();
      if (!store) return false;
      EXPECT_EQ(digest(**store), before) << "operation " << nth;
      EXPECT_THAT(*(*store)->check(), IsEmpty()) << "operation " << nth;
      return failed;
    });
  }
}

// proves P-STORE-10
TEST_F(StoreFaultTest, a_full_disk_is_called_by_its_name_and_changes_nothing) {
  bool named = false;
  until_nothing_fails(20, [&](std::int64_t nth) {
    TemporaryFolder folder;
    auto store = Store::open(folder / "loam.db");
    if (!store || !all_steps_[0](**store)) return false;
    disk_.plan(nth, Failure::disk_full, Lasting::from_now);
    const auto taken = all_steps_[1](**store);
    const bool failed = disk_.has_failed();
    disk_.clear();
    if (!taken) {
      expect_typed(taken.error(), nth);
      named = named || taken.error().kind == Kind::out_of_room;
      EXPECT_EQ(digest(**store), states_[1]);
      EXPECT_TRUE(all_steps_[1](**store));
    }
    return failed && nth < 200;
  });
  EXPECT_TRUE(named);
}

}  // namespace
}  // namespace loam::fault
