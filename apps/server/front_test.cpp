#include "server/front.h"

#include <gtest/gtest.h>

namespace loam::server {
namespace {

TEST(front, only_its_own_names_are_answered) {
  const std::vector<std::string> allowed = {"loam.example.org"};
  for (const char* good : {"localhost", "localhost:8642", "127.0.0.1:8642", "[::1]:8642", "[::1]",
                           "LOCALHOST:1", "loam.example.org", "Loam.Example.org:443"}) {
    EXPECT_TRUE(is_host_allowed(good, allowed)) << good;
  }
  for (const char* bad : {"", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8642",
                          "[::2]", "loam.example.org.evil.example", "127.0.0.2"}) {
    EXPECT_FALSE(is_host_allowed(bad, allowed)) << bad;
  }
}

TEST(front, loopback_is_this_machine_only) {
  EXPECT_TRUE(is_loopback("127.0.0.1"));
  EXPECT_TRUE(is_loopback("localhost"));
  EXPECT_TRUE(is_loopback("::1"));
  EXPECT_FALSE(is_loopback("0.0.0.0"));
  EXPECT_FALSE(is_loopback("192.168.1.7"));
  EXPECT_FALSE(is_loopback("::"));
  EXPECT_FALSE(is_loopback("127.0.0.1.evil.example"));
}

TEST(front, secrets_are_equal_only_when_each_byte_is) {
  EXPECT_TRUE(same_secret("abc", "abc"));
  EXPECT_FALSE(same_secret("abc", "abd"));
  EXPECT_FALSE(same_secret("abc", "abcabc"));
  EXPECT_FALSE(same_secret("abcabc", "abc"));
  EXPECT_FALSE(same_secret("", "abc"));
  EXPECT_FALSE(same_secret("abc", ""));
}

// proves P-SERVE-04
TEST(front, beyond_this_machine_a_key_is_needed) {
  class Empty final : public Library {
    Result<std::vector<std::string>> collections() override { return std::vector<std::string>{}; }
    Result<answer::Answer> ask(const std::string&, const std::string&, const std::vector<engine::Message>&,
                               const engine::TextSink&, std::stop_token) override {
      return answer::Answer{};
    }
  } library;
  FrontOptions options;
  options.host = "0.0.0.0";
  options.port = 0;
  Front open_to_all(
      library, [] { return false; }, options);
  const auto refused = open_to_all.open();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, Kind::bad_request);
  EXPECT_NE(refused.error().next_step.find("--key-file"), std::string::npos);
  options.keys = {"secret"};
  Front with_key(
      library, [] { return false; }, options);
  EXPECT_TRUE(with_key.open().ok());
  EXPECT_GT(with_key.port(), 0);
}

}  // namespace
}  // namespace loam::server
