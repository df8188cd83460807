#include "tasks/remembering_embedder.h"

#include <algorithm>

#include "base/hash.h"

namespace loam::tasks {

Result<std::vector<float>> RememberingEmbedder::embed(std::span<const std::string> texts) {
  const auto width = static_cast<std::size_t>(dimensions());
  std::vector<float> all(texts.size() * width);
  std::vector<std::string> missing, keys;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    std::string key = sha256_hex(texts[i]).substr(0, 32);
    const auto known = kept_.find(key);
    if (known != kept_.end()) {
      std::copy(known->second.begin(), known->second.end(),
                all.begin() + static_cast<std::ptrdiff_t>(i * width));
      ++reused_;
      continue;
    }
    missing.push_back(texts[i]);
    keys.push_back(std::move(key));
    places.push_back(i);
  }
  if (missing.empty()) return all;
  auto fresh = inside_.embed(missing);
  if (!fresh) return fresh.error();
  for (std::size_t i = 0; i < missing.size(); ++i) {
    const auto from = fresh->begin() + static_cast<std::ptrdiff_t>(i * width);
    std::copy(from, from + static_cast<std::ptrdiff_t>(width),
              all.begin() + static_cast<std::ptrdiff_t>(places[i] * width));
    if (kept_.size() < kMostKept)
      kept_[keys[i]] = std::vector<float>(from, from + static_cast<std::ptrdiff_t>(width));
  }
  return all;
}

void RememberingEmbedder::remember(const std::string& text, std::span<const float> vector) {
  if (kept_.size() < kMostKept)
    kept_[sha256_hex(text).substr(0, 32)] = std::vector<float>(vector.begin(), vector.end());
}

}  // namespace loam::tasks
