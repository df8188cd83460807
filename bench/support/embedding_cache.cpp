#include "support/embedding_cache.h"

#include <algorithm>

#include "base/hash.h"
#include "support/report.h"

namespace loam::bench {
namespace {

constexpr std::size_t kKeyBytes = 64;

}  // namespace

EmbeddingCache::EmbeddingCache(engine::Embedder& inner, const std::filesystem::path& folder) : inner_(inner) {
  std::filesystem::create_directories(folder);
  const std::filesystem::path path =
      folder / ("embeddings-" + sha256_hex(inner.fingerprint()).substr(0, 16) + ".bin");
  const auto dimensions = static_cast<std::size_t>(inner.dimensions());
  const std::size_t record = kKeyBytes + dimensions * sizeof(float);
  std::error_code ignored;
  const std::uintmax_t size =
      std::filesystem::exists(path, ignored) ? std::filesystem::file_size(path, ignored) : 0;
  if (size % record != 0) std::filesystem::resize_file(path, size - size % record);
  std::ifstream in(path, std::ios::binary);
  for (std::uintmax_t i = 0; i < size / record; ++i) {
    std::string key(kKeyBytes, '\0');
    std::vector<float> vector(dimensions);
    in.read(key.data(), static_cast<std::streamsize>(key.size()));
    in.read(reinterpret_cast<char*>(vector.data()), static_cast<std::streamsize>(dimensions * sizeof(float)));
    if (!in) break;
    vectors_[std::move(key)] = std::move(vector);
  }
  file_.open(path, std::ios::binary | std::ios::app);
  if (!file_) fail("cannot write " + path.string());
}

std::string EmbeddingCache::key_of(const std::string& text) const { return sha256_hex(text); }

Result<std::vector<float>> EmbeddingCache::embed(std::span<const std::string> texts) {
  std::vector<std::string> missing;
  for (const std::string& text : texts) {
    if (!vectors_.contains(key_of(text))) missing.push_back(text);
  }
  const auto dimensions = static_cast<std::size_t>(inner_.dimensions());
  if (!missing.empty()) {
    auto made = inner_.embed(missing);
    if (!made) return made.error();
    for (std::size_t i = 0; i < missing.size(); ++i) {
      const auto row = std::span(*made).subspan(i * dimensions, dimensions);
      const std::string key = key_of(missing[i]);
      file_.write(key.data(), static_cast<std::streamsize>(key.size()));
      file_.write(reinterpret_cast<const char*>(row.data()), static_cast<std::streamsize>(row.size_bytes()));
      vectors_[key].assign(row.begin(), row.end());
    }
    file_.flush();
  }
  computed_ += missing.size();
  remembered_ += texts.size() - missing.size();
  std::vector<float> out;
  out.reserve(texts.size() * dimensions);
  for (const std::string& text : texts) {
    const std::vector<float>& vector = vectors_.at(key_of(text));
    out.insert(out.end(), vector.begin(), vector.end());
  }
  return out;
}

}  // namespace loam::bench
