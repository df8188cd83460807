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

}  // namespace

std::vector<Fused> fuse(RankedLeg lexical, RankedLeg dense, int rrf_k) {
  std::vector<Fused> fused;
  fused.reserve(lexical.list.size() + dense.list.size());
  std::unordered_map<std::uint64_t, std::size_t> place_of;
  place_of.reserve(lexical.list.size() + dense.list.size());
  const auto entry = [&](PassageId passage) -> Fused& {
    const auto [found, is_new] = place_of.try_emplace(number_of(passage), fused.size());
    if (is_new) fused.push_back({passage, 0.0F, {}});
    return fused[found->second];
  };
  const auto share = [rrf_k](float weight, int rank) { return weight / static_cast<float>(rrf_k + rank); };

  int rank = 0;
  for (const store::Scored& scored : lexical.list) {
    Fused& one = entry(scored.passage);
    if (one.why.bm25_rank) continue;  // a list that repeats itself does not vote twice
    one.why.bm25 = scored.score;
    one.why.bm25_rank = ++rank;
    one.score += share(lexical.weight, rank);
  }
  rank = 0;
  for (const store::Scored& scored : dense.list) {
    Fused& one = entry(scored.passage);
    if (one.why.cosine_rank) continue;
    one.why.cosine = scored.score;
    one.why.cosine_rank = ++rank;
    one.score += share(dense.weight, rank);
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
