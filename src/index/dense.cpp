#include "index/dense.h"

#include <algorithm>
#include <cstring>

namespace loam::index {

namespace {

// Sixteen floats; the compiler splits them where the processor's registers are narrower.
using Lanes = float __attribute__((vector_size(64)));
constexpr std::size_t kLanes = 16;

inline __attribute__((always_inline)) float dot_lanes(const float* a, const float* b, std::size_t size) {
  // Four sums that do not wait for each other hide the latency of multiply-add.
  Lanes sum0{}, sum1{}, sum2{}, sum3{};
  Lanes left, right;
  std::size_t i = 0;
  const auto step = [&](std::size_t at, Lanes & sum) __attribute__((always_inline)) {
    std::memcpy(&left, a + at, sizeof(Lanes));
    std::memcpy(&right, b + at, sizeof(Lanes));
    sum += left * right;
  };
  for (; i + 4 * kLanes <= size; i += 4 * kLanes) {
    step(i, sum0);
    step(i + kLanes, sum1);
    step(i + 2 * kLanes, sum2);
    step(i + 3 * kLanes, sum3);
  }
  for (; i + kLanes <= size; i += kLanes) step(i, sum0);
  const Lanes sum = (sum0 + sum1) + (sum2 + sum3);
  float total = 0;
  for (std::size_t lane = 0; lane < kLanes; ++lane) total += sum[lane];
  for (; i < size; ++i) total += a[i] * b[i];
  return total;
}

using Kernel = float (*)(const float*, const float*, std::size_t);

float dot_any(const float* a, const float* b, std::size_t size) { return dot_lanes(a, b, size); }

#if defined(__x86_64__)
// Chosen at run time rather than by target_clones: its resolvers run before the sanitizers are ready.
__attribute__((target("avx2,fma"))) float dot_avx2(const float* a, const float* b, std::size_t size) {
  return dot_lanes(a, b, size);
}
__attribute__((target("avx512f,avx2,fma"))) float dot_avx512(const float* a, const float* b,
                                                             std::size_t size) {
  return dot_lanes(a, b, size);
}

Kernel choose_kernel() {
  if (__builtin_cpu_supports("avx512f")) return dot_avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return dot_avx2;
  return dot_any;
}
#else
Kernel choose_kernel() { return dot_any; }
#endif

Kernel kernel() {
  static const Kernel kChosen = choose_kernel();
  return kChosen;
}

bool better(const store::Scored& a, const store::Scored& b) {
  return a.score != b.score ? a.score > b.score : number_of(a.passage) < number_of(b.passage);
}

}  // namespace

float dot_plain(std::span<const float> a, std::span<const float> b) {
  float sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

float dot(std::span<const float> a, std::span<const float> b) {
  return kernel()(a.data(), b.data(), a.size());
}

std::vector<store::Scored> nearest(std::span<const float> query, std::span<const float> vectors,
                                   std::span<const PassageId> ids, int k) {
  std::vector<store::Scored> best;  // a heap with the worst of the best on top
  if (k <= 0) return best;
  const auto limit = static_cast<std::size_t>(k);
  const Kernel product = kernel();
  const std::size_t width = query.size();
  for (std::size_t row = 0; row < ids.size(); ++row) {
    const store::Scored candidate{ids[row], product(query.data(), vectors.data() + row * width, width)};
    if (best.size() < limit) {
      best.push_back(candidate);
      std::push_heap(best.begin(), best.end(), better);
    } else if (better(candidate, best.front())) {
      std::pop_heap(best.begin(), best.end(), better);
      best.back() = candidate;
      std::push_heap(best.begin(), best.end(), better);
    }
  }
  std::sort(best.begin(), best.end(), better);
  return best;
}

}  // namespace loam::index
