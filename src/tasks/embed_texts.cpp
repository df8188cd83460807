#include "tasks/embed_texts.h"

#include <algorithm>
#include <cmath>

#include "base/document.h"
#include "passage/cutter.h"

namespace loam::tasks {
namespace {

// The embedder packs texts of like length together: the more it sees at once, the better it packs. Progress
// and Ctrl-C are served between calls.
constexpr std::size_t kTextsPerCall = 512;

/// Part of a text that the embedder can read whole.
struct Piece {
  std::size_t text = 0;
  double weight = 1;
};

}  // namespace

Result<std::vector<float>> embed_texts(engine::Embedder& embedder, std::span<const std::string> texts,
                                       const ProgressSink& progress, std::stop_token stop) {
  const auto width = static_cast<std::size_t>(embedder.dimensions());
  const auto longest = static_cast<std::size_t>(std::max(embedder.max_tokens(), 2));
  std::vector<float> vectors(texts.size() * width, 0.0F);
  for (std::size_t begin = 0; begin < texts.size(); begin += kTextsPerCall) {
    if (stop.stop_requested()) {
      return Error{Kind::unavailable, "embedding", "stopped", "run it again to go on"};
    }
    const std::size_t end = std::min(texts.size(), begin + kTextsPerCall);
    std::vector<std::string> strings;
    std::vector<Piece> pieces;
    for (std::size_t i = begin; i < end; ++i) {
      // A token takes a byte at least, so a text with few bytes needs no counting.
      if (texts[i].size() + 2 > longest) {
        auto tokens = embedder.count_tokens(texts[i]);
        if (!tokens) return tokens.error();
        if (static_cast<std::size_t>(*tokens) > longest) {
          Document document;
          document.text = texts[i];
          passage::CutOptions options;
          options.max_tokens = static_cast<int>(longest);
          options.target_tokens = static_cast<int>(longest);
          auto passages = passage::cut(
              document, [&](std::string_view part) { return embedder.count_tokens(part); }, options);
          if (!passages) return passages.error();
          for (const Passage& passage : *passages) {
            strings.push_back(passage.text);
            pieces.push_back({i, static_cast<double>(std::max(passage.tokens, 1))});
          }
          continue;
        }
      }
      strings.push_back(texts[i]);
      pieces.push_back({i, 1.0});
    }
    auto embedded = embedder.embed(strings);
    if (!embedded) return embedded.error();
    for (std::size_t p = 0; p < pieces.size();) {
      std::size_t last = p;
      while (last < pieces.size() && pieces[last].text == pieces[p].text) ++last;
      float* to = vectors.data() + pieces[p].text * width;
      if (last == p + 1) {
        std::copy_n(embedded->data() + p * width, width, to);
      } else {
        std::vector<double> sum(width, 0.0);
        double square = 0.0;
        for (std::size_t k = 0; k < width; ++k) {
          for (std::size_t one = p; one < last; ++one) {
            sum[k] += pieces[one].weight * static_cast<double>((*embedded)[one * width + k]);
          }
          square += sum[k] * sum[k];
        }
        const double scale = square > 0.0 ? 1.0 / std::sqrt(square) : 0.0;
        for (std::size_t k = 0; k < width; ++k) to[k] = static_cast<float>(sum[k] * scale);
      }
      p = last;
    }
    if (progress) progress({"embedding", end, texts.size()});
  }
  return vectors;
}

}  // namespace loam::tasks
