// bench_statistics: how long do the intervals and tests of an evaluation take, and do they keep their level?
// The checks: plain loops over the same random numbers give the same figures bit for bit; two runs of one
// configuration are called different at the rate they should be; what is decided alone keeps its target.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <functional>

#include "base/clock.h"
#include "base/json.h"
#include "eval/classification.h"
#include "eval/resample.h"
#include "eval/significance.h"
#include "support/report.h"

namespace loam::bench {
namespace {

using Numbers = std::vector<double>;

struct Scores {
  Numbers a, b;
  std::vector<std::string> document;
};

/// Graded scores of two contestants; items of one document share part of their luck.
Scores made_up_scores(std::size_t n, std::size_t documents, std::uint64_t number) {
  eval::RandomStream random(20261122, number);
  Scores scores;
  Numbers ease, luck_a, luck_b;
  for (std::size_t d = 0; d < std::max<std::size_t>(documents, 1); ++d) {
    ease.push_back(random.uniform());
    luck_a.push_back(random.uniform());
    luck_b.push_back(random.uniform());
  }
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t d = documents == 0 ? 0 : random.below(documents);
    const double shared = documents == 0 ? random.uniform() : ease[d];
    scores.a.push_back(shared + random.uniform() + (documents == 0 ? 0 : luck_a[d]));
    scores.b.push_back(shared + random.uniform() + (documents == 0 ? 0 : luck_b[d]));
    if (documents > 0) scores.document.push_back("d" + std::to_string(d));
  }
  return scores;
}

struct Time {
  double wall_ms = 0, cpu_ms = 0;
};

Time median_time(int repeats, const std::function<void()>& work) {
  Numbers wall, cpu;
  for (int i = 0; i < repeats; ++i) {
    const Stopwatch watch;
    const std::clock_t start = std::clock();
    work();
    cpu.push_back(1000.0 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
    wall.push_back(watch.milliseconds());
  }
  return {median(wall), median(cpu)};
}

/// The bootstrap as a textbook has it, over the same random numbers: 0 when it is equal bit for bit.
double off_from_plain_bootstrap(const std::vector<eval::PairedUnit>& units, int resamples) {
  const eval::ResampledMeans fast = eval::resample_pairs(units, resamples, 1);
  double off = 0;
  for (int resample = 0; resample < resamples; ++resample) {
    eval::RandomStream random(1, static_cast<std::uint64_t>(resample));
    double a = 0, b = 0, items = 0;
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < units.size(); ++i) {
      const bool second = i % 2 == 1;
      if (!second) bits = random.next();
      const bool last_alone = i + 1 == units.size() && !second;
      const std::uint64_t half = second && !last_alone ? bits & 0xFFFFFFFFULL : bits >> 32U;
      const eval::PairedUnit& unit = units[static_cast<std::size_t>((half * units.size()) >> 32U)];
      a += unit.a;
      b += unit.b;
      items += unit.items;
    }
    const auto at = static_cast<std::size_t>(resample);
    off = std::max({off, std::abs(fast.a[at] - a / items), std::abs(fast.b[at] - b / items),
                    std::abs(fast.difference[at] - (b - a) / items)});
  }
  return off;
}

/// The randomisation test sign by sign, over the same random bits.
double off_from_plain_signs(const Numbers& differences, int draws) {
  double observed = 0, size = 0;
  for (const double d : differences) {
    observed += d;
    size += std::abs(d);
  }
  int extreme = 0;
  for (int draw = 0; draw < draws; ++draw) {
    eval::RandomStream random(1, static_cast<std::uint64_t>(draw));
    double sum = 0;
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < differences.size(); ++i) {
      if (i % 64 == 0) bits = random.next();
      sum += ((bits >> (i % 64)) & 1U) == 0 ? differences[i] : -differences[i];
    }
    if (std::abs(sum) >= std::abs(observed) - 1e-12 * size) ++extreme;
  }
  const double p = (extreme + 1.0) / (draws + 1.0);
  return std::abs(p - eval::sign_flip_p(differences, draws, 1));
}

struct Honesty {
  int called = 0, interval_without_zero = 0, comparisons = 0;
};

enum class Kind { right_or_wrong, graded, by_document };

Honesty identical_configurations(Kind kind, std::size_t n, int comparisons) {
  Honesty found;
  for (int i = 0; i < comparisons; ++i) {
    const auto number = static_cast<std::uint64_t>(i);
    Scores scores = made_up_scores(n, kind == Kind::by_document ? n / 10 : 0, 1000 + number);
    if (kind == Kind::right_or_wrong) {
      for (Numbers* list : {&scores.a, &scores.b})
        for (double& score : *list) score = score > 0.8 ? 1 : 0;
    }
    eval::CompareOptions options;
    options.bootstrap = {.resamples = 2000, .confidence = 0.95, .seed = number};
    const eval::PairedResult result =
        must(eval::compare_paired(scores.a, scores.b, scores.document, options));
    ++found.comparisons;
    if (result.p < 0.05) ++found.called;
    if (result.difference.low > 0 || result.difference.high < 0) ++found.interval_without_zero;
  }
  return found;
}

