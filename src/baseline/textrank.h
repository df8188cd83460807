// TextRank: which sentences of a text do the others recommend? The summary without a language model.
// Mihalcea & Tarau, "TextRank: Bringing Order into Texts", EMNLP 2004.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace loam::baseline {

struct TextRankOptions {
  double damping = 0.85;     ///< as in the paper
  double tolerance = 1e-4;   ///< largest change of a score at which the iteration ends; the paper's threshold
  int max_iterations = 100;  ///< each costs time in proportion to the words
};

/// A score for each sentence; their mean is 1 unless there are none. Two sentences recommend each other by
/// the number of content words (stems) they share, over the sum of the logarithms of their numbers of content
/// words (the paper's equation for sentence similarity). A sentence of fewer than two content words takes no
/// part and scores 1 - damping, like one that shares no word. Exact, yet without building the graph: memory
/// grows with the words, not with the square of the sentences. Deterministic; any thread.
std::vector<double> textrank(std::span<const std::string_view> sentences,
                             const TextRankOptions& options = {});

/// Indexes of the best sentences, at most `most`, in the order of the text. A sentence that has the same
/// content words as a better one is passed over, and so is one that takes no part. Of equal scores the
/// earlier wins, which makes the opening of a text its fallback.
std::vector<std::size_t> best_sentences(std::span<const std::string_view> sentences,
                                        std::span<const double> scores, std::size_t most);

}  // namespace loam::baseline
