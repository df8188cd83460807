// Which combinations of settings are worth a trial.
#include <algorithm>
#include <random>
#include <set>

#include "base/hash.h"
#include "base/json.h"
#include "tasks/improve_parts.h"

namespace loam::tasks {
namespace {

constexpr std::size_t kMostPairs = 24;   // of the first round
constexpr std::size_t kGoodChanges = 5;  // that the second round combines
constexpr std::size_t kMostSecondArms = 18;

void shuffle(std::vector<Arm>& arms, std::mt19937_64& random) {
  for (std::size_t i = arms.size(); i > 1; --i)
    std::swap(arms[i - 1], arms[static_cast<std::size_t>(random() % i)]);
}

/// Collects arms, each once.
class Arms {
 public:
  explicit Arms(const ImprovePipeline& pipeline) : pipeline_(pipeline) {}
  bool add(const Arm& arm) {
    Arm one = pipeline_.canonical(arm);
    if (!seen_.insert(id_of(one)).second) return false;
    all_.push_back(std::move(one));
    return true;
  }
  std::vector<Arm> take() { return std::move(all_); }
  std::size_t size() const { return all_.size(); }

 private:
  const ImprovePipeline& pipeline_;
  std::set<std::string> seen_;
  std::vector<Arm> all_;
};

Arm with(Arm arm, const Arm& changes) {
  for (const auto& [key, value] : changes) arm[key] = value;
  return arm;
}

/// The value before and the one after in the row's list.
std::vector<std::string> neighbours(const SpaceRow& row, const std::string& value) {
  std::vector<std::string> found;
  const auto at = std::find(row.values.begin(), row.values.end(), value);
  if (at == row.values.end()) return found;
  if (at != row.values.begin()) found.push_back(*(at - 1));
  if (at + 1 != row.values.end()) found.push_back(*(at + 1));
  return found;
}

}  // namespace

std::string plural_of(const std::string& word) {
  return word.ends_with('y') ? word.substr(0, word.size() - 1) + "ies" : word + "s";
}

std::string id_of(const Arm& arm) {
  std::string all;
  for (const auto& [key, value] : arm) all += key + "\n" + value + "\n\n";
  return sha256_hex(all).substr(0, 16);
}

Arm changes_between(const Arm& from, const Arm& arm) {
  Arm changes;
  for (const auto& [key, value] : arm) {
    const auto before = from.find(key);
    if (before == from.end() || before->second != value) changes[key] = value;
  }
  return changes;
}

std::string name_of_changes(const std::vector<SpaceRow>& space, const Arm& changes) {
  std::string name;
  for (const auto& [key, value] : changes) {
    if (!name.empty()) name += ", ";
    const auto row =
        std::find_if(space.begin(), space.end(), [&](const SpaceRow& one) { return one.key == key; });
    if (row == space.end()) {
      name += key + " " + value;
    } else if (const auto said = row->said.find(value); said != row->said.end()) {
      name += said->second;
    } else {
      name += row->words + " " + value;
    }
  }
  return name.empty() ? "current settings" : name;
}

std::vector<Arm> first_arms(const ImprovePipeline& pipeline, std::uint64_t seed) {
  const std::vector<SpaceRow>& space = pipeline.space();
  const Arm current = pipeline.current();
  std::mt19937_64 random(seed);
  std::vector<Arm> singles;
  for (const SpaceRow& row : space) {
    for (const std::string& value : row.values) {
      if (current.at(row.key) != value) singles.push_back(with(current, {{row.key, value}}));
    }
  }
  shuffle(singles, random);
  Arms arms(pipeline);
  arms.add(current);
  for (const Arm& arm : singles) arms.add(arm);
  if (space.size() < 2 || singles.size() < 2) return arms.take();
  const std::size_t pairs = std::min(kMostPairs, singles.size() / 2);
  std::size_t added = 0;
  for (std::size_t draw = 0; draw < 20 * pairs && added < pairs; ++draw) {
    const Arm& one = singles[static_cast<std::size_t>(random() % singles.size())];
    const Arm& other = singles[static_cast<std::size_t>(random() % singles.size())];
    const Arm first = changes_between(current, one), second = changes_between(current, other);
    if (first.begin()->first == second.begin()->first) continue;
    if (arms.add(with(one, second))) ++added;
  }
  return arms.take();
}

std::vector<Arm> second_arms(const ImprovePipeline& pipeline, const Arm& best,
                             const std::vector<Arm>& ranked) {
  const Arm current = pipeline.current();
  const Arm own = changes_between(current, best);
  std::vector<Arm> good;  // single changes of other settings than the best one's
  for (const Arm& arm : ranked) {
    const Arm changes = changes_between(current, arm);
    if (changes.size() != 1 || own.contains(changes.begin()->first)) continue;
    const bool known = std::any_of(good.begin(), good.end(), [&](const Arm& one) {
      return one.begin()->first == changes.begin()->first;
    });
    if (!known) good.push_back(changes);
    if (good.size() >= kGoodChanges) break;
  }
  Arms arms(pipeline);
  arms.add(current);
  arms.add(best);
  for (const Arm& change : good) arms.add(with(best, change));
  for (const auto& [key, value] : own) {
    for (const SpaceRow& row : pipeline.space()) {
      if (row.key != key) continue;
      for (const std::string& near : neighbours(row, value)) arms.add(with(best, {{key, near}}));
    }
  }
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (std::size_t j = i + 1; j < good.size() && arms.size() < kMostSecondArms; ++j)
      arms.add(with(with(best, good[i]), good[j]));
  }
  return arms.take();
}

}  // namespace loam::tasks
