// A real but tiny model for tests: random weights, 2 layers, a small byte-level vocabulary with chat tokens.
// Written in milliseconds, loaded in milliseconds, so that most tests need no downloaded model.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/result.h"

namespace loam::engine::testing {

struct TinyModelOptions {
  std::uint32_t seed = 1;  ///< of the weights
  int dimensions = 64;     ///< multiple of 64
  int layers = 2;
  int context_tokens = 1024;
};

/// Writes a llama-architecture GGUF whose vocabulary has one token per byte, some merged words, and the
/// control tokens <|im_start|>, <|im_end|>, <|endoftext|>, with a ChatML template.
Result<void> write_tiny_model(const std::filesystem::path& path, const TinyModelOptions& options = {});

enum class LoraB : std::uint8_t { zero, random };

/// Writes a rank-4 LoRA adapter for the query and value projections of that model.
/// With LoraB::zero it changes nothing; with LoraB::random it changes every output.
Result<void> write_tiny_lora(const std::filesystem::path& path, LoraB b, std::uint32_t seed = 7,
                             const TinyModelOptions& model = {});

/// Writes a BERT-architecture GGUF (mean pooling, 2 layers, WordPiece over a few dozen words and all ASCII
/// letters) for tests of embedders.
Result<void> write_tiny_embedder(const std::filesystem::path& path, const TinyModelOptions& options = {});

}  // namespace loam::engine::testing
