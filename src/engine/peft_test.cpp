#include "engine/peft.h"

#include <cmath>
#include <cstring>
#include <fstream>

#include "base/json.h"
#include "engine/gguf_file.h"
#include "engine/safetensors.h"
#include "engine/testing/fixture.h"

namespace loam::engine {
namespace {

namespace fs = std::filesystem;
using testing::scratch_folder;

fs::path base_of(const std::string& name) {
  return fs::path(LOAM_SOURCE_DIR) / "src/train/testdata" / (name == "qwen2" ? "qwen2.gguf" : "llama.gguf");
}
fs::path fixture(const std::string& name) { return testing::testdata("peft_" + name); }

std::string bytes_of_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

fs::path imported(const std::string& name) {
  const fs::path out = scratch_folder() / ("peft-" + name + ".gguf");
  const auto report = import_peft(fixture(name), base_of(name), out);
  EXPECT_TRUE(report.ok()) << (report ? "" : report.error().line());
  return out;
}

/// Largest difference between our logits with this adapter and those that PEFT computed.
double divergence_from_peft(const std::string& name, const std::vector<Adapter>& adapters) {
  const auto tokens = parse_json(bytes_of_file(fixture(name) / "tokens.json"), "tokens");
  const std::string theirs = bytes_of_file(fixture(name) / "logits.f32");
  EXPECT_TRUE(tokens.ok());
  LocalEngineOptions options;
  options.threads = 1;
  options.context_tokens = 64;
  options.flash_attention = FlashAttention::off;
  options.k_type = options.v_type = KvType::f32;
  options.adapters = adapters;
  const auto engine = LocalEngine::open(base_of(name), options);
  EXPECT_TRUE(engine.ok()) << (engine ? "" : engine.error().line());
  if (!engine || !tokens) return 1e9;
  double largest = 0;
  std::size_t rows = 0;
  const auto read = (*engine)->for_each_logits(
      tokens->get<std::vector<Token>>(), [&](int position, std::span<const float> row) {
        for (std::size_t i = 0; i < row.size(); ++i) {
          float expected = 0;
          std::memcpy(&expected,
                      theirs.data() + (static_cast<std::size_t>(position) * row.size() + i) * sizeof(float),
                      sizeof(float));
          largest = std::max(largest, std::abs(static_cast<double>(row[i]) - static_cast<double>(expected)));
        }
        ++rows;
      });
  EXPECT_TRUE(read.ok());
  EXPECT_EQ(rows * 40 * sizeof(float), theirs.size());
  return largest;
}

// proves P-ADAPT-04
TEST(peft, what_peft_saved_acts_here_as_it_does_there) {
  for (const std::string name : {"llama", "rslora"}) {
    EXPECT_LT(divergence_from_peft(name, {{imported(name), 1.0F}}), 1e-5) << name;
    EXPECT_GT(divergence_from_peft(name, {}), 0.1) << name;  // without it
  }
}

// proves P-ADAPT-04
TEST(peft, what_is_exported_again_is_what_peft_saved_bit_for_bit) {
  // These have one scale each; "llama" has two, which import put into the matrices.
  for (const std::string name : {"qwen2", "rslora"}) {
    const fs::path folder = scratch_folder() / ("exported-" + name);
    const auto report = export_peft(imported(name), base_of(name), folder);
    ASSERT_TRUE(report.ok()) << report.error().line();
    const auto ours = Safetensors::open(folder / "adapter_model.safetensors");
    const auto theirs = Safetensors::open(fixture(name) / "adapter_model.safetensors");
    ASSERT_TRUE(ours.ok() && theirs.ok());
    ASSERT_EQ(ours->tensors().size(), theirs->tensors().size());
    for (const SafetensorInfo& tensor : theirs->tensors()) {
      const SafetensorInfo* same = ours->find(tensor.name);
      ASSERT_NE(same, nullptr) << tensor.name;
      EXPECT_EQ(same->shape, tensor.shape) << tensor.name;
      EXPECT_EQ(*ours->read_f32(*same), *theirs->read_f32(tensor)) << tensor.name;
    }
    const auto config = parse_json(bytes_of_file(folder / "adapter_config.json"), "config");
    ASSERT_TRUE(config.ok());
    EXPECT_EQ(config->at("r"), 4);
    EXPECT_NEAR(config->at("lora_alpha").get<double>() / 4, 6 / std::sqrt(4.0), 1e-6);  // rsLoRA's scale
    EXPECT_EQ(config->at("target_modules").size(), 3U)
        << name;  // three kinds, or three matrices of one layer
  }
}

// proves P-ADAPT-04
TEST(peft, there_and_back_nothing_changes) {
  for (const std::string name : {"llama", "rslora"}) {
    const fs::path folder = scratch_folder() / ("round-" + name);
    ASSERT_TRUE(export_peft(imported(name), base_of(name), folder).ok());
    const fs::path again = scratch_folder() / ("peft-" + name + "-again.gguf");
    const auto back = import_peft(folder, base_of(name), again);
    ASSERT_TRUE(back.ok()) << back.error().line();
    EXPECT_LT(divergence_from_peft(name, {{again, 1.0F}}), 1e-5) << name;
  }
}

TEST(peft, an_adapter_of_another_model_is_refused) {
  const fs::path out = scratch_folder() / "refused.gguf";
  const auto wrong = import_peft(fixture("qwen2"), testing::tiny_model()->file(), out);
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().kind, Kind::bad_request);
  EXPECT_FALSE(fs::exists(out));
  EXPECT_FALSE(
      export_peft(imported("llama"), testing::tiny_model()->file(), scratch_folder() / "nowhere").ok());
  EXPECT_FALSE(fs::exists(scratch_folder() / "nowhere"));
}

class BadPeft : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    for (const auto& entry : fs::directory_iterator(fixture("llama")))
      fs::copy_file(entry.path(), folder_ / entry.path().filename());
    config_ = *parse_json(bytes_of_file(folder_ / "adapter_config.json"), "config");
  }
  Error refusal() {
    std::ofstream(folder_ / "adapter_config.json", std::ios::trunc) << dump_json(config_);
    return refusal_of_files();
  }
  Error refusal_of_files() {
    const auto report = import_peft(folder_, base_of("llama"), out_);
    EXPECT_FALSE(report.ok());
    EXPECT_FALSE(fs::exists(out_));
    for (const auto& entry : fs::directory_iterator(out_.parent_path()))
      EXPECT_EQ(entry.path().string().find(".import"), std::string::npos) << entry.path();
    return report ? Error{} : report.error();
  }

  fs::path folder_ = scratch_folder() / "bad-peft";
  fs::path out_ = scratch_folder() / "bad-peft.gguf";
  Json config_;
};

