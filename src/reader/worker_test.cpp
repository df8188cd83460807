// The reader with a real worker process. This program is its own worker: a start-up hook looks at the
// arguments.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "reader/sandbox.h"
#include "reader/test_files.h"
#include "reader/wire.h"

namespace loam::reader {
namespace {
using testing::HasSubstr;
using namespace std::string_literals;

void write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = write(kWorkerReplyFd, bytes.data(), bytes.size());
    if (sent <= 0) _exit(9);
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void send_frame(FrameKind kind, std::string_view payload, std::uint32_t announced) {
  const Header header = encode_header({kind, announced});
  write_all({header.data(), header.size()});
  write_all(payload);
}
void send_frame(FrameKind kind, std::string_view payload) {
  send_frame(kind, payload, static_cast<std::uint32_t>(payload.size()));
}

void wait_for_bytes() {
  char byte[4096];
  if (read(kWorkerRequestFd, byte, sizeof byte) <= 0) _exit(0);
}

// Workers that were taken over by a hostile file.
[[noreturn]] void run_hostile(std::string_view how) {
  wait_for_bytes();
  send_frame(FrameKind::ready, "");
  wait_for_bytes();
  Document document;
  document.media_type = "text/plain";
  document.text = "some text";
  if (how == "crash") std::abort();
  if (how == "exit") _exit(7);
  if (how == "sleep") {
    for (;;) pause();
  }
  if (how == "spin") {
    // volatile: an optimised build may otherwise compute where the loop ends and leave it at once.
    volatile std::size_t turns = 0;
    for (;;) turns = turns + 1;
  }
  if (how == "noise") write_all("this is no frame at all, but it is long enough");
  if (how == "flood") send_frame(FrameKind::document, "x", 0xFFFFFFFFU);
  if (how == "half") {
    send_frame(FrameKind::document, "x", 100'000'000);
    _exit(0);
  }
  if (how == "utf8") document.text = "bad \xFF";
  if (how == "overlap")
    document.blocks = {{BlockKind::paragraph, 0, {0, 9}}, {BlockKind::paragraph, 0, {4, 9}}};
  if (how == "outside") document.blocks = {{BlockKind::paragraph, 0, {0, 900}}};
  if (how == "title") {  // control characters for the terminal; our own encoder would clean them
    document.title = "TITLE";
    std::string payload = encode_document(document);
    payload[payload.find("TITLE")] = '\x1B';
    send_frame(FrameKind::document, payload);
  }
  if (how == "empty_error") send_frame(FrameKind::error, "");
  send_frame(FrameKind::document, encode_document(document));
  for (;;) wait_for_bytes();
}

// Tries what the lock forbids; the exit status names the first that went through.
[[noreturn]] void try_to_break_out() {
  const int devnull = ::open("/dev/null", O_WRONLY);
  if (!lock_in({}, kWorkerRequestFd, devnull)) _exit(90);
  if (::open("/etc/passwd", O_RDONLY) >= 0) _exit(1);
  if (::open("/tmp/loam-escaped", O_WRONLY | O_CREAT, 0600) >= 0) _exit(2);
  if (socket(AF_INET, SOCK_STREAM, 0) >= 0) _exit(3);
  char name[] = "/bin/true";
  char* arguments[] = {name, nullptr};
  execv(name, arguments);
  if (fork() >= 0) _exit(4);
  if (kill(getppid(), 0) == 0) _exit(5);
  if (write(1, "x", 1) == 1) _exit(6);
  if (unlink("/tmp/loam-escaped") == 0) _exit(7);
  const rlimit more{1 << 20, 1 << 20};
  if (setrlimit(RLIMIT_FSIZE, &more) == 0) _exit(8);
  if (malloc(1000) == nullptr) _exit(9);
  _exit(42);
}

const int kStartedAsWorker = [] {
  std::ifstream in("/proc/self/cmdline", std::ios::binary);
  std::vector<std::string> arguments;
  for (std::string argument; std::getline(in, argument, '\0');) arguments.push_back(argument);
  if (arguments.size() >= 2 && arguments[1] == "reader-worker")
    _exit(run_reader_worker(kWorkerRequestFd, kWorkerReplyFd));
  if (arguments.size() >= 3 && arguments[1] == "hostile-worker") run_hostile(arguments[2]);
  return 0;
}();

Reader::Options options(std::vector<std::string> arguments = {"reader-worker"}) {
  Reader::Options options;
  options.libraries = test_libraries();
  options.worker_command = {"/proc/self/exe"};
  options.worker_command.insert(options.worker_command.end(), arguments.begin(), arguments.end());
  return options;
}

std::unique_ptr<Reader> open(Reader::Options wanted = options()) {
  Result<std::unique_ptr<Reader>> reader = Reader::open(std::move(wanted));
  EXPECT_TRUE(reader.ok());
  return std::move(*reader);
}

TEST(reader, reads_every_format_through_its_worker) {
  const TemporaryFolder folder;
  const auto reader = open();
  const auto text_of = [&](const std::string& name, std::string_view bytes) {
    const Result<Document> document = reader->read(folder.write(name, bytes), name);
    EXPECT_TRUE(document.ok()) << document.error().line();
    EXPECT_EQ(document->source, name);
    return document->media_type + " " + document->text;
  };
  EXPECT_EQ(text_of("a.txt", "Hello.\n"), "text/plain Hello.\n");
  EXPECT_EQ(text_of("a.md", "# Hello\n"), "text/markdown # Hello\n");
  EXPECT_EQ(text_of("a.html", "<p>Hello"), "text/html Hello");
  EXPECT_EQ(text_of("a.csv", "a,b\nx,y\n"), "text/csv a: x | b: y\n");
  EXPECT_EQ(text_of("a.pdf", PdfWriter().page_of_lines({"Hello."}).bytes()), "application/pdf Hello.");
  EXPECT_EQ(text_of("wrong.txt", PdfWriter().page_of_lines({"Hello."}).bytes()), "application/pdf Hello.");
  EXPECT_EQ(text_of("wrong.pdf", "Not a PDF.\n"), "text/plain Not a PDF.\n");
  EXPECT_EQ(text_of("empty.txt", ""), "text/plain ");
}

TEST(reader, gives_the_same_document_with_and_without_worker) {
  const TemporaryFolder folder;
  const auto path = folder.write("a.md", "---\ntitle: T\n---\n# H\n\nText \xC3\xA4.\n\n- a\n- b\n");
  Reader::Options plain;
  const Result<Document> a = open()->read(path, "a.md");
  const Result<Document> b = open(plain)->read(path, "a.md");
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(a->text, b->text);
  EXPECT_EQ(a->title, b->title);
  EXPECT_EQ(outline(*a), outline(*b));
}

// proves P-READ-02
TEST(reader, names_what_is_wrong_with_each_bad_file_and_goes_on) {
  const TemporaryFolder folder;
  const auto reader = open();
  const auto refused = [&](const std::string& name, Kind kind, std::string_view words) {
    const Result<Document> document = reader->read(folder / name, name);
    ASSERT_FALSE(document.ok()) << name;
    EXPECT_EQ(document.error().kind, kind) << document.error().line();
    EXPECT_EQ(document.error().place, name);
    EXPECT_THAT(document.error().message, HasSubstr(std::string(words)));
    EXPECT_FALSE(document.error().next_step.empty());
  };
  std::filesystem::create_directory(folder / "folder");
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  std::filesystem::create_symlink("loop", folder / "loop");
  std::filesystem::create_symlink("good.txt", folder / "link.txt");
  folder.write("good.txt", "fine");
  folder.write("bomb.md", "PK\x03\x04\x14\0\0\0"s + std::string(100, '\0'));
  folder.write("locked.pdf", PdfWriter().page_of_lines({"x"}).encrypted().bytes());
  folder.write("cut.pdf", PdfWriter().page_of_lines({"x"}).bytes().substr(0, 60));
  refused("missing.txt", Kind::bad_request, "does not exist");
  refused("folder", Kind::bad_request, "is a folder");
  refused("pipe", Kind::bad_request, "is a pipe");
  refused("loop", Kind::bad_request, "symbolic link");
  refused("link.txt", Kind::bad_request, "symbolic link");
  refused("good.txt/below", Kind::bad_request, "not a folder");
  refused("bomb.md", Kind::bad_data, "zip archive");
  refused("locked.pdf", Kind::bad_data, "encrypted");
  refused("cut.pdf", Kind::bad_data, "damaged");
  if (geteuid() != 0) {
    folder.write("private.txt", "x");
    ASSERT_EQ(chmod((folder / "private.txt").c_str(), 0), 0);
    refused("private.txt", Kind::unavailable, "may not be read");
  }
  EXPECT_TRUE(reader->read(folder / "good.txt", "good.txt").ok());
}

TEST(reader, follows_links_when_told_to_and_finds_loops) {
  const TemporaryFolder folder;
  Reader::Options wanted = options();
  wanted.symlinks = Symlinks::follow;
  const auto reader = open(wanted);
  folder.write("good.txt", "fine");
  std::filesystem::create_symlink("good.txt", folder / "link.txt");
  std::filesystem::create_symlink("loop", folder / "loop");
  EXPECT_TRUE(reader->read(folder / "link.txt", "link.txt").ok());
  const Result<Document> loop = reader->read(folder / "loop", "loop");
  ASSERT_FALSE(loop.ok());
  EXPECT_THAT(loop.error().message, HasSubstr("leads back to itself"));
}

TEST(reader, refuses_files_over_the_limit_without_reading_them) {
  const TemporaryFolder folder;
  const auto path = folder.write("sparse.txt", "x");
  std::filesystem::resize_file(path, 1ULL << 40U);
  const Result<Document> document = open()->read(path, "sparse.txt");
  ASSERT_FALSE(document.ok());
  EXPECT_EQ(document.error().kind, Kind::out_of_room);
}

// proves P-READ-03, P-READ-05
TEST(reader, survives_every_way_in_which_a_worker_can_fail) {
  const TemporaryFolder folder;
  const auto path = folder.write("a.txt", "fine");
  for (const char* how : {"crash", "exit", "sleep", "spin", "noise", "flood", "half", "utf8", "overlap",
                          "outside", "title", "empty_error"}) {
    Reader::Options wanted = options({"hostile-worker", how});
    wanted.limits.wall_seconds = 2;
    wanted.limits.cpu_seconds = how == "spin"s ? 1 : 30;
    if (how == "spin"s) wanted.limits.wall_seconds = 20;
    const auto reader = open(wanted);
    for (int again = 0; again < (how == "sleep"s || how == "spin"s ? 1 : 2);
         ++again) {  // the reader stays usable
      const Result<Document> document = reader->read(path, "a.txt");
      ASSERT_FALSE(document.ok()) << how;
      EXPECT_EQ(document.error().place, "a.txt");
      EXPECT_FALSE(document.error().next_step.empty()) << how;
      const bool is_limit = how == "sleep"s || how == "spin"s;
      EXPECT_EQ(document.error().kind, is_limit ? Kind::out_of_room : Kind::bad_data)
          << how << document.error().line();
      if (how == "spin"s) {
        EXPECT_THAT(document.error().message, HasSubstr("1 s of CPU time"));
      }
    }
  }
}

TEST(reader, says_when_its_worker_cannot_be_started) {
  const TemporaryFolder folder;
  const auto path = folder.write("a.txt", "fine");
  for (const char* program : {"/nonexistent/program", "/bin/true"}) {
    Reader::Options wanted = options();
    wanted.worker_command = {program};
    const Result<Document> document = open(wanted)->read(path, "a.txt");
    ASSERT_FALSE(document.ok());
    EXPECT_EQ(document.error().kind, Kind::unavailable);
  }
}

TEST(reader, without_the_pdf_library_reads_everything_else) {
  const TemporaryFolder folder;
  Reader::Options wanted = options();
  wanted.libraries.pdfium = "/nonexistent/libpdfium.so";
  const auto reader = open(wanted);
  EXPECT_TRUE(reader->read(folder.write("a.txt", "fine"), "a.txt").ok());
  const Result<Document> pdf = reader->read(folder.write("a.pdf", PdfWriter().page({}).bytes()), "a.pdf");
  ASSERT_FALSE(pdf.ok());
  EXPECT_EQ(pdf.error().kind, Kind::unavailable);
}

// proves P-READ-04
TEST(reader_worker, cannot_open_files_reach_the_network_or_start_programs_once_it_is_locked_in) {
#if !LOAM_HAVE_SECCOMP
  GTEST_FAIL() << "built without libseccomp; install libseccomp-dev";
#endif
  const pid_t child = fork();
  if (child == 0) try_to_break_out();
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << status;
  EXPECT_EQ(WEXITSTATUS(status), 42);
}

TEST(reader, replaces_its_worker_after_so_many_files_and_does_not_grow) {
  const TemporaryFolder folder;
  Reader::Options wanted = options();
  wanted.files_per_worker = 20;
  const auto reader = open(wanted);
  const auto path = folder.write("a.md", "# Title\n\n" + std::string(100'000, 'x') + "\n");
  const auto resident_kb = [] {
    std::ifstream in("/proc/self/status");
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with("VmRSS:")) return std::atol(line.c_str() + 6);
    }
    return 0L;
  };
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(reader->read(path, "a.md").ok());
  [[maybe_unused]] const long before = resident_kb();
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(reader->read(path, "a.md").ok());
#ifndef __SANITIZE_ADDRESS__  // which keeps what was freed for a while
  EXPECT_LT(resident_kb() - before, 4096);
#endif
}

TEST(wire, decodes_what_it_encoded_and_refuses_every_cut_or_longer_payload) {
  Document document;
  document.source = "s";
  document.title = "T";
  document.media_type = "text/html";
  document.text = "ab\n\ncd";
  document.blocks = {{BlockKind::heading, 2, {0, 2}}, {BlockKind::quote, 0, {4, 6}}};
  document.pages = {{1, {0, 3}}, {2, {3, 6}}};
  document.notes = {"one", "two"};
  const std::string payload = encode_document(document);
  const Result<Document> back = decode_document(payload, "s", {});
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->text, document.text);
  EXPECT_EQ(back->notes, document.notes);
  EXPECT_EQ(outline(*back), outline(document));
  EXPECT_EQ(back->pages[1].span, document.pages[1].span);
  for (std::size_t size = 0; size < payload.size(); ++size)
    EXPECT_FALSE(decode_document(payload.substr(0, size), "s", {}).ok());
  EXPECT_FALSE(decode_document(payload + "x", "s", {}).ok());
}

}  // namespace
}  // namespace loam::reader
