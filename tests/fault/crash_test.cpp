// Kills ingest with SIGKILL at 200 random moments, and fills a real disk under it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "base/hash.h"
#include "index/ingest.h"
#include "index/testing/fakes.h"
#include "store/testing/sample.h"

namespace loam::fault {
namespace {

namespace fs = std::filesystem;
using index::FileVerdict;
using index::Verdict;
using store::Store;
using store::testing::read_file;
using store::testing::write_file;
using ::testing::IsEmpty;

/// In memory where the machine has such a disk: a kill loses nothing of it, and 200 rounds stay quick.
class FastFolder {
 public:
  FastFolder() {
    std::error_code ignored;
    const fs::path base = fs::is_directory("/dev/shm", ignored) && access("/dev/shm", W_OK) == 0
                              ? fs::path("/dev/shm")
                              : fs::temp_directory_path();
    std::string name = (base / "loam-crash-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~FastFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  FastFolder(const FastFolder&) = delete;
  FastFolder& operator=(const FastFolder&) = delete;
  fs::path operator/(std::string_view name) const { return path_ / name; }

 private:
  fs::path path_;
};

/// Ingests `files` into `store_file`; writes "verdict source" lines to `report_fd` after each commit.
int run_ingest(const fs::path& store_file, const fs::path& files, int report_fd, int go_on_fd = -1) {
  auto store = Store::open(store_file);
  if (!store) return 3;
  index::testing::FakeEmbedder embedder;
  index::testing::FakeReader reader;
  auto collection = (*store)->ensure_collection("docs", embedder.model_name(), embedder.fingerprint(),
                                                embedder.dimensions());
  if (!collection) return 4;
  index::IngestOptions options;
  options.cut.target_tokens = 20;
  const auto summary = index::ingest(
      **store, collection->id, reader, embedder, {files}, options, [&](const FileVerdict& verdict) {
        if (report_fd < 0) return;
        const std::string line = std::string(name_of(verdict.verdict)) + " " + verdict.file + "\n";
        (void)!write(report_fd, line.data(), line.size());
        char go_on = 0;  // the parent says when: it cannot be overtaken
        if (go_on_fd >= 0) (void)!read(go_on_fd, &go_on, 1);
      });
  if (!summary) return summary.error().kind == Kind::out_of_room ? 6 : 5;
  return summary->failed == 0 ? 0 : 7;
}

struct Killed {
  bool completed = false;
  int status = 0;
  std::vector<std::string> lines;  // reported before the end
};

/// Waits for so many reported lines, then so long, then kills: a moment that the run itself sets, on any
/// machine.
Killed run_and_kill(const fs::path& store_file, const fs::path& files, std::size_t after_lines,
                    std::chrono::microseconds after) {
  int channel[2] = {-1, -1}, go_on[2] = {-1, -1};
  if (pipe(channel) != 0 || pipe(go_on) != 0) return {};
  const pid_t child = fork();
  if (child == 0) {
    close(channel[0]);
    close(go_on[1]);
    _exit(run_ingest(store_file, files, channel[1], go_on[0]));
  }
  close(channel[1]);
  close(go_on[0]);
  std::string reported;
  char buffer[4096];
  while (static_cast<std::size_t>(std::count(reported.begin(), reported.end(), '\n')) < after_lines) {
    const ssize_t got = read(channel[0], buffer, sizeof buffer);
    if (got <= 0) break;
    reported.append(buffer, static_cast<std::size_t>(got));
    (void)!write(go_on[1], "+", 1);  // one line was written: the next waits for this
  }
  std::this_thread::sleep_for(after);
  kill(child, SIGKILL);
  for (ssize_t got = 0; (got = read(channel[0], buffer, sizeof buffer)) > 0;)
    reported.append(buffer, static_cast<std::size_t>(got));
  close(channel[0]);
  close(go_on[1]);
  Killed result;
  waitpid(child, &result.status, 0);
  result.completed = WIFEXITED(result.status);
  std::istringstream lines(reported);
  for (std::string line; std::getline(lines, line);) result.lines.push_back(line);
  return result;
}

/// All that a reader of the store can see, without ids.
std::string digest(Store& store) {
  const auto collection = store.find_collection("docs");
  if (!collection || !*collection) return "no collection";
  std::string all;
  const auto rows = store.documents((*collection)->id);
  if (!rows) return rows.error().line();
  std::map<PassageId, std::vector<float>> vectors;
  (void)store.for_each_vector((*collection)->id, [&](PassageId id, std::span<const float> vector) {
    vectors[id].assign(vector.begin(), vector.end());
  });
  for (const auto& row : *rows) {
    all += row.source + " " + row.content_hash + " " + row.recipe + " " + row.path + "\n";
    const auto text = store.document_text(row.id);
    all += text ? sha256_hex(*text) : text.error().line();
    const auto ids = store.passages_of(row.id);
    const auto passages = ids ? store.passages(*ids) : Result<std::vector<Store::PassageRow>>(ids.error());
    if (!passages) return passages.error().line();
    for (const auto& passage : *passages) {
      all +=
          " " + std::to_string(passage.passage.span.start) + "-" + std::to_string(passage.passage.span.end);
      for (const float component : vectors[passage.passage.id]) all += "," + std::to_string(component);
    }
  }
  for (const std::string word : {"apple", "river", "number"}) {
    const auto hits = store.search_terms((*collection)->id, std::vector<std::string>{word}, 1000);
    if (!hits) return hits.error().line();
    std::multiset<float> scores;
    for (const auto& hit : *hits) scores.insert(hit.score);
    all += "\n" + word + " " + std::to_string(hits->size());
    for (const float score : scores) all += " " + std::to_string(score);
  }
  return all;
}

class CrashTest : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(files_); }

