#include "engine/rope_rows.h"

#include <algorithm>

namespace loam::engine {
namespace {

enum class To : std::uint8_t { gguf, publisher };

void reorder(std::vector<float>& values, std::uint64_t rows, std::uint64_t head_size, To to) {
  const std::size_t row = values.size() / static_cast<std::size_t>(rows);
  const auto half = static_cast<std::size_t>(head_size / 2);
  std::vector<float> turned(values.size());
  for (std::size_t head = 0; head < rows / head_size; ++head) {
    for (std::size_t i = 0; i < half; ++i) {
      for (std::size_t part = 0; part < 2; ++part) {
        const std::size_t apart = (head * head_size + part * half + i) * row;
        const std::size_t beside = (head * head_size + 2 * i + part) * row;
        const std::size_t from = to == To::gguf ? apart : beside;
        const std::size_t into = to == To::gguf ? beside : apart;
        std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(from), row,
                    turned.begin() + static_cast<std::ptrdiff_t>(into));
      }
    }
  }
  values = std::move(turned);
}

}  // namespace

void interleave_halves(std::vector<float>& values, std::uint64_t rows, std::uint64_t head_size) {
  reorder(values, rows, head_size, To::gguf);
}

void part_halves(std::vector<float>& values, std::uint64_t rows, std::uint64_t head_size) {
  reorder(values, rows, head_size, To::publisher);
}

}  // namespace loam::engine
