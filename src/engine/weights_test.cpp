// The choice of a form of the weights, with measurements that the tests make up.
#include "engine/weights.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <map>

#include "engine/pull.h"
#include "engine/testing/fixture.h"
#include "engine/testing/tiny_gguf.h"

namespace loam::engine {
namespace {

namespace fs = std::filesystem;

struct Made {
  double kl = 0;
  FormSpeed speed;
};

class ChooseWeights : public ::testing::Test {
 protected:
  void SetUp() override {
    home_ = testing::scratch_folder() / ::testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::create_directories(home_);
    const fs::path source = home_ / "source.gguf";
    std::ofstream(source, std::ios::binary) << testing::tiny_llama_gguf();
    PullOptions options;
    options.name = "tiny";
    const auto pulled = pull(source.string(), home_, options);
    ASSERT_TRUE(pulled.ok()) << pulled.error().line();
    EXPECT_FALSE(pulled->weights_measured);
  }

  /// A probe whose forms are copies with another name inside, so that their hashes differ.
  WeightsProbe probe() {
    WeightsProbe probe;
    probe.make = [this](const fs::path& source, const fs::path& out,
                        const std::string& form) -> Result<void> {
      if (!made_.contains(form)) return Error{Kind::bad_data, form, "cannot be made", "none"};
      fs::copy_file(source, out);
      std::ofstream(out, std::ios::binary | std::ios::app) << '\0';
      return done();
    };
    probe.losses = [this](const fs::path&, const std::vector<fs::path>& forms) {
      std::vector<LossReport> reports;
      for (const fs::path& form : forms) {
        LossReport report;
        report.mean_kl = made_.at(form.stem().string()).kl;
        reports.push_back(report);
      }
      return Result<std::vector<LossReport>>(reports);
    };
    probe.speed = [this](const fs::path& file) -> Result<FormSpeed> {
      const std::string form = file.stem().string();
      ++runs_[form];
      if (form == fail_on_) return Error{Kind::unavailable, form, "the measurement was stopped", "again"};
      return form == "tiny" ? FormSpeed{100, 20} : made_.at(form).speed;
    };
    return probe;
  }

  Result<InstalledModel> choose() { return choose_weights("tiny", home_, {}, {}, silent_logger(), probe()); }

  fs::path home_;
  std::map<std::string, Made> made_;
  std::map<std::string, int> runs_;
  std::string fail_on_;
};

TEST_F(ChooseWeights, the_fastest_form_within_the_limit_takes_the_place_of_the_file) {
  made_ = {{"Q4_0", {0.3, {900, 90}}}, {"Q8_0", {0.001, {200, 25}}}, {"BF16", {0.0, {150, 25}}}};
  const auto before = InstalledModels(home_).show("tiny");
  ASSERT_TRUE(before.ok());
  const auto model = choose();
  ASSERT_TRUE(model.ok()) << model.error().line();
  EXPECT_TRUE(model->weights_measured);
  ASSERT_EQ(model->weights.size(), 4U);  // F16 cannot be made and is left out
  for (const WeightsRow& row : model->weights) EXPECT_EQ(row.chosen, row.form == "Q8_0") << row.form;
  EXPECT_NE(model->sha256, before->sha256);
  EXPECT_EQ(fs::file_size(home_ / "models" / "tiny.gguf"), model->size_bytes);
  EXPECT_EQ(runs_.count("Q4_0"), 0U) << "a form that loses too much is not timed";
  const auto kept = InstalledModels(home_).show("tiny");
  ASSERT_TRUE(kept.ok());
  EXPECT_TRUE(kept->weights_measured);
  EXPECT_EQ(kept->weights.size(), 4U);
}

TEST_F(ChooseWeights, the_form_as_it_is_stays_when_the_gain_is_small) {
  made_ = {{"Q8_0", {0.001, {103, 20.5}}}};
  const auto model = choose();
  ASSERT_TRUE(model.ok()) << model.error().line();
  EXPECT_TRUE(model->weights.front().chosen);
  EXPECT_NE(model->weights[1].reason.find("not faster by 5%"), std::string::npos) << model->weights[1].reason;
}

TEST_F(ChooseWeights, a_form_that_is_far_behind_is_run_once) {
  made_ = {{"Q8_0", {0.001, {200, 40}}}, {"BF16", {0.0, {30, 5}}}};
  ASSERT_TRUE(choose().ok());
  EXPECT_EQ(runs_["BF16"], 1);
  EXPECT_EQ(runs_["Q8_0"], 3);
  EXPECT_EQ(runs_["tiny"], 3) << "the form as it is is always held against the others";
}

// proves P-MOD-08
TEST_F(ChooseWeights, what_is_stopped_while_measuring_is_not_called_measured_and_leaves_nothing_behind) {
  made_ = {{"Q8_0", {0.001, {200, 40}}}};
  fail_on_ = "Q8_0";
  EXPECT_FALSE(choose().ok());
  const auto model = InstalledModels(home_).show("tiny");
  ASSERT_TRUE(model.ok());
  EXPECT_FALSE(model->weights_measured);
  EXPECT_TRUE(model->weights.empty());
  for (const auto& entry : fs::directory_iterator(home_ / "models"))
    EXPECT_FALSE(entry.path().filename().string().starts_with(".weights-")) << entry.path();
  fail_on_.clear();
  const auto again = choose();
  ASSERT_TRUE(again.ok()) << again.error().line();
  EXPECT_TRUE(again->weights_measured);
}

TEST_F(ChooseWeights, the_scratch_files_of_a_killed_measurement_go) {
  const fs::path old = home_ / "models" / ".weights-2147483646";  // above any process number of Linux
  fs::create_directories(old);
  std::ofstream(old / "Q8_0.gguf") << "left";
  made_ = {{"Q8_0", {0.001, {200, 40}}}};
  ASSERT_TRUE(choose().ok());
  EXPECT_FALSE(fs::exists(old));
}

TEST_F(ChooseWeights, weights_are_not_converted_twice) {
  made_ = {{"Q8_0", {0.001, {200, 40}}}};
  ASSERT_TRUE(choose().ok());
  const auto again = choose();
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().kind, Kind::bad_request);
}

}  // namespace
}  // namespace loam::engine