int run(int argc, char** argv) {
  const Settings settings = settings_from(argc, argv);
  const Json before = machine();
  constexpr std::size_t kItems = 10'000;
  constexpr int kRepeats = 5;
  Json result = {{"items", kItems}, {"resamples", 10'000}, {"repeats", kRepeats}};
  bool good = true;

  std::printf("%-52s %10s %10s\n", "10,000 items, 10,000 resamples, one thread", "median ms", "of CPU");
  const auto timed = [&](const std::string& name, const std::function<void()>& work) {
    const Time time = median_time(kRepeats, work);
    std::printf("%-52s %10.0f %10.0f\n", name.c_str(), time.wall_ms, time.cpu_ms);
    result["times"].push_back({{"what", name}, {"median_ms", time.wall_ms}, {"median_cpu_ms", time.cpu_ms}});
  };
  const Scores alone = made_up_scores(kItems, 0, 0);
  timed("interval of one mean", [&] { (void)eval::bootstrap_mean(alone.a); });
  timed("paired: three intervals and p", [&] { (void)must(eval::compare_paired(alone.a, alone.b)); });
  for (const std::size_t documents : {std::size_t{500}, std::size_t{5000}}) {
    const Scores clustered = made_up_scores(kItems, documents, documents);
    timed("the same by " + std::to_string(documents) + " clusters",
          [&] { (void)must(eval::compare_paired(clustered.a, clustered.b, clustered.document)); });
  }
  std::vector<eval::Prediction> predictions;
  eval::RandomStream random(5, 0);
  for (std::size_t i = 0; i < kItems; ++i) {
    const int truth = static_cast<int>(random.below(77));
    predictions.push_back({truth, random.uniform() < 0.9 ? truth : static_cast<int>(random.below(77)), 0.5});
  }
  timed("macro-F1 of 77 classes", [&] { (void)eval::macro_f1_estimate(predictions, 77); });

  std::vector<eval::PairedUnit> units;
  Numbers differences;
  for (std::size_t i = 0; i < kItems; ++i) {
    units.push_back({alone.a[i], alone.b[i], 1});
    differences.push_back(alone.b[i] - alone.a[i]);
  }
  std::vector<eval::PairedUnit> uneven = units;
  uneven.resize(kItems - 1);
  for (std::size_t i = 0; i < uneven.size(); i += 3) uneven[i].items = 4;
  const double off = std::max({off_from_plain_bootstrap(units, 500), off_from_plain_bootstrap(uneven, 500)});
  // Sums in blocks round differently, which may move a tie; p must agree to one draw.
  const double off_signs = off_from_plain_signs(differences, 5000);
  std::printf("  check: plain loops differ by %.2g (bootstrap), %.2g (p)\n", off, off_signs);
  result["off_from_plain"] = {{"bootstrap", off}, {"p", off_signs}};
  good = good && off == 0 && off_signs <= 1.0 / 5000;

  std::printf("%-52s %10s %16s\n", "identical configurations, level 5%", "called", "interval off 0");
  for (const auto& [kind, name] :
       {std::pair(Kind::right_or_wrong, "right or wrong"), std::pair(Kind::graded, "graded"),
        std::pair(Kind::by_document, "by document, ten items each")}) {
    for (const std::size_t n : {std::size_t{60}, std::size_t{300}, std::size_t{1000}}) {
      const Honesty found = identical_configurations(kind, n, 200);
      std::printf("%-40s %5zu items %6d/%d %12d/%d\n", name, n, found.called, found.comparisons,
                  found.interval_without_zero, found.comparisons);
      result["identical"].push_back({{"scores", name},
                                     {"items", n},
                                     {"comparisons", found.comparisons},
                                     {"called_different", found.called},
                                     {"interval_without_zero", found.interval_without_zero}});
      good = good && found.called <= 19;  // 10 expected, three standard deviations 9 more
    }
  }
  std::printf("  check: at most 19 of 200 called different in each: %s\n", good ? "yes" : "NO");
  result["passed"] = good;
  keep(settings, "statistics", result, before);
  return good ? 0 : 1;
}

}  // namespace
}  // namespace loam::bench

int main(int argc, char** argv) { return loam::bench::run(argc, argv); }
