// Keeps a collection in step with files: read, cut, embed, store - one transaction a file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/result.h"
#include "engine/engine.h"
#include "passage/cutter.h"
#include "reader/reader.h"
#include "store/store.h"

namespace loam::index {

enum class Verdict : std::uint8_t { ingested, unchanged, skipped, failed, removed, renamed };
std::string_view name_of(Verdict verdict);

/// What became of one file. `reason` is empty only for ingested and unchanged.
struct FileVerdict {
  std::string file;  ///< Document::source
  Verdict verdict = Verdict::failed;
  std::string reason;  ///< Error::line() or a plain sentence; also notes such as "page 3 has no text"
  int passages = 0;
  double milliseconds = 0;
};

struct IngestOptions {
  passage::CutOptions cut;
  bool remove_missing = true;  ///< documents of a named folder whose file is gone are removed
  bool trust_mtime = true;     ///< same size and mtime counts as unchanged without hashing
  bool follow_symlinks = false;
  bool include_hidden = false;
  int embed_batch = 32;  ///< passages per embedding call; bounds memory
};

struct IngestSummary {
  int ingested = 0, unchanged = 0, skipped = 0, failed = 0, removed = 0, renamed = 0;
  std::uint64_t passages = 0;
  bool stopped = false;  ///< the stop token fired; everything reported so far is kept
};

/// Hash of everything that shapes a document's passages and vectors: what DocumentRow::recipe holds. Another
/// recipe means reading the file again.
std::string recipe_of(const passage::CutOptions& cut, const engine::Embedder& embedder);

/// Called once per file, after its transaction has committed.
using VerdictSink = std::function<void(const FileVerdict&)>;

/// Ingests files and folders (recursively, in name order) into a collection. One bad file never stops the
/// rest; only a store failure (disk full) ends the run, and then the store is as after the last verdict.
Result<IngestSummary> ingest(store::Store& store, CollectionId collection, reader::Reader& reader,
                             engine::Embedder& embedder, const std::vector<std::filesystem::path>& paths,
                             const IngestOptions& options, const VerdictSink& on_file,
                             const ProgressSink& progress = {}, std::stop_token stop = {},
                             Logger& logger = silent_logger(), const Clock& clock = system_clock());

}  // namespace loam::index
