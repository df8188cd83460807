// Weights of the two logistic functions, in the order of features.h. Written by bench/baseline/fit.py.
#pragma once

#include <array>

#include "baseline/features.h"

namespace loam::baseline {

inline constexpr float kSentenceBias = -5.0F;
inline constexpr std::array<float, kSentenceFeatures> kSentenceWeights = {
    3.0F, 1.0F, 0.5F, 0.5F, 4.0F, 0.5F, 0.5F, 0.3F, 0.8F, -0.8F, 0.5F, -1.0F, -1.0F, 0.2F};

inline constexpr float kAnswerBias = -1.0F;
inline constexpr std::array<float, kAnswerFeatures> kAnswerWeights = {2.0F,  2.0F,  1.0F,  1.0F, 1.0F, -2.0F,
                                                                      -1.0F, -1.0F, -1.0F, 0.3F, -0.5F};

}  // namespace loam::baseline
