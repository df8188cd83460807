#include "retrieve/fusion.h"

#include <algorithm>
#include <limits>
#include <unordered_map>

namespace loam::retrieve {
namespace {

int better_rank(const Why& why) {
  return std::min(why.bm25_rank.value_or(std::numeric_limits<int>::max()),
                  why.cosine_rank.value_or(std::numeric_limits<int>::max()));
}

/// Brings the scores of one list to 0..1. When nothing tells its passages apart, all of them are best.
class Scale {
 public:
  Scale(float best, float nothing) : nothing_(nothing), range_(best - nothing) {}
  float operator()(float score) const {
    return range_ > 0 ? std::clamp((score - nothing_) / range_, 0.0F, 1.0F) : 1.0F;
  }

 private:
  float nothing_, range_;
};

}  // namespace

std::vector<Fused> fuse(RankedLeg lexical, RankedLeg dense) {
  std::vector<Fused> fused;
  fused.reserve(lexical.list.size() + dense.list.size());
  std::unordered_map<std::uint64_t, std::size_t> place_of;
  place_of.reserve(lexical.list.size() + dense.list.size());
  const auto entry = [&](PassageId passage) -> Fused& {
    const auto [found, is_new] = place_of.try_emplace(number_of(passage), fused.size());
    if (is_new) fused.push_back({passage, 0.0F, {}});
    return fused[found->second];
  };

  const Scale of_words(lexical.list.empty() ? 0.0F : lexical.list.front().score, 0.0F);
  int rank = 0;
  for (const store::Scored& scored : lexical.list) {
    Fused& one = entry(scored.passage);
    if (one.why.bm25_rank) continue;  // a list that repeats itself does not vote twice
    one.why.bm25 = scored.score;
    one.why.bm25_rank = ++rank;
    one.score += lexical.weight * of_words(scored.score);
  }
  const Scale of_meaning(dense.list.empty() ? 0.0F : dense.list.front().score,
                         dense.list.empty() ? 0.0F : dense.list.back().score);
  rank = 0;
  for (const store::Scored& scored : dense.list) {
    Fused& one = entry(scored.passage);
    if (one.why.cosine_rank) continue;
    one.why.cosine = scored.score;
    one.why.cosine_rank = ++rank;
    one.score += dense.weight * of_meaning(scored.score);
  }

  std::sort(fused.begin(), fused.end(), [](const Fused& a, const Fused& b) {
    if (a.score != b.score) return a.score > b.score;
    const int rank_a = better_rank(a.why);
    const int rank_b = better_rank(b.why);
    if (rank_a != rank_b) return rank_a < rank_b;
    return number_of(a.passage) < number_of(b.passage);
  });
  return fused;
}

}  // namespace loam::retrieve
