// For tests: an embedder and a reader that need no model and no child process, and do the same every time.
#pragma once

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/utf8.h"
#include "engine/engine.h"
#include "reader/reader.h"

namespace loam::index::testing {

/// Each word adds to a few components, so that texts that share words are near each other. A token is a word.
class FakeEmbedder final : public engine::Embedder {
 public:
  explicit FakeEmbedder(std::string fingerprint = "fake fingerprint", int dimensions = 16)
      : fingerprint_(std::move(fingerprint)), dimensions_(dimensions) {}

  const std::string& model_name() const override { return name_; }
  const std::string& fingerprint() const override { return fingerprint_; }
  int dimensions() const override { return dimensions_; }
  int max_tokens() const override { return 64; }
  Result<int> count_tokens(std::string_view text) override {
    int words = 2;
    bool inside = false;
    for (const char c : text) {
      const bool space = c == ' ' || c == '\n';
      if (!space && !inside) ++words;
      inside = !space;
    }
    return words;
  }
  Result<std::vector<float>> embed(std::span<const std::string> texts) override {
    largest_batch = std::max(largest_batch, texts.size());
    embedded += texts.size();
    if (before_embedding) before_embedding();
    std::vector<float> all;
    for (const std::string& text : texts) {
      if (text.find("UNEMBEDDABLE") != std::string::npos)
        return Error{Kind::out_of_room, "fake", "text too long", "cut it"};
      std::vector<float> vector(static_cast<std::size_t>(dimensions_), 0.01F);
      std::istringstream words(text);
      for (std::string word; words >> word;) {
        std::uint32_t hash = 2166136261U;
        for (const char c : word) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
        vector[hash % vector.size()] += 1.0F;
      }
      float square = 0;
      for (const float component : vector) square += component * component;
      for (const float component : vector) all.push_back(component / std::sqrt(square));
    }
    return all;
  }

  std::size_t embedded = 0;
  std::size_t largest_batch = 0;
  std::function<void()> before_embedding;

 private:
  std::string name_ = "fake";
  std::string fingerprint_;
  int dimensions_;
};

/// Takes a file as plain text. "BROKEN" inside makes it a damaged file.
class FakeReader final : public reader::Reader {
 public:
  Result<Document> read(const std::filesystem::path& file, std::string_view source) override {
    ++files_read;
    std::ifstream stream(file, std::ios::binary);
    if (!stream)
      return Error{Kind::unavailable, std::string(source), "it cannot be opened", "check its permissions"};
    std::ostringstream bytes;
    bytes << stream.rdbuf();
    Document document;
    document.source = source;
    document.media_type = "text/plain";
    document.text = to_valid_utf8(bytes.str());
    if (document.text.find("BROKEN") != std::string::npos) {
      return Error{Kind::bad_data, std::string(source), "the file is damaged", "repair it"};
    }
    if (document.text.find("NOTED") != std::string::npos) document.notes.push_back("page 3 has no text");
    return document;
  }

  int files_read = 0;
};

}  // namespace loam::index::testing
