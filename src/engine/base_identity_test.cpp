#include "engine/base_identity.h"

#include <fstream>
#include <set>

#include "engine/quantize.h"
#include "engine/testing/fixture.h"

namespace loam::engine {
namespace {

using testing::scratch_folder;

std::string identity_of(const std::filesystem::path& file) {
  const auto identity = base_identity(file);
  EXPECT_TRUE(identity.ok()) << (identity ? "" : identity.error().line());
  return identity ? *identity : std::string();
}

std::filesystem::path embedder(const std::string& name, std::uint32_t seed, int dimensions = 64) {
  testing::TinyModelOptions options;
  options.seed = seed;
  options.dimensions = dimensions;
  const auto path = scratch_folder() / name;
  EXPECT_TRUE(testing::write_tiny_embedder(path, options).ok());
  return path;
}

// proves P-ADAPT-01
TEST(base_identity, all_forms_of_one_model_share_it) {
  const auto source = testing::tiny_model()->file();
  const std::string expected = identity_of(source);
  EXPECT_EQ(expected.size(), 64U);
  for (const char* type : {"Q8_0", "Q4_0", "Q4_1", "F16", "BF16"}) {
    const auto file = scratch_folder() / ("form-" + std::string(type) + ".gguf");
    QuantizeOptions options;
    options.loss = Measure::no;
    options.speed = Measure::no;
    const auto made = quantize(source, file, type, options);
    ASSERT_TRUE(made.ok()) << made.error().line();
    EXPECT_EQ(identity_of(file), expected) << type;
  }
}

// proves P-ADAPT-01
TEST(base_identity, other_norms_another_width_and_another_architecture_are_other_models) {
  std::set<std::string> seen;
  seen.insert(identity_of(embedder("one.gguf", 1)));
  seen.insert(identity_of(embedder("two.gguf", 2)));
  seen.insert(identity_of(embedder("wide.gguf", 1, 128)));
  seen.insert(identity_of(testing::tiny_model()->file()));
  EXPECT_EQ(seen.size(), 4U);
  EXPECT_EQ(identity_of(embedder("again.gguf", 1)), identity_of(embedder("one.gguf", 1)));
}

TEST(base_identity, damaged_and_absent_files_are_errors) {
  EXPECT_FALSE(base_identity(scratch_folder() / "absent.gguf").ok());
  const auto whole = embedder("whole.gguf", 1);
  std::ifstream in(whole, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(in), {});
  const auto cut = scratch_folder() / "cut.gguf";
  for (const std::size_t size : {std::size_t{0}, std::size_t{10}, bytes.size() / 2, bytes.size() - 1}) {
    std::ofstream(cut, std::ios::binary | std::ios::trunc)
        .write(bytes.data(), static_cast<std::streamsize>(size));
    EXPECT_FALSE(base_identity(cut).ok()) << size;
  }
}

TEST(base_identity, a_model_tells_its_own) {
  const auto identity = testing::tiny_model()->identity();
  ASSERT_TRUE(identity.ok());
  EXPECT_EQ(*identity, identity_of(testing::tiny_model()->file()));
}

}  // namespace
}  // namespace loam::engine
