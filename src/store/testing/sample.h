// For tests: a folder that goes away, and documents with made-up vectors.
#pragma once

#include <stdlib.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "store/store.h"

namespace loam::store::testing {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "loam-test-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

inline std::string read_file(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream all;
  all << stream.rdbuf();
  return all.str();
}

inline void write_file(const std::filesystem::path& file, std::string_view bytes) {
  std::ofstream stream(file, std::ios::binary | std::ios::trunc);
  stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline constexpr int kDimensions = 4;

/// A document whose lines are its passages, under the heading "Sample".
struct Sample {
  DocumentRow row;
  Document document;
  std::vector<Passage> passages;
  std::vector<float> vectors;
};

inline Sample sample(std::string_view source, const std::vector<std::string>& lines) {
  Sample made;
  made.row.source = source;
  made.row.title = "Sample";
  made.row.media_type = "text/plain";
  made.row.content_hash = "hash of " + std::string(source);
  made.row.recipe = "recipe";
  made.row.root = "/folder";
  made.row.file_size = 12;
  made.row.file_mtime_ns = 34;
  made.row.ingested_at = 56;
  made.row.path = "/folder/" + std::string(source);
  for (const std::string& line : lines) {
    Passage passage;
    passage.ordinal = static_cast<int>(made.passages.size());
    passage.span = {made.document.text.size(), made.document.text.size() + line.size()};
    passage.page = passage.ordinal + 1;
    passage.heading_path = "Sample";
    passage.text = line;
    passage.tokens = 7;
    made.document.pages.push_back({passage.ordinal + 1, passage.span});
    made.document.text += line + "\n";
    const float angle = 0.1F * static_cast<float>(line.size());
    for (const float component : {std::cos(angle), std::sin(angle), 0.0F, 0.0F})
      made.vectors.push_back(component);
    made.passages.push_back(std::move(passage));
  }
  return made;
}

inline Result<DocumentId> put(Store& store, CollectionId collection, const Sample& made) {
  return store.put_document(collection, made.row, made.document, made.passages, made.vectors);
}

}  // namespace loam::store::testing