  std::string text(int seed) {
    static constexpr const char* kWords[] = {"apple", "river", "contract", "leave", "engine", "paper"};
    std::string made;
    const int paragraphs = 1 + seed % 7;
    for (int i = 0; i < paragraphs; ++i) {
      for (int w = 0; w < 15; ++w)
        made += std::string(kWords[static_cast<std::size_t>(seed * 7 + i * 5 + w * w) % 6]) + " ";
      made += "number " + std::to_string(seed) + ".\n\n";
    }
    return made;
  }

  /// Adds, changes, renames and deletes a few files.
  void change_files() {
    for (int i = 0; i < 12; ++i) {
      const int which = static_cast<int>(random_() % 40);
      const fs::path file =
          files_ / (which % 3 == 0 ? "sub" : ".") / ("file" + std::to_string(which) + ".txt");
      fs::create_directories(file.parent_path());
      const auto action = random_() % 5;
      std::error_code ignored;
      if (action == 0) {
        fs::remove(file, ignored);
      } else if (action == 1) {
        fs::rename(file, files_ / ("renamed" + std::to_string(random_() % 40) + ".txt"), ignored);
      } else {
        write_file(file, text(static_cast<int>(random_() % 1000)));
      }
    }
  }

  FastFolder folder_;
  const fs::path files_ = folder_ / "files";
  const fs::path store_file_ = folder_ / "loam.db";
  std::minstd_rand random_{42};  // fixed, so that a failure repeats as far as time allows
};

// proves P-ING-02
TEST_F(CrashTest, killing_ingest_at_200_random_moments_loses_nothing_that_was_reported) {
  for (int i = 0; i < 40; ++i) write_file(files_ / ("file" + std::to_string(i) + ".txt"), text(i));
  // How long a whole run takes decides how long after a line a kill may come.
  const fs::path trial = folder_ / "trial.db";
  const auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(run_ingest(trial, files_, -1), 0);
  const auto whole =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - start);

