#include "train/pair_task.h"

#include <algorithm>

#include "eval/data_file.h"
#include "train/random.h"
#include "train/training_data.h"

namespace loam::train {
namespace {

constexpr std::size_t kHardest = 16;  // wrong passages of a question that its epochs choose from
constexpr std::size_t kAnyOther =
    4;  // and so many of any kind: hard ones alone make a re-ranker forget easy ones

}  // namespace

PairTask::PairTask(SpanData data, const engine::WordPiece& words, const EncoderTaskOptions& options,
                   std::size_t usual_negatives)
    : data_(std::move(data)),
      words_(words),
      options_(options),
      negatives_(options.negatives < 0 ? usual_negatives : static_cast<std::size_t>(options.negatives)) {
  version_ = data_.version;
  rows_ = data_.rows;
  notes_ = data_.notes;
  const auto bare = [&](const std::string& text) {
    std::vector<engine::Token> tokens = words.encode(text);
    return std::vector<engine::Token>(tokens.begin() + 1, tokens.end() - 1);
  };
  for (const std::string& passage : data_.passages) passages_.push_back(bare(passage));
  for (const SpanQuestion& item : data_.items) questions_.push_back(bare(item.question));
}

Result<void> PairTask::split(Together together) {
  const auto most = static_cast<std::size_t>(options_.sequence_tokens);
  together_ = together;
  std::vector<std::size_t> usable;
  std::vector<std::string> clusters;
  eval::SeenRows too_long;
  for (std::size_t i = 0; i < data_.items.size(); ++i) {
    const bool question_fits = questions_[i].size() + 2 <= most;
    if (!question_fits || !fits(i, data_.items[i].passage)) {
      too_long.add(data_.items[i].line);
      continue;
    }
    usable.push_back(i);
    clusters.push_back(data_.groups[data_.items[i].passage]);
  }
  eval::add_note(notes_, "too long",
                 eval::counted(too_long.count, "row") + " have more than " + std::to_string(most) + " tokens",
                 too_long, eval::Rows::left_out);
  auto parts = split_clusters(clusters, options_.hold_out, options_.seed, version_.file);
  if (!parts) return parts.error();
  for (const std::size_t number : parts->train) train_.push_back(usable[number]);
  for (const std::size_t number : parts->held_out) held_out_.push_back(usable[number]);
  held_out_items_ = held_out_.size();
  return done();
}

bool PairTask::fits(std::size_t item, std::size_t passage) const {
  const std::size_t beside = together_ == Together::yes ? questions_[item].size() + 3 : 2;
  return passages_[passage].size() + beside <= static_cast<std::size_t>(options_.sequence_tokens);
}

Result<void> PairTask::prepare(EncoderReading& base) {
  PassageRanks ranks(data_, passages_of(data_, train_));
  if (negatives_ > 0) ranks.read(base, words_, train_, options_.sequence_tokens);
  const std::vector<std::size_t>& all = ranks.passages();
  std::size_t alone = 0;
  for (std::size_t i = 0; i < train_.size(); ++i) {
    std::vector<std::size_t> wrong;
    if (negatives_ > 0) {
      for (const std::size_t passage : ranks.wrong_for(train_[i], kHardest)) {
        if (fits(train_[i], passage)) wrong.push_back(passage);
      }
      Random random(options_.seed ^ (0xA17E4ULL + train_[i]));
      for (std::size_t j = 0; j < kAnyOther; ++j) {
        const std::size_t other = all[static_cast<std::size_t>(random.below(all.size()))];
        const bool is_known = std::find(wrong.begin(), wrong.end(), other) != wrong.end();
        if (other != question(train_[i]).passage && fits(train_[i], other) && !is_known)
          wrong.push_back(other);
      }
    }
    if (wrong.empty() && question(train_[i]).negatives.empty()) ++alone;
    wrong_.push_back(std::move(wrong));
  }
  if (negatives_ > 0 && alone == train_.size()) {
    return Error{Kind::bad_data, version_.file, "there is no second passage to tell the right one from",
                 "give questions on several passages"};
  }
  held_out_ranks_ = std::make_unique<PassageRanks>(data_, passages_of(data_, held_out_));
  return done();
}

std::vector<std::size_t> PairTask::wrong_passages(std::size_t item, std::uint64_t epoch) const {
  std::vector<std::size_t> chosen;
  for (const std::size_t passage : question(train_[item]).negatives) {
    if (fits(train_[item], passage) && chosen.size() < negatives_) chosen.push_back(passage);
  }
  std::vector<std::size_t> pool = wrong_[item];
  Random random(options_.seed * 0x9E3779B97F4A7C15ULL + epoch * 0x51ED2701ULL + item);
  random.shuffle(pool);
  for (const std::size_t passage : pool) {
    if (chosen.size() >= negatives_) break;
    if (std::find(chosen.begin(), chosen.end(), passage) == chosen.end()) chosen.push_back(passage);
  }
  return chosen;
}

}  // namespace loam::train
