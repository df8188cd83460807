// Weights of the two logistic functions, in the order of features.h. Written by bench/baseline/fit.py.
#pragma once

#include <array>

#include "baseline/features.h"

namespace loam::baseline {

inline constexpr float kSentenceBias = -9.3570F;
inline constexpr std::array<float, kSentenceFeatures> kSentenceWeights = {
    3.6935F, 0.5278F, 0.7801F,  0.2728F, 3.8378F,  0.0356F,  1.9577F,
    1.3864F, 0.5817F, -0.4523F, 0.4057F, -1.0001F, -1.0000F, -0.2324F};

inline constexpr float kAnswerBias = -2.5602F;
inline constexpr std::array<float, kAnswerFeatures> kAnswerWeights = {
    1.3821F, 1.2159F, 0.9714F, 1.3797F, 0.3800F, -0.8315F, -0.2599F, -0.1905F, -1.7501F, 0.3880F, -0.6396F};

}  // namespace loam::baseline
