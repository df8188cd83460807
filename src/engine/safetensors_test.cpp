// Hostile and damaged safetensors headers: each is refused with the file and what is wrong.
#include "engine/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <random>

#include "engine/testing/fixture.h"

namespace loam::engine {
namespace {

std::string file_of(const std::string& header, std::size_t data_bytes) {
  const auto size = static_cast<std::uint64_t>(header.size());
  std::string bytes(reinterpret_cast<const char*>(&size), sizeof(size));
  return bytes + header + std::string(data_bytes, '\x3c');
}

Result<std::vector<SafetensorInfo>> parse(const std::string& bytes) {
  return parse_safetensors_header(bytes, bytes.size(), "model.safetensors");
}

const char* const kSound =
    R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F16","shape":[2,3],"data_offsets":[8,20]},)"
    R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";

TEST(Safetensors, a_sound_header_gives_its_tensors_in_the_order_of_their_bytes) {
  const auto tensors = parse(file_of(kSound, 20));
  ASSERT_TRUE(tensors.ok()) << tensors.error().line();
  ASSERT_EQ(tensors->size(), 2U);
  EXPECT_EQ((*tensors)[0].name, "a");
  EXPECT_EQ((*tensors)[1].shape, (std::vector<std::uint64_t>{2, 3}));
  EXPECT_EQ((*tensors)[1].type, SafetensorType::f16);
  EXPECT_EQ((*tensors)[1].bytes, 12U);
}

TEST(Safetensors, what_a_header_claims_is_held_against_the_file) {
  const struct {
    const char* what;
    std::string header;
    std::size_t data_bytes;
  } rows[] = {
      {"data that runs past the file", R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})", 8},
      {"a shape that does not match", R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8},
      {"a hole", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8},
      {"bytes of no tensor at the end", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 8},
      {"an overlap",
       R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
       8},
      {"offsets in the wrong order", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4},
      {"a negative offset", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}})", 4},
      {"a dimension of two to the 63rd, twice",
       R"({"a":{"dtype":"F32","shape":[9223372036854775808,9223372036854775808],"data_offsets":[0,4]}})", 4},
      {"bytes that wrap to the right count",
       R"({"a":{"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]}})", 4},
      {"a fractional dimension", R"({"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})", 4},
      {"nine dimensions", R"({"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}})", 4},
      {"an unknown type", R"({"a":{"dtype":"F4","shape":[1],"data_offsets":[0,4]}})", 4},
      {"a tensor that is a number", R"({"a":4})", 0},
      {"no offsets", R"({"a":{"dtype":"F32","shape":[1]}})", 4},
      {"a list", R"([])", 0},
      {"no JSON", "{\"a\":", 0},
      {"a doubled name",
       R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
       8},
  };
  for (const auto& row : rows) {
    const auto parsed = parse(file_of(row.header, row.data_bytes));
    EXPECT_FALSE(parsed.ok()) << row.what;
    if (!parsed) {
      EXPECT_EQ(parsed.error().kind, Kind::bad_data) << row.what;
      EXPECT_NE(parsed.error().line().find("model.safetensors"), std::string::npos) << parsed.error().line();
    }
  }
}

TEST(Safetensors, a_header_length_that_lies_is_refused_before_anything_is_taken) {
  std::string bytes = file_of(kSound, 20);
  for (const std::uint64_t claimed : {~std::uint64_t{0}, std::uint64_t{1} << 62U, std::uint64_t{bytes.size()},
                                      std::uint64_t{0}, std::uint64_t{5}}) {
    std::memcpy(bytes.data(), &claimed, sizeof(claimed));
    EXPECT_FALSE(parse(bytes).ok()) << claimed;
  }
  EXPECT_FALSE(parse("").ok());
  EXPECT_FALSE(parse("1234567").ok());
}

TEST(Safetensors, deep_nesting_is_refused) {
  EXPECT_FALSE(parse(file_of(std::string(200000, '['), 0)).ok());
  std::string deep = R"({"a":)";
  for (int i = 0; i < 100000; ++i) deep += R"({"b":)";
  EXPECT_FALSE(parse(file_of(deep, 0)).ok());
}

TEST(Safetensors, no_change_of_a_byte_makes_it_crash_or_accept_sizes_that_do_not_agree) {
  const std::string sound = file_of(kSound, 20);
  std::mt19937 random(3);
  int accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = sound;
    for (int change = 0; change < 1 + round % 3; ++change)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    if (round % 5 == 0) bytes.resize(random() % bytes.size());
    const auto parsed = parse(bytes);
    if (!parsed) continue;
    ++accepted;
    for (const SafetensorInfo& info : *parsed) EXPECT_LE(info.offset + info.bytes, bytes.size());
  }
  EXPECT_GT(accepted, 0);
}

TEST(Safetensors, an_index_cannot_name_a_file_outside_its_folder) {
  const auto folder = testing::scratch_folder() / "sharded";
  std::filesystem::create_directories(folder);
  std::ofstream(testing::scratch_folder() / "outside.safetensors", std::ios::binary) << file_of(kSound, 20);
  const auto index = folder / "model.safetensors.index.json";
  std::ofstream(index) << R"({"weight_map":{"a":"../outside.safetensors"}})";
  auto opened = Safetensors::open(folder);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().line().find("leaves the folder"), std::string::npos) << opened.error().line();
  std::ofstream(folder / "inside.safetensors", std::ios::binary) << file_of(kSound, 20);
  std::ofstream(index) << R"({"weight_map":{"a":"inside.safetensors","c":"inside.safetensors"}})";
  opened = Safetensors::open(folder);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().line().find("'c'"), std::string::npos) << opened.error().line();
  std::ofstream(index) << R"({"weight_map":{"a":"inside.safetensors","b":"inside.safetensors"}})";
  opened = Safetensors::open(folder);
  ASSERT_TRUE(opened.ok()) << opened.error().line();
  EXPECT_EQ(opened->read_f32(*opened->find("b"))->size(), 6U);
}

}  // namespace
}  // namespace loam::engine
