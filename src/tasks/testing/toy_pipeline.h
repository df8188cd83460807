// For tests: something to improve whose truth is known, and a clock that only moves when it works.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/hash.h"
#include "tasks/improve.h"

namespace loam::tasks::testing {

class HandClock final : public Clock {
 public:
  std::int64_t unix_seconds() const override { return 1'700'000'000 + static_cast<std::int64_t>(now); }
  double seconds() const override { return now; }
  double now = 0;
};

/// Two settings; each value adds to the chance that an item is right. The same arm and item give the same
/// score, whenever asked.
class ToyPipeline final : public ImprovePipeline {
 public:
  explicit ToyPipeline(HandClock& clock, std::size_t items = 150) : clock_(clock), items_(items) {
    version_.file = "toy.jsonl";
    version_.sha256 = sha256_hex("toy");
    version_.items = items;
    space_ = {{"a", "alpha", {"0", "1", "2", "3"}, false, {}}, {"b", "beta", {"0", "1", "2"}, true, {}}};
  }

  std::string task() const override { return "toy"; }
  std::string metric() const override { return "right"; }
  std::string item_word() const override { return "question"; }
  std::string fingerprint() const override { return collection; }
  const eval::DataVersion& data() const override { return version_; }
  const std::vector<SpaceRow>& space() const override { return space_; }
  Arm current() const override { return {{"a", "0"}, {"b", "0"}}; }
  Arm canonical(Arm arm) const override { return arm; }
  std::size_t items() const override { return items_; }
  std::string item_id(std::size_t item) const override { return "q" + std::to_string(item); }
  std::vector<Grouping> groupings() const override {
    Grouping all{"document", {}};
    for (std::size_t i = 0; i < items_; ++i) all.group_of.push_back("d" + std::to_string(i % documents));
    Grouping alone{"question", std::vector<std::string>(items_)};
    return {all, alone};
  }
  void divide(eval::HeldOutSplit& split) override {
    held_out = {split.held_out.begin(), split.held_out.end()};
  }

  double chance(const Arm& arm) const {
    double chance = base;
    if (arm.at("a") == "2") chance += gain_a;
    if (arm.at("b") == "1") chance += gain_b;
    return chance;
  }
  double score(const Arm& arm, std::size_t item) const {
    const auto luck = [&](const std::string& of) {
      return static_cast<double>(
                 std::stoul(sha256_hex(of + std::to_string(seed)).substr(0, 8), nullptr, 16)) /
             4294967296.0;
    };
    const std::string own = arm.at("a") + "," + arm.at("b") + "," + std::to_string(item);
    return 0.5 * luck("item " + std::to_string(item)) + 0.5 * luck(own) < chance(arm) ? 1 : 0;
  }

  Result<std::vector<eval::ItemResult>> run(const Arm& arm, std::span<const std::size_t> items,
                                            const RunLimits& limits, std::uint64_t& tokens) override {
    const double start = clock_.now;
    std::vector<eval::ItemResult> results;
    for (const std::size_t item : items) {
      if (limits.stop.stop_requested() || clock_.now - start >= limits.seconds) break;
      if (asked_before_stop > 0 && asked >= asked_before_stop) stop.request_stop();
      if (limits.stop.stop_requested()) break;
      ++asked;
      asked_held_out += held_out.contains(item) ? 1 : 0;
      clock_.now += seconds_each;
      eval::ItemResult result;
      result.id = item_id(item);
      result.scores["right"] = score(arm, item);
      results.push_back(std::move(result));
      ++tokens;
    }
    return results;
  }

  std::string collection = "as it is";
  std::size_t documents = 1'000'000;
  double base = 0.4, gain_a = 0.25, gain_b = 0.2;
  double seconds_each = 1;
  std::uint64_t seed = 1;
  std::size_t asked = 0, asked_held_out = 0;
  std::size_t asked_before_stop = 0;
  std::stop_source stop;
  std::set<std::size_t> held_out;

  void change_data(const std::string& bytes) { version_.sha256 = sha256_hex(bytes); }

 private:
  HandClock& clock_;
  std::size_t items_;
  eval::DataVersion version_;
  std::vector<SpaceRow> space_;
};

}  // namespace loam::tasks::testing