  constexpr int kKills = 200;
  int killed_midway = 0, completed = 0, reported = 0;
  for (int round = 0; round < kKills; ++round) {
    if (round % 20 == 0) {  // the first moments of a store's life are tried again and again
      for (const char* tail : {"", "-wal", "-shm"}) fs::remove(store_file_.string() + tail);
    }
    change_files();
    constexpr std::size_t kFiles = 40;
    const std::size_t after_lines = random_() % kFiles;
    const auto after = std::chrono::microseconds(
        static_cast<std::int64_t>(random_()) %
        std::max<std::int64_t>(200, whole.count() / static_cast<std::int64_t>(kFiles)));
    const Killed run = run_and_kill(store_file_, files_, after_lines, after);
    if (run.completed) {
      ++completed;
      ASSERT_EQ(WEXITSTATUS(run.status), 0) << "round " << round;
    } else if (!run.lines.empty()) {
      ++killed_midway;
    }
    auto store = Store::open(store_file_);
    ASSERT_TRUE(store) << "round " << round << ": " << store.error().line();
    const auto problems = (*store)->check();
    ASSERT_TRUE(problems) << problems.error().line();
    ASSERT_THAT(*problems, IsEmpty()) << "round " << round;
    const auto collection = (*store)->find_collection("docs");
    ASSERT_TRUE(collection);
    for (const std::string& line : run.lines) {
      ++reported;
      ASSERT_TRUE(*collection) << line;
      const std::string verdict = line.substr(0, line.find(' '));
      const std::string source = line.substr(line.find(' ') + 1);
      const auto row = (*store)->find_document((*collection)->id, source);
      ASSERT_TRUE(row);
      if (verdict == "removed") {
        EXPECT_FALSE(*row) << "round " << round << ": " << line;
        continue;
      }
      ASSERT_TRUE(*row) << "round " << round << " lost: " << line;
      EXPECT_EQ(*(*store)->document_text((*row)->id), read_file(files_ / source))
          << "round " << round << ": " << line;
    }
  }
  EXPECT_GT(killed_midway, kKills / 5) << "too few kills hit a running ingest";
  GTEST_LOG_(INFO) << kKills << " kills: " << killed_midway << " midway, " << completed
                   << " runs were done before, " << reported << " verdicts checked, whole run "
                   << whole.count() / 1000 << " ms";

  // The next run goes on, and ends where a fresh one ends.
  ASSERT_EQ(run_ingest(store_file_, files_, -1), 0);
  fs::remove(trial);
  ASSERT_EQ(run_ingest(trial, files_, -1), 0);
  auto survivor = Store::open(store_file_);
  auto fresh = Store::open(trial);
  ASSERT_TRUE(survivor && fresh);
  EXPECT_THAT(*(*survivor)->check(), IsEmpty());
  const std::string expected = digest(**fresh);
  EXPECT_GT(expected.size(), 1000U);
  // Documents that were renamed keep their old title and passages, which do not depend on the name here.
  EXPECT_EQ(digest(**survivor), expected);
}

// proves P-ING-08
TEST_F(CrashTest, a_full_disk_ends_the_run_with_its_name_and_the_next_run_goes_on) {
  // A mount of our own in a name space of our own: it is gone when this process is.
  const fs::path disk = folder_ / "disk";
  fs::create_directory(disk);
  if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=1m") != 0) {
    GTEST_SKIP() << "a small disk cannot be mounted here (" << std::strerror(errno)
                 << "); the simulated one is tested above";
  }
  for (int i = 0; i < 60; ++i) {
    std::string large;
    for (int n = 0; n < 12; ++n) large += text(i * 13 + n);
    write_file(files_ / ("file" + std::to_string(100 + i) + ".txt"), large);
  }
  const fs::path store_file = disk / "loam.db";
  int channel[2] = {-1, -1};
  ASSERT_EQ(pipe(channel), 0);
  const int status = run_ingest(store_file, files_, channel[1]);
  close(channel[1]);
  EXPECT_EQ(status, 6) << "not refused as out_of_room";
  std::string reported(65536, '\0');
  reported.resize(
      static_cast<std::size_t>(std::max<ssize_t>(0, read(channel[0], reported.data(), reported.size()))));
  close(channel[0]);
  ASSERT_EQ(mount("tmpfs", disk.c_str(), "tmpfs", MS_REMOUNT, "size=64m"), 0) << std::strerror(errno);
  {
    auto store = Store::open(store_file);
    ASSERT_TRUE(store) << store.error().line();
    EXPECT_THAT(*(*store)->check(), IsEmpty());
    const CollectionId id = (*(*store)->find_collection("docs"))->id;
    std::istringstream lines(reported);
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
      EXPECT_TRUE(*(*store)->find_document(id, line.substr(line.find(' ') + 1))) << line;
    }
    EXPECT_GT(count, 0);
    EXPECT_EQ((*store)->counts(id)->documents, static_cast<std::uint64_t>(count));
  }
  EXPECT_EQ(run_ingest(store_file, files_, -1), 0);
  auto store = Store::open(store_file);
  EXPECT_EQ((*store)->counts((*(*store)->find_collection("docs"))->id)->documents, 60U);
  store = Store::open(folder_ / "elsewhere.db");  // so that nothing keeps the small disk busy
  umount2(disk.c_str(), MNT_DETACH);
}

}  // namespace
}  // namespace loam::fault