// proves P-ADAPT-04
TEST_F(BadPeft, what_cannot_be_served_is_refused_by_name) {
  const Json good = config_;
  const std::vector<std::pair<std::string, Json>> cases = {
      {"use_dora", true},
      {"modules_to_save", Json{"lm_head"}},
      {"bias", "all"},
      {"peft_type", "IA3"},
      {"layer_replication", Json::array({Json{0, 1}})},
      {"init_lora_weights", "pissa_niter_16"},
      {"fan_in_fan_out", true},
      {"alpha_pattern", Json{{"layers\\.[0-9]+", 4}}},
  };
  for (const auto& [key, value] : cases) {
    config_ = good;
    config_[key] = value;
    const Error error = refusal();
    EXPECT_EQ(error.kind, Kind::bad_request) << key;
    EXPECT_NE(error.message.find(key), std::string::npos) << error.line();
  }
  for (const Json& alpha : {Json("two"), Json(), Json(1e300)}) {
    config_ = good;
    config_["lora_alpha"] = alpha;
    EXPECT_NE(refusal().message.find("lora_alpha"), std::string::npos);
  }
}

// proves P-ADAPT-04
TEST_F(BadPeft, damaged_and_hostile_files_are_errors) {
  const fs::path weights = folder_ / "adapter_model.safetensors";
  const std::string whole = bytes_of_file(weights);
  const auto write = [&](const std::string& bytes) {
    std::ofstream out(weights, std::ios::binary | std::ios::trunc);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  };
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{7}, std::size_t{100}, whole.size() / 2, whole.size() - 1}) {
    write(whole.substr(0, size));
    refusal_of_files();
  }
  std::string lying = whole;
  lying.replace(0, 8, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F", 8);  // a header of 2^63 bytes
  write(lying);
  refusal_of_files();
  std::string renamed = whole;
  for (std::size_t at = renamed.find("q_proj"); at != std::string::npos; at = renamed.find("q_proj", at))
    renamed.replace(at, 6, "z_proj");
  write(renamed);
  EXPECT_NE(refusal_of_files().message.find("z_proj"), std::string::npos);
  std::string far_layer = whole;
  for (std::size_t at = far_layer.find("layers.1."); at != std::string::npos;
       at = far_layer.find("layers.1.", at))
    far_layer.replace(at, 9, "layers.7.");
  write(far_layer);
  EXPECT_NE(refusal_of_files().message.find("layers.7"), std::string::npos);
  std::string not_finite = whole;
  for (std::size_t i = 1; i <= 4; ++i) not_finite[not_finite.size() - i] = '\xFF';
  write(not_finite);
  EXPECT_EQ(refusal_of_files().kind, Kind::bad_data);
  fs::remove(weights);
  EXPECT_NE(refusal_of_files().message.find("safetensors"), std::string::npos);
  write(whole);
  for (const char* text : {"", "{", "[]", "{\"peft_type\":3}"}) {
    std::ofstream(folder_ / "adapter_config.json", std::ios::trunc) << text;
    refusal_of_files();
  }
}

TEST(peft, a_full_disk_is_told_and_leaves_nothing_whole_looking) {
  if (!fs::exists("/dev/full")) return;
  // A folder that cannot be made stands in for one: the files never appear.
  const auto report = export_peft(imported("llama"), base_of("llama"), "/dev/full/folder");
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().kind, Kind::unavailable);
}

}  // namespace
}  // namespace loam::engine
