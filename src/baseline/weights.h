// Weights of the two logistic functions, in the order of features.h. Written by bench/baseline/fit.py.
#pragma once

#include <array>

#include "baseline/features.h"
#include "baseline/reading.h"

namespace loam::baseline {

inline constexpr float kSentenceBias = -9.5360F;
inline constexpr std::array<float, kSentenceFeatures> kSentenceWeights = {
    3.5423F,  0.3697F, 0.8970F,  0.3941F,  4.0926F,  -0.0661F, 2.1004F,  1.6096F, 0.5954F,
    -0.6030F, 0.2787F, -1.0009F, -1.0000F, -0.3381F, -3.0000F, -2.0338F, -1.5000F};

inline constexpr float kAnswerBias = -2.8460F;
inline constexpr std::array<float, kAnswerFeatures> kAnswerWeights = {
    1.3376F,  1.1660F,  1.2450F, 1.5853F,  0.4196F,  -0.7378F, -0.2239F,
    -0.0485F, -1.8305F, 0.3337F, -0.1805F, -2.0000F, -1.2649F};

// Beside a reader of spans. Written by bench/baseline/fit_reader.py.
inline constexpr float kReadSentenceBias = -1.0F;
inline constexpr std::array<float, kReadSentenceFeatures> kReadSentenceWeights = {0.5F, 3.0F, -3.0F, 1.0F};

inline constexpr float kReadAnswerBias = 0.0F;
inline constexpr std::array<float, kReadAnswerFeatures> kReadAnswerWeights = {0.5F, 1.0F, 3.0F, -1.0F};

}  // namespace loam::baseline
