#include "index/ingest.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <optional>
#include <unordered_set>
#include <utility>
#include <variant>

#include "base/hash.h"
#include "base/utf8.h"
#include "index/walk.h"

namespace loam::index {

namespace fs = std::filesystem;

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::ingested:
      return "ingested";
    case Verdict::unchanged:
      return "unchanged";
    case Verdict::skipped:
      return "skipped";
    case Verdict::failed:
      return "failed";
    case Verdict::removed:
      return "removed";
    case Verdict::renamed:
      return "renamed";
  }
  return "failed";
}

namespace {

/// A change within the file system's clock tick after we looked would leave the same time behind, so a time
/// this young is not trusted.
constexpr std::int64_t kYoungSeconds = 2;

/// Failures that concern one document; any other failure of the store ends the run.
bool concerns_one_file(const Error& error) { return error.kind == Kind::bad_request; }

bool is_gone(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

std::string joined(const std::vector<std::string>& notes) {
  std::string all;
  for (const std::string& note : notes) all += (all.empty() ? "" : "; ") + note;
  return all;
}

struct Stopped {};
using Outcome = std::variant<FileVerdict, Stopped, Error>;  // Error: the run is over

class Run {
 public:
  Run(store::Store& store, store::Collection collection, reader::Reader& reader, engine::Embedder& embedder,
      const IngestOptions& options, const VerdictSink& on_file, const ProgressSink& progress,
      std::stop_token stop, Logger& logger, const Clock& clock)
      : store_(store),
        collection_(std::move(collection)),
        reader_(reader),
        embedder_(embedder),
        options_(options),
        cut_(options.cut),
        on_file_(on_file),
        progress_(progress),
        stop_(std::move(stop)),
        logger_(logger),
        clock_(clock) {
    cut_.max_tokens = std::min(cut_.max_tokens, embedder.max_tokens());
    cut_.target_tokens = std::min(cut_.target_tokens, cut_.max_tokens);
    recipe_ = recipe_of(cut_, embedder);
  }

  Result<IngestSummary> over(const std::vector<Root>& roots) {
    if (progress_) {
      for (const Root& root : roots) {
        walk(root, walk_options(), [&](const Entry& entry) {
          if (entry.kind == EntryKind::file) bytes_total_ += weight(entry);
          return !stop_.stop_requested();
        });
      }
    }
    for (const Root& root : roots) {
      if (summary_.stopped || failure_) break;
      if (root.state == Root::State::missing || root.state == Root::State::unreadable) {
        take(missing_root(root));
        continue;
      }
      walk(root, walk_options(), [&](const Entry& entry) { return take(look_at(entry)); });
    }
    if (options_.remove_missing && !summary_.stopped && !failure_) remove_missing(roots);
    if (failure_) return *failure_;
    return summary_;
  }

 private:
  WalkOptions walk_options() const { return {options_.follow_symlinks, options_.include_hidden}; }

  /// Progress counts bytes, plus a little for each file so that empty ones move it too.
  static std::uint64_t weight(const Entry& entry) { return static_cast<std::uint64_t>(entry.size) + 1; }

  void tell_progress(const std::string& what, std::uint64_t within_file) {
    if (progress_) progress_({what, std::min(bytes_done_ + within_file, bytes_total_), bytes_total_});
  }

  /// Counts and reports one outcome. False: the run is over.
  bool take(const Outcome& outcome) {
    if (const auto* error = std::get_if<Error>(&outcome)) {
      failure_ = *error;
      return false;
    }
    if (std::holds_alternative<Stopped>(outcome)) {
      summary_.stopped = true;
      return false;
    }
    const auto& verdict = std::get<FileVerdict>(outcome);
    switch (verdict.verdict) {
      case Verdict::ingested:
        ++summary_.ingested;
        break;
      case Verdict::unchanged:
        ++summary_.unchanged;
        break;
      case Verdict::skipped:
        ++summary_.skipped;
        break;
      case Verdict::failed:
        ++summary_.failed;
        break;
      case Verdict::removed:
        ++summary_.removed;
        break;
      case Verdict::renamed:
        ++summary_.renamed;
        break;
    }
    if (verdict.verdict == Verdict::ingested)
      summary_.passages += static_cast<std::uint64_t>(verdict.passages);
    if (on_file_) on_file_(verdict);
    return true;
  }

  Outcome look_at(const Entry& entry) {
    if (stop_.stop_requested()) return Stopped{};
    const Stopwatch watch(clock_);
    Outcome outcome = entry.kind == EntryKind::file ? file(entry) : not_a_file(entry);
    if (auto* verdict = std::get_if<FileVerdict>(&outcome)) verdict->milliseconds = watch.milliseconds();
    if (entry.kind == EntryKind::file) bytes_done_ += weight(entry);
    tell_progress(entry.source, 0);
    return outcome;
  }

  Outcome not_a_file(const Entry& entry) {
    if (entry.kind == EntryKind::skipped) return FileVerdict{entry.source, Verdict::skipped, entry.reason};
    unreadable_.push_back(entry.path.string());
    const Error error{Kind::unavailable, entry.source, entry.reason, "check its permissions"};
    return FileVerdict{entry.source, Verdict::failed, error.line()};
  }

  Outcome missing_root(const Root& root) {
    const std::string name = source_or_path(root.path.filename().string(), root.named.string());
    const auto row = store_.find_document_at(collection_.id, root.path.string());
    if (!row) return row.error();
    if (*row && options_.remove_missing && root.state == Root::State::missing &&
        !is_gone(root.path.parent_path().string())) {
      if (auto removed = store_.remove_document((*row)->id); !removed) return removed.error();
      return FileVerdict{(*row)->source, Verdict::removed, "the file is gone"};
    }
    const Error error{Kind::bad_request, root.named.string(),
                      root.state == Root::State::missing ? "there is no such file or folder" : root.reason,
                      "check the path"};
    return FileVerdict{name, Verdict::failed, error.line()};
  }

  static std::string source_or_path(const std::string& source, const std::string& path) {
    return to_valid_utf8(source.empty() ? path : source);
  }

  /// One regular file, from a glance at its size to its commit.
  Outcome file(const Entry& entry) {
    const std::string path = entry.path.string();
    const auto found = store_.find_document_at(collection_.id, path);
    if (!found) return found.error();
    const std::optional<store::DocumentRow>& known = *found;
    if (known && was_met(path))
      return FileVerdict{entry.source, Verdict::skipped, "already read as " + known->source};
    // From here on the file counts as present, so that a failure does not remove what is kept of it.
    met_paths_.insert(path);
    if (known && options_.trust_mtime && known->recipe == recipe_ && known->file_size == entry.size &&
        known->file_mtime_ns == entry.mtime_ns) {
      return FileVerdict{known->source, Verdict::unchanged, ""};
    }
    if (const auto reason = unknown_format(entry)) return keep_nothing(entry, known, *reason);

    const auto hash = sha256_hex_of_file(entry.path);
    if (!hash) return failed(entry, known, hash.error());
    const std::int64_t mtime_ns = trusted_mtime(entry);
    if (known && known->content_hash == *hash && known->recipe == recipe_) {
      if (auto touched = store_.touch_document(known->id, entry.size, mtime_ns); !touched)
        return touched.error();
      return FileVerdict{known->source, Verdict::unchanged, ""};
    }

    store::DocumentRow row;
    row.content_hash = *hash;
    row.recipe = recipe_;
    row.root = known ? known->root : entry.root;
    row.path = path;
    row.file_size = entry.size;
    row.file_mtime_ns = mtime_ns;
    row.ingested_at = clock_.unix_seconds();
    if (known) {
      row.source = known->source;
    } else {
      auto source = free_source(entry, *hash);
      if (!source) return source.error();
      row.source = *source;
      auto moved = rename_from_gone(row);
      if (!moved) return moved.error();
      if (*moved) return **moved;
    }
    return read_and_store(entry, known, std::move(row));
  }

  /// A reason when the file is of no format that we read: then it is no failure, and need not be hashed.
  static std::optional<std::string> unknown_format(const Entry& entry) {
    if (entry.size == 0) return "no text: the file is empty";
    std::ifstream stream(entry.path, std::ios::binary);
    std::string head(4096, '\0');
    stream.read(head.data(), static_cast<std::streamsize>(head.size()));
    if (stream.bad() || stream.gcount() <= 0) return std::nullopt;  // the reader will say what is wrong
    head.resize(static_cast<std::size_t>(stream.gcount()));
    const std::string name = entry.path.filename().string();
    if (reader::detect_format(head, name) != reader::Format::unknown) return std::nullopt;
    // A file that claims a known format by its name is not passed over: the reader tells what is wrong with
    // it.
    const std::string extension = to_lower_utf8(to_valid_utf8(entry.path.extension().string()));
    for (const std::string_view claim :
         {".txt", ".md", ".markdown", ".html", ".htm", ".csv", ".tsv", ".pdf"}) {
      if (extension == claim) return std::nullopt;
    }
    return "not a format that Loam reads (text, Markdown, HTML, CSV, PDF)";
  }

  /// The time to remember: none when the file is so young that it could change without showing.
  std::int64_t trusted_mtime(const Entry& entry) const {
    const bool young = entry.mtime_ns / 1'000'000'000 + kYoungSeconds >= clock_.unix_seconds();
    return young ? -1 : entry.mtime_ns;
  }

  /// The shortest name that no other document has: relative to the folder, with the folder's name, or the
  /// path.
  Result<std::string> free_source(const Entry& entry, const std::string& hash) {
    const fs::path root(entry.root);
    const std::string with_root = to_valid_utf8((root.filename() / entry.source).generic_string());
    const std::string whole_path = to_valid_utf8(entry.path.generic_string());
    for (const std::string& candidate : {entry.source, with_root, whole_path}) {
      const auto taken = store_.find_document(collection_.id, candidate);
      if (!taken) return taken.error();
      if (!*taken) return candidate;
      // A document whose file is gone, in the same folder or with the same bytes, gives its name up.
      const bool same = (*taken)->root == entry.root || (*taken)->content_hash == hash;
      if (same && !(*taken)->path.empty() && is_gone((*taken)->path)) return candidate;
    }
    // Two file names that differ only in bytes that are no UTF-8.
    return whole_path + "#" + sha256_hex(entry.path.string()).substr(0, 8);
  }

  /// A document with the same bytes whose file is gone was renamed or moved: nothing is read or embedded
  /// again.
  Result<std::optional<FileVerdict>> rename_from_gone(store::DocumentRow& row) {
    const auto twins = store_.find_documents_with_hash(collection_.id, row.content_hash);
    if (!twins) return twins.error();
    for (const store::DocumentRow& twin : *twins) {
      if (twin.path.empty() || twin.recipe != recipe_ || was_met(twin.path) || !is_gone(twin.path)) continue;
      // When the file moved with its whole folder its name is still its own.
      if (const auto taken = store_.find_document(collection_.id, row.source); !taken) {
        return taken.error();
      } else if (*taken && (*taken)->id != twin.id) {
        continue;
      }
      auto renamed = store_.rename_document(twin.id, row);
      if (!renamed && !concerns_one_file(renamed.error())) return renamed.error();
      if (!renamed) continue;  // another process was quicker
      const std::string& before = twin.source == row.source ? twin.path : twin.source;
      return std::optional(FileVerdict{row.source, Verdict::renamed, "was " + to_valid_utf8(before)});
    }
    return std::optional<FileVerdict>{};
  }

  Outcome read_and_store(const Entry& entry, const std::optional<store::DocumentRow>& known,
                         store::DocumentRow row) {
    auto document = reader_.read(entry.path, row.source);
    if (!document) return failed(entry, known, document.error());
    row.title = document->title;
    row.media_type = document->media_type;
    auto passages = passage::cut(
        *document, [&](std::string_view text) { return embedder_.count_tokens(text); }, cut_);
    if (!passages) return failed(entry, known, passages.error());
    if (passages->empty()) {
      const std::string notes = joined(document->notes);
      return keep_nothing(entry, known, "no text" + (notes.empty() ? "" : ": " + notes));
    }
    std::vector<float> vectors;
    const auto embedded = embed(entry, *passages, vectors);
    if (!embedded) return failed(entry, known, embedded.error());
    if (*embedded == Embedded::stopped) return Stopped{};

    const auto id = store_.put_document(collection_.id, row, *document, *passages, vectors);
    if (!id) {
      if (!concerns_one_file(id.error())) return id.error();
      // bad_request is also what a collection that was removed meanwhile gives, and that ends the run.
      if (auto there = store_.generation(collection_.id); !there) return there.error();
      return failed(entry, known, id.error());
    }
    return FileVerdict{row.source, Verdict::ingested, joined(document->notes),
                       static_cast<int>(passages->size())};
  }

  enum class Embedded : std::uint8_t { all, stopped };

  Result<Embedded> embed(const Entry& entry, const std::vector<Passage>& passages,
                         std::vector<float>& vectors) {
    const auto batch_size = static_cast<std::size_t>(std::max(1, options_.embed_batch));
    const auto width = static_cast<std::size_t>(embedder_.dimensions());
    vectors.reserve(passages.size() * width);
    std::vector<std::string> batch;
    for (std::size_t first = 0; first < passages.size(); first += batch_size) {
      if (stop_.stop_requested()) return Embedded::stopped;
      const std::size_t last = std::min(first + batch_size, passages.size());
      batch.clear();
      for (std::size_t i = first; i < last; ++i) batch.push_back(passages[i].indexed_text());
      auto part = embedder_.embed(batch);
      if (!part) return part.error();
      if (part->size() != batch.size() * width) {
        return Error{Kind::our_bug, embedder_.model_name(), "the embedder returned vectors of another size",
                     "please report this"};
      }
      vectors.insert(vectors.end(), part->begin(), part->end());
      tell_progress(entry.source, static_cast<std::uint64_t>(entry.size) * last / passages.size());
    }
    return Embedded::all;
  }

  /// A file without anything to index. What an earlier version of it held is no longer true, so it goes.
  Outcome keep_nothing(const Entry& entry, const std::optional<store::DocumentRow>& known,
                       std::string reason) {
    if (known) {
      if (auto removed = store_.remove_document(known->id); !removed) return removed.error();
      reason += "; its earlier text was removed";
    }
    return FileVerdict{known ? known->source : entry.source, Verdict::skipped, std::move(reason)};
  }

  /// A file that cannot be read now. Its earlier version stays, and the verdict says so.
  Outcome failed(const Entry& entry, const std::optional<store::DocumentRow>& known, const Error& error) {
    std::string reason = error.line();
    if (known) reason += " (the version ingested earlier is kept)";
    logger_.debug(reason);
    return FileVerdict{known ? known->source : entry.source, Verdict::failed, std::move(reason)};
  }

  /// By path, not by number: another process may give the same file's document a new one.
  bool was_met(const std::string& path) const { return met_paths_.contains(path); }

  /// Documents in the named folders whose file is not there any more.
  void remove_missing(const std::vector<Root>& roots) {
    std::vector<std::pair<DocumentId, std::string>> gone;  // not removed while the rows are being read
    const auto read = store_.for_each_document(collection_.id, [&](const store::DocumentRow& row) {
      if (row.path.empty() || was_met(row.path)) return;
      const bool in_scope = std::any_of(roots.begin(), roots.end(), [&](const Root& root) {
        return root.state == Root::State::folder && lies_in(row.path, root.path.string());
      });
      // Behind a folder that could not be read the file may well be there.
      const bool hidden_from_us =
          std::any_of(unreadable_.begin(), unreadable_.end(),
                      [&](const std::string& folder) { return lies_in(row.path, folder); });
      if (in_scope && !hidden_from_us) gone.emplace_back(row.id, row.source);
    });
    if (!read) {
      failure_ = read.error();
      return;
    }
    for (const auto& [id, source] : gone) {
      if (stop_.stop_requested()) {
        summary_.stopped = true;
        return;
      }
      const Stopwatch watch(clock_);
      auto removed = store_.remove_document(id);
      if (!removed && concerns_one_file(removed.error())) continue;  // another process was quicker
      if (!removed) {
        failure_ = removed.error();
        return;
      }
      take(FileVerdict{source, Verdict::removed, "the file is gone", 0, watch.milliseconds()});
    }
  }

  store::Store& store_;
  const store::Collection collection_;
  reader::Reader& reader_;
  engine::Embedder& embedder_;
  const IngestOptions& options_;
  passage::CutOptions cut_;
  const VerdictSink& on_file_;
  const ProgressSink& progress_;
  const std::stop_token stop_;
  Logger& logger_;
  const Clock& clock_;

  std::string recipe_;
  IngestSummary summary_;
  std::optional<Error> failure_;
  std::unordered_set<std::string> met_paths_;  // files that were looked at: all that grows with their number
  std::vector<std::string> unreadable_;
  std::uint64_t bytes_done_ = 0;
  std::uint64_t bytes_total_ = 0;
};

}  // namespace

std::string recipe_of(const passage::CutOptions& cut, const engine::Embedder& embedder) {
  return sha256_hex("reader " + std::to_string(reader::kReaderVersion) + "\ncutter " +
                    std::to_string(passage::kCutterVersion) + "\ntarget " +
                    std::to_string(cut.target_tokens) + "\nmax " + std::to_string(cut.max_tokens) +
                    "\noverlap " + std::to_string(cut.overlap_sentences) + "\nembedder " +
                    embedder.fingerprint());
}

Result<IngestSummary> ingest(store::Store& store, CollectionId collection, reader::Reader& reader,
                             engine::Embedder& embedder, const std::vector<std::filesystem::path>& paths,
                             const IngestOptions& options, const VerdictSink& on_file,
                             const ProgressSink& progress, std::stop_token stop, Logger& logger,
                             const Clock& clock) {
  auto all = store.collections();
  if (!all) return all.error();
  const auto owner = std::find_if(all->begin(), all->end(),
                                  [&](const auto& candidate) { return candidate.id == collection; });
  if (owner == all->end()) {
    return Error{Kind::bad_request, "collection " + std::to_string(number_of(collection)),
                 "there is no such collection", "loam ingest PATH -c NAME"};
  }
  if (owner->embedder_fingerprint != embedder.fingerprint() || owner->dimensions != embedder.dimensions()) {
    return Error{Kind::bad_request, "collection " + owner->name,
                 "its vectors come from the embedder " + owner->embedder + " (" +
                     owner->embedder_fingerprint.substr(0, 12) + "), not from " + embedder.model_name() +
                     " (" + embedder.fingerprint().substr(0, 12) + ")",
                 "use " + owner->embedder + ", or ingest into a new collection with -c NAME"};
  }
  return Run(store, *owner, reader, embedder, options, on_file, progress, std::move(stop), logger, clock)
      .over(resolve_roots(paths));
}

}  // namespace loam::index
