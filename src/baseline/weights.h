// Weights of the two logistic functions, in the order of features.h. Written by bench/baseline/fit.py.
#pragma once

#include <array>

#include "baseline/features.h"

namespace loam::baseline {

inline constexpr float kSentenceBias = -9.5184F;
inline constexpr std::array<float, kSentenceFeatures> kSentenceWeights = {
    3.7427F, 0.3481F, 0.7560F,  0.4173F, 3.9066F,  -0.0165F, 2.1525F,
    1.6134F, 0.6391F, -0.5287F, 0.2811F, -1.0010F, -1.0000F, -0.3743F};

inline constexpr float kAnswerBias = -2.7848F;
inline constexpr std::array<float, kAnswerFeatures> kAnswerWeights = {
    1.3198F, 1.0857F, 1.1754F, 1.5900F, 0.3558F, -0.7644F, -0.2277F, -0.0351F, -1.8976F, 0.3778F, -0.5104F};

}  // namespace loam::baseline
