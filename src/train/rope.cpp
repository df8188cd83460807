#include "train/rope.h"

#include <cmath>
#include <utility>

#include "train/lanes.h"

namespace loam::train {
namespace {

LOAM_EACH_WIDTH void rotate_halves(float* head, std::size_t half, const float* cosine, const float* sine,
                                   float direction) {
  float* low = head;
  float* high = head + half;
  for (std::size_t i = 0; i < half; ++i) {
    const float x = low[i], y = high[i], s = direction * sine[i];
    low[i] = x * cosine[i] - y * s;
    high[i] = x * s + y * cosine[i];
  }
}

LOAM_EACH_WIDTH void rotate_neighbours(float* head, std::size_t half, const float* cosine, const float* sine,
                                       float direction) {
  for (std::size_t i = 0; i < half; ++i) {
    const float x = head[2 * i], y = head[2 * i + 1], s = direction * sine[i];
    head[2 * i] = x * cosine[i] - y * s;
    head[2 * i + 1] = x * s + y * cosine[i];
  }
}

}  // namespace

Rope::Rope(RopePairs pairs, std::size_t head_size, float base, float factor, std::vector<float> divisors)
    : pairs_(pairs), half_(head_size / 2) {
  for (std::size_t i = 0; i < half_; ++i) {
    const double power = -2.0 * static_cast<double>(i) / static_cast<double>(head_size);
    double frequency = std::pow(static_cast<double>(base), power) / static_cast<double>(factor);
    if (i < divisors.size()) frequency /= static_cast<double>(divisors[i]);
    frequencies_.push_back(frequency);
  }
}

void Rope::prepare(std::size_t positions) {
  const std::size_t there = half_ == 0 ? 0 : cosine_.size() / half_;
  if (positions <= there) return;
  cosine_.resize(positions * half_);
  sine_.resize(positions * half_);
  for (std::size_t position = there; position < positions; ++position) {
    for (std::size_t i = 0; i < half_; ++i) {
      const double angle = static_cast<double>(position) * frequencies_[i];
      cosine_[position * half_ + i] = static_cast<float>(std::cos(angle));
      sine_[position * half_ + i] = static_cast<float>(std::sin(angle));
    }
  }
}

void Rope::rotate(float* head, std::size_t position, float direction) const {
  const float* cosine = cosine_.data() + position * half_;
  const float* sine = sine_.data() + position * half_;
  if (pairs_ == RopePairs::neighbours) {
    rotate_neighbours(head, half_, cosine, sine, direction);
  } else {
    rotate_halves(head, half_, cosine, sine, direction);
  }
}

}  // namespace loam::train
