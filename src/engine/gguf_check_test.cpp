#include "engine/gguf_check.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <random>

#include "engine/gguf_writer.h"
#include "engine/testing/tiny_gguf.h"
#include "ggml.h"
#include "llama.h"

namespace loam::engine {
namespace {

using testing::tiny_bert_gguf;
using testing::tiny_llama_gguf;

Error error_of(const std::string& bytes) {
  const auto checked = check_gguf_bytes(bytes, "test.gguf");
  EXPECT_FALSE(checked.ok());
  return checked.ok() ? Error{} : checked.error();
}

template <typename T>
void overwrite(std::string& bytes, std::size_t at, T value) {
  ASSERT_LE(at + sizeof(T), bytes.size());
  std::memcpy(bytes.data() + at, &value, sizeof(T));
}

/// Where the value of a key begins (after its type).
std::size_t value_of(const std::string& bytes, std::string_view key) {
  const std::size_t at = bytes.find(key);
  EXPECT_NE(at, std::string::npos) << key;
  return at + key.size() + 4;
}

/// Where the dimension count of a tensor begins.
std::size_t tensor_of(const std::string& bytes, std::string_view name) {
  const std::size_t at = bytes.find(name);
  EXPECT_NE(at, std::string::npos) << name;
  return at + name.size();
}

TEST(GgufCheck, a_sound_llama_is_summarised) {
  const auto summary = check_gguf_bytes(tiny_llama_gguf(), "test.gguf");
  ASSERT_TRUE(summary.ok()) << summary.error().line();
  EXPECT_EQ(summary->architecture, "llama");
  EXPECT_EQ(summary->layers, 1);
  EXPECT_EQ(summary->kv_heads, 1);
  EXPECT_EQ(summary->heads, 2);
  EXPECT_EQ(summary->embedding_length, 32);
  EXPECT_EQ(summary->vocabulary, 16);
  EXPECT_EQ(summary->tokenizer, "gpt2");
  EXPECT_EQ(summary->file_type, "F32");
}

TEST(GgufCheck, a_sound_bert_is_summarised) {
  const auto summary = check_gguf_bytes(tiny_bert_gguf(), "test.gguf");
  ASSERT_TRUE(summary.ok()) << summary.error().line();
  EXPECT_EQ(summary->pooling, "mean");
  EXPECT_EQ(summary->embedding_max_tokens, 16);
}

TEST(GgufCheck, the_type_table_is_that_of_the_linked_ggml) {
  for (std::uint32_t type = 0; type < 64; ++type) {
    const GgmlTypeInfo info = ggml_type_info(type);
    const bool exists = type < GGML_TYPE_COUNT && ggml_blck_size(static_cast<ggml_type>(type)) > 0;
    ASSERT_EQ(info.block != 0, exists) << type;
    if (!exists) continue;
    EXPECT_EQ(info.block, ggml_blck_size(static_cast<ggml_type>(type))) << type;
    EXPECT_EQ(info.bytes, ggml_type_size(static_cast<ggml_type>(type))) << type;
  }
}

TEST(GgufCheck, the_architectures_are_known) {
  EXPECT_TRUE(is_known_architecture("llama"));
  EXPECT_TRUE(is_known_architecture("bert"));
  EXPECT_TRUE(is_known_architecture("gemma3"));
  EXPECT_FALSE(is_known_architecture("clip"));
  EXPECT_FALSE(is_known_architecture("(unknown)"));
  EXPECT_FALSE(is_known_architecture(""));
}

// proves P-MOD-01
TEST(GgufCheck, every_truncation_is_refused) {
  const std::string whole = tiny_llama_gguf();
  for (std::size_t length = 0; length < whole.size() - 31; length += length < 2048 ? 1 : 97) {
    EXPECT_FALSE(check_gguf_bytes(whole.substr(0, length), "test.gguf").ok()) << length;
  }
}

// proves P-MOD-01
TEST(GgufCheck, lies_in_the_header_are_refused) {
  const std::string whole = tiny_llama_gguf();
  std::string bytes = whole;
  bytes[0] = 'X';
  EXPECT_NE(error_of(bytes).message.find("not a GGUF"), std::string::npos);
  overwrite<std::uint32_t>(bytes = whole, 4, 1);
  EXPECT_NE(error_of(bytes).message.find("version 1"), std::string::npos);
  overwrite<std::uint32_t>(bytes = whole, 4, 0x03000000);
  EXPECT_NE(error_of(bytes).message.find("big-endian"), std::string::npos);
  for (const std::uint64_t count : {std::uint64_t{1} << 40U, ~std::uint64_t{0}, std::uint64_t{32768}}) {
    overwrite(bytes = whole, 8, count);
    EXPECT_NE(error_of(bytes).message.find("tensors"), std::string::npos);
    overwrite(bytes = whole, 16, count);
    EXPECT_NE(error_of(bytes).message.find("keys"), std::string::npos);
  }
}

// proves P-MOD-01
TEST(GgufCheck, lies_about_tensors_are_refused) {
  const std::string whole = tiny_llama_gguf();
  const std::size_t at =
      tensor_of(whole, "token_embd.weight");  // uint32 count, two uint64, uint32 type, uint64 offset
  std::string bytes = whole;
  overwrite<std::uint32_t>(bytes, at, 5);
  EXPECT_NE(error_of(bytes).message.find("dimensions"), std::string::npos);
  overwrite<std::uint64_t>(bytes = whole, at + 4, 1ULL << 63U);
  EXPECT_FALSE(check_gguf_bytes(bytes, "x").ok());
  overwrite<std::uint64_t>(bytes = whole, at + 4, 1ULL << 40U);
  EXPECT_NE(error_of(bytes).message.find("data has only"), std::string::npos);
  overwrite<std::uint32_t>(bytes = whole, at + 20, 4);
  EXPECT_NE(error_of(bytes).message.find("unknown or removed type"), std::string::npos);
  overwrite<std::uint64_t>(bytes = whole, at + 24, 8);
  EXPECT_NE(error_of(bytes).message.find("not aligned"), std::string::npos);
  overwrite<std::uint64_t>(bytes = whole, at + 24, 1ULL << 62U);
  EXPECT_NE(error_of(bytes).message.find("data has only"), std::string::npos);
  overwrite<std::uint64_t>(bytes = whole, tensor_of(whole, "output_norm.weight") + 16, 0);
  EXPECT_NE(error_of(bytes).message.find("overlaps"), std::string::npos);
}

// proves P-MOD-01
TEST(GgufCheck, numbers_that_would_stop_llama_are_refused) {
  const std::string whole = tiny_llama_gguf();
  const struct {
    const char* key;
    std::uint32_t value;
  } rows[] = {{"llama.block_count", 0},
              {"llama.block_count", 513},
              {"llama.embedding_length", 0},
              {"llama.context_length", 0},
              {"llama.attention.head_count", 0},
              {"llama.attention.head_count", 5},
              {"llama.attention.head_count_kv", 0},
              {"llama.rope.dimension_count", 3}};
  for (const auto& row : rows) {
    std::string bytes = whole;
    std::size_t at = value_of(bytes, row.key);
    if (std::string_view(row.key) == "llama.attention.head_count") {
      // The longer key begins with the shorter one; the writer puts the shorter one first.
      at = value_of(bytes, "llama.attention.head_count");
    }
    overwrite(bytes, at, row.value);
    EXPECT_FALSE(check_gguf_bytes(bytes, "x").ok()) << row.key << " = " << row.value;
  }
}

TEST(GgufCheck, a_beginning_token_that_is_added_must_exist) {
  std::string bytes = tiny_bert_gguf();  // 101, the default of this tokenizer, is not a token here either
  overwrite<std::uint32_t>(bytes, value_of(bytes, "tokenizer.ggml.bos_token_id"), 999);
  EXPECT_NE(error_of(bytes).message.find("bos_token_id"), std::string::npos);
}

TEST(GgufCheck, an_unknown_architecture_is_named) {
  GgufWriter writer;
  writer.set("general.architecture", "hal9000");
  const Error error = error_of(writer.metadata());
  EXPECT_EQ(error.kind, Kind::bad_data);
  EXPECT_NE(error.message.find("hal9000"), std::string::npos);
}

TEST(GgufCheck, doubled_keys_and_tokens_are_refused) {
  GgufWriter writer;
  writer.set("general.architecture", "llama");
  writer.set("general.architecture", "llama");
  EXPECT_NE(error_of(writer.metadata()).message.find("twice"), std::string::npos);
  std::string bytes = tiny_llama_gguf();
  bytes.replace(bytes.find("tok03"), 5, "tok04");
  EXPECT_NE(error_of(bytes).message.find("twice"), std::string::npos);
}

TEST(GgufCheck, what_is_not_a_file_is_refused_without_waiting) {
  const auto folder = std::filesystem::temp_directory_path() / ("loam-gguf-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  EXPECT_EQ(check_gguf(folder).error().kind, Kind::bad_request);
  EXPECT_EQ(check_gguf(folder / "none.gguf").error().kind, Kind::bad_request);
  const auto fifo = folder / "fifo.gguf";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(check_gguf(fifo).error().kind, Kind::bad_request);
  std::ofstream(folder / "empty.gguf").close();
  EXPECT_EQ(check_gguf(folder / "empty.gguf").error().kind, Kind::bad_data);
  std::filesystem::remove_all(folder);
}

/// Offsets that hold counts, lengths, types and sizes are where damage matters, so mutants change those most.
std::string mutate(const std::string& whole, std::size_t metadata_bytes, std::mt19937_64& random) {
  std::string bytes = whole;
  const auto pick = [&](std::size_t below) { return static_cast<std::size_t>(random() % below); };
  constexpr std::uint64_t kNumbers[] = {0,           1,           2,           3,           7,
                                        8,           31,          32,          63,          64,
                                        255,         256,         0x7FFF,      0xFFFF,      0x7FFFFFFF,
                                        0x80000000,  0xFFFFFFFF,  1ULL << 32U, 1ULL << 40U, (1ULL << 62U) - 1,
                                        1ULL << 62U, 1ULL << 63U, ~0ULL};
  const std::size_t changes = 1 + pick(3);
  for (std::size_t i = 0; i < changes; ++i) {
    const std::size_t at = pick(metadata_bytes - 8);
    switch (pick(5)) {
      case 0:
        bytes[at] = static_cast<char>(random());
        break;
      case 1:
        overwrite(bytes, at, static_cast<std::uint32_t>(kNumbers[pick(std::size(kNumbers))]));
        break;
      case 2:
        overwrite(bytes, at, kNumbers[pick(std::size(kNumbers))]);
        break;
      case 3:
        bytes.erase(at, 1 + pick(16));
        break;
      default:
        bytes.insert(at, bytes.substr(pick(metadata_bytes), 1 + pick(16)));
        break;
    }
    if (bytes.size() < 64) break;
    metadata_bytes = std::min(metadata_bytes, bytes.size());
  }
  if (pick(8) == 0) bytes.resize(pick(bytes.size()));
  return bytes;
}

// proves P-MOD-02
TEST(GgufCheck, mutants_never_crash_and_the_accepted_ones_have_sizes_that_agree) {
  std::mt19937_64 random(20240229);
  int accepted = 0;
  int refused = 0;
  for (const std::string& whole : {tiny_llama_gguf(), tiny_bert_gguf()}) {
    const auto sound = check_gguf_bytes(whole, "test.gguf");
    ASSERT_TRUE(sound.ok());
    for (int i = 0; i < 4000; ++i) {
      const std::string bytes = mutate(whole, static_cast<std::size_t>(sound->metadata_bytes), random);
      const auto checked = check_gguf_bytes(bytes, "mutant.gguf");
      if (!checked) {
        ++refused;
        EXPECT_FALSE(checked.error().message.empty());
        continue;
      }
      ++accepted;
      EXPECT_EQ(checked->file_bytes, bytes.size());
      EXPECT_LE(checked->metadata_bytes + checked->weights_bytes, bytes.size());
      EXPECT_GE(checked->layers, 1);
      EXPECT_LE(checked->layers, 512);
      std::uint64_t sum = 0;
      for (const TensorTypeCount& type : checked->tensor_types) sum += type.bytes;
      EXPECT_EQ(sum, checked->weights_bytes);
    }
  }
  EXPECT_GT(refused, 3000);
  EXPECT_GT(accepted, 100);  // text and float values may change freely
}

}  // namespace
}  // namespace loam::engine
