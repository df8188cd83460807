// A GGUF's bytes in a file, for read_gguf_metadata().
#pragma once

#include <utility>

#include "engine/gguf_metadata.h"
#include "engine/model_file.h"

namespace loam::engine {

class GgufFile final : public GgufBytes {
 public:
  explicit GgufFile(ReadOnlyFile file) : file_(std::move(file)) {}
  std::uint64_t size() const override { return file_.size(); }
  Result<void> read_at(std::uint64_t offset, void* out, std::size_t bytes) override {
    return file_.read_at(offset, out, bytes);
  }

 private:
  ReadOnlyFile file_;
};

}  // namespace loam::engine
