#include <fstream>

#include "engine/adapters.h"
#include "engine/testing/fixture.h"

namespace loam::engine {
namespace {

namespace fs = std::filesystem;

class InstalledAdaptersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(home_);
    fs::create_directories(home_ / "adapters");
    add("tickets", 1);
    add("mails", 2);
  }
  void add(const std::string& name, std::uint32_t seed) {
    ASSERT_TRUE(
        testing::write_tiny_lora(home_ / "adapters" / (name + ".gguf"), testing::LoraB::random, seed).ok());
  }
  InstalledAdapter shown(const std::string& name) {
    auto adapter = adapters_.show(name);
    EXPECT_TRUE(adapter.ok()) << (adapter ? "" : adapter.error().line());
    return adapter ? *adapter : InstalledAdapter{};
  }

  fs::path home_ = testing::scratch_folder() / "adapter-home";
  InstalledAdapters adapters_{home_};
};

TEST_F(InstalledAdaptersTest, an_empty_home_has_none) {
  const auto list = InstalledAdapters(home_ / "nowhere").list();
  ASSERT_TRUE(list.ok());
  EXPECT_TRUE(list->empty());
}

TEST_F(InstalledAdaptersTest, they_are_listed_by_name_and_what_is_no_adapter_is_told) {
  std::ofstream(home_ / "adapters" / "broken.gguf") << "no adapter";
  fs::copy_file(testing::tiny_model()->file(), home_ / "adapters" / "model.gguf");
  std::vector<Error> damaged;
  const auto list = adapters_.list(&damaged);
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->size(), 2U);
  EXPECT_EQ(list->front().name, "mails");
  EXPECT_EQ(list->front().info.rank, 4);
  EXPECT_EQ(list->front().info.matrices, 4);
  EXPECT_EQ(list->front().info.targets, (std::vector<std::string>{"attn_q", "attn_v"}));
  EXPECT_EQ(damaged.size(), 2U);
}

TEST_F(InstalledAdaptersTest, an_unknown_name_gets_the_nearest) {
  const auto missing = adapters_.show("ticket");
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().kind, Kind::bad_request);
  EXPECT_NE(missing.error().next_step.find("tickets"), std::string::npos);
  EXPECT_FALSE(adapters_.show("../tickets").ok());
  EXPECT_FALSE(adapters_.resolve("").ok());
}

TEST_F(InstalledAdaptersTest, scale_gate_and_promotion_are_kept) {
  InstalledAdapter adapter = shown("tickets");
  adapter.scale = 0.5F;
  adapter.gate = GateResult{7, 1000, true, "better by 0.2", adapter.sha256};
  adapter.promotion = Promotion::by_gate;
  adapter.trained_from = "tickets.jsonl";
  ASSERT_TRUE(adapters_.save(adapter).ok());
  const InstalledAdapter again = shown("tickets");
  EXPECT_EQ(again.scale, 0.5F);
  ASSERT_TRUE(again.gate.has_value());
  EXPECT_EQ(again.gate->run, 7U);
  EXPECT_TRUE(again.gate->passed);
  EXPECT_EQ(again.promotion, Promotion::by_gate);
  EXPECT_EQ(again.trained_from, "tickets.jsonl");
}

// proves P-ADAPT-05
TEST_F(InstalledAdaptersTest, a_gate_holds_for_the_bytes_that_were_tested_only) {
  InstalledAdapter adapter = shown("tickets");
  adapter.gate = GateResult{7, 1000, true, "better", adapter.sha256};
  adapter.promotion = Promotion::by_gate;
  ASSERT_TRUE(adapters_.save(adapter).ok());
  add("tickets", 9);  // trained anew
  const InstalledAdapter again = shown("tickets");
  EXPECT_FALSE(again.gate.has_value());
  EXPECT_EQ(again.promotion, Promotion::no);
}

TEST_F(InstalledAdaptersTest, each_base_has_one_default_until_it_is_removed) {
  EXPECT_FALSE(adapters_.has_defaults());
  ASSERT_TRUE(adapters_.use("tickets", "base-a").ok());
  ASSERT_TRUE(adapters_.use("mails", "base-a").ok());
  ASSERT_TRUE(adapters_.use("tickets", "base-b").ok());
  EXPECT_TRUE(adapters_.has_defaults());
  auto found = adapters_.default_for("base-a");
  ASSERT_TRUE(found.ok() && found->has_value());
  EXPECT_EQ((*found)->name, "mails");
  EXPECT_TRUE((*found)->in_use);
  found = adapters_.default_for("base-c");
  ASSERT_TRUE(found.ok());
  EXPECT_FALSE(found->has_value());
  EXPECT_GT(*adapters_.remove("mails"), 0U);
  found = adapters_.default_for("base-a");
  ASSERT_TRUE(found.ok());
  EXPECT_FALSE(found->has_value());
  EXPECT_TRUE(*adapters_.use_none("base-b"));
  EXPECT_FALSE(*adapters_.use_none("base-b"));
}

TEST_F(InstalledAdaptersTest, a_default_that_is_gone_is_an_error_and_not_the_bare_model) {
  ASSERT_TRUE(adapters_.use("tickets", "base-a").ok());
  fs::remove(home_ / "adapters" / "tickets.gguf");
  const auto found = adapters_.default_for("base-a");
  ASSERT_FALSE(found.ok());
  EXPECT_NE(found.error().next_step.find("none"), std::string::npos);
}

TEST_F(InstalledAdaptersTest, damaged_decisions_are_an_error_with_a_next_step) {
  for (const char* text : {"", "{", "[]", "{\"version\":2}",
                           "{\"version\":1,\"adapters\":{\"a\":{\"scale\":1e99}},\"defaults\":{}}",
                           "{\"version\":1,\"adapters\":3,\"defaults\":{}}"}) {
    std::ofstream(home_ / "adapters" / "adapters.json", std::ios::trunc) << text;
    const auto list = adapters_.list();
    ASSERT_FALSE(list.ok()) << text;
    EXPECT_EQ(list.error().kind, Kind::bad_data) << text;
  }
}

TEST(adapter_wish, a_scale_stands_behind_the_last_colon) {
  EXPECT_EQ(adapter_wish("tickets")->name, "tickets");
  EXPECT_FALSE(adapter_wish("tickets")->scale.has_value());
  EXPECT_EQ(adapter_wish("tickets:0.5")->name, "tickets");
  EXPECT_EQ(*adapter_wish("tickets:0.5")->scale, 0.5F);
  EXPECT_EQ(*adapter_wish("a.gguf:-2")->scale, -2.0F);
  EXPECT_EQ(adapter_wish("/some:where/a.gguf")->name, "/some:where/a.gguf");
  for (const char* bad :
       {"tickets:", "tickets:strong", "tickets:1e9", "tickets:nan", "tickets:inf", "tickets:1e99"})
    EXPECT_FALSE(adapter_wish(bad).ok()) << bad;
}

}  // namespace
}  // namespace loam::engine
