// Rotary position embeddings (Su et al. 2021): pairs of a head's numbers are turned by angles that grow with
// the position.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace loam::train {

/// Which numbers of a head are a pair.
enum class RopePairs : std::uint8_t {
  neighbours,  ///< 2 i and 2 i + 1: Llama in GGUF
  halves,      ///< i and i + half: Qwen
};

class Rope {
 public:
  Rope() = default;
  /// `divisors` has head_size / 2 values, or none. `factor` stretches all positions (linear scaling).
  Rope(RopePairs pairs, std::size_t head_size, float base, float factor, std::vector<float> divisors);

  /// Tables for positions below `positions`; call before turn() and turn_back().
  void prepare(std::size_t positions);
  /// Turns one head in place.
  void turn(float* head, std::size_t position) const { rotate(head, position, 1.0F); }
  /// The gradient of turn(): the same angle the other way.
  void turn_back(float* head, std::size_t position) const { rotate(head, position, -1.0F); }

 private:
  void rotate(float* head, std::size_t position, float direction) const;

  RopePairs pairs_ = RopePairs::neighbours;
  std::size_t half_ = 0;
  std::vector<double> frequencies_;   // (half_)
  std::vector<float> cosine_, sine_;  // (positions, half_)
};

}  // namespace loam::train
