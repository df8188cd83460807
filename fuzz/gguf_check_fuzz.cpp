// The check that stands between a GGUF from outside and llama.cpp. FUZZ_SEEDS=FOLDER writes two sound files
// there first, so that the fuzzer begins with something that is accepted.
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string_view>

#include "engine/gguf_check.h"
#include "engine/testing/tiny_gguf.h"

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  if (const char* folder = std::getenv("FUZZ_SEEDS")) {
    std::ofstream(std::string(folder) + "/llama.gguf", std::ios::binary)
        << loam::engine::testing::tiny_llama_gguf();
    std::ofstream(std::string(folder) + "/bert.gguf", std::ios::binary)
        << loam::engine::testing::tiny_bert_gguf();
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto checked = loam::engine::check_gguf_bytes(bytes, "fuzz.gguf");
  if (checked && checked->metadata_bytes + checked->weights_bytes > size) std::abort();
  return 0;
}
