// The reference files that testdata/make_fixture.py writes, as the tests of whole models read them.
#pragma once

#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "base/json.h"
#include "train/lora.h"

namespace loam::train::testing {

inline std::filesystem::path reference_file(const std::string& file) {
  return std::filesystem::path(LOAM_SOURCE_DIR) / "src/train/testdata" / file;
}

/// What lies in NAME.json and NAME.f32: a LoRA adapter, its gradients, and more by name.
struct ReferenceTensors {
  Json about;
  std::map<std::string, std::vector<float>> tensors;
  LoraOptions options;

  explicit ReferenceTensors(const std::string& name) {
    about = Json::parse(bytes_of(name + ".json"));
    const std::string bytes = bytes_of(name + ".f32");
    for (const Json& entry : about["tensors"]) {
      std::size_t count = 1;
      for (const Json& side : entry["shape"]) count *= side.get<std::size_t>();
      std::vector<float> values(count);
      std::memcpy(values.data(), bytes.data() + entry["offset"].get<std::size_t>() * 4, count * 4);
      tensors[entry["name"].get<std::string>()] = std::move(values);
    }
    options.rank = about["rank"].get<int>();
    options.alpha = about["alpha"].get<double>();
  }

  /// The adapter's matrices, or with ".gradient" their gradients, in the layout of `lora`.
  std::vector<float> flat(const LoraParameters& lora, const std::string& ending = "") const {
    const auto rank = static_cast<std::size_t>(options.rank);
    std::vector<float> values(lora.values().size());
    for (std::size_t layer = 0; layer < lora.layers(); ++layer) {
      for (std::size_t i = 0; i < kTargetCount; ++i) {
        const LoraMatrix& matrix = lora.matrix(layer, static_cast<Target>(i));
        if (!matrix.there) continue;
        const std::string name =
            "blk." + std::to_string(layer) + "." + std::string(gguf_name_of(static_cast<Target>(i)));
        const auto& a = tensors.at(name + ".lora_a" + ending);
        const auto& b = tensors.at(name + ".lora_b" + ending);
        std::copy(a.begin(), a.end(), values.begin() + static_cast<std::ptrdiff_t>(matrix.a));
        for (std::size_t out = 0; out < matrix.out; ++out) {
          for (std::size_t r = 0; r < rank; ++r) values[matrix.b + r * matrix.out + out] = b[out * rank + r];
        }
      }
    }
    return values;
  }

 private:
  static std::string bytes_of(const std::string& file) {
    std::ifstream stream(reference_file(file), std::ios::binary);
    std::ostringstream text;
    text << stream.rdbuf();
    return text.str();
  }
};

}  // namespace loam::train::testing
