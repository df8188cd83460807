// Keeps collections, documents, passages, both index legs and the ledger in one SQLite file (DESIGN D3).
// The only room that includes sqlite3.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/document.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/passage.h"
#include "base/result.h"

namespace loam::store {

struct StoreOptions {
  int busy_timeout_ms = 5000;  ///< how long a writer waits for another process
  bool read_only = false;      ///< never creates, migrates or writes; works on read-only media too
  int cache_mib = 32;          ///< SQLite page cache
};

/// A set of documents searched together. All its vectors come from one embedder.
struct Collection {
  CollectionId id{};
  std::string name;
  std::string embedder;              ///< model name
  std::string embedder_fingerprint;  ///< engine::Embedder::fingerprint()
  int dimensions = 0;
};

struct CollectionCounts {
  std::uint64_t documents = 0;
  std::uint64_t passages = 0;
  std::uint64_t text_bytes = 0;
};

/// What is known about an ingested file without its text.
struct DocumentRow {
  DocumentId id{};
  std::string source;  ///< unique within the collection
  std::string title;
  std::string media_type;
  std::string content_hash;  ///< SHA-256 of the file's bytes
  std::string recipe;  ///< hash of reader version, passage options and embedder: a change means re-ingest
  std::string root;    ///< the folder or file that was named on the command line, absolute
  std::int64_t file_size = 0;
  std::int64_t file_mtime_ns = 0;
  std::int64_t ingested_at = 0;  ///< Unix seconds
  std::string path;              ///< absolute path of the file; unique within the collection unless empty
};

/// A passage id with the score one leg gave it.
struct Scored {
  PassageId passage{};
  float score = 0;  ///< higher is better
};

/// One ledger row: what was run, on what, with which result. Details are JSON.
struct LedgerRow {
  RunId id{};
  std::int64_t at = 0;  ///< Unix seconds
  std::string task;     ///< "ask", "retrieval", "classify", ...
  std::string config;   ///< JSON: everything that shaped the run, hashes included
  std::string result;   ///< JSON: scores, n, intervals
};

/// What one item of a run got. A run has as many as it scored, in the order in which they were given.
struct RunItem {
  std::string item;     ///< its id within the data
  std::string cluster;  ///< what items share (a document); empty: stands alone
  std::string scores;   ///< JSON object: metric name to number
  std::string output;   ///< what was said of it
};

/// Settings that were found better and are used from then on, until they are taken back.
struct Adoption {
  std::uint64_t id = 0;
  std::string scope;     ///< what they are for: scope_of(collection), or "data /path/of/a.csv"
  std::int64_t at = 0;   ///< Unix seconds
  std::string settings;  ///< JSON object: configuration key to value, both text; earlier adoptions included
  RunId run{};           ///< the row of the ledger that says why
  std::int64_t undone_at = 0;  ///< 0: not taken back
};
/// "collection 3": by id, so that a new collection of an old name begins without the old one's settings.
std::string scope_of(CollectionId collection);

/// One open store file. One object per thread; several processes may share the file (WAL, one writer).
/// Every writing call is one transaction: after it returns ok, the change survives kill -9 and loss of power
/// (each commit is flushed before it is acknowledged); when it fails, nothing has changed. One exception,
/// which no database can exclude: when the disk fails while it confirms a commit, the whole change may be
/// found after the next open. Part of a change is never found.
/// Errors: bad_data for a damaged or foreign file, out_of_room for a full disk, unavailable for a lock held
/// longer than busy_timeout_ms or a file that cannot be read or written, bad_request for an id that is gone.
class Store {
 public:
  /// Creates the file and its schema when missing. An older schema is migrated after a backup; a newer one
  /// is refused. A damaged file is refused with bad_data.
  static Result<std::unique_ptr<Store>> open(const std::filesystem::path& file, StoreOptions options = {},
                                             Logger& logger = silent_logger());
  virtual ~Store() = default;

  // Collections ------------------------------------------------------------------------------------
  /// Finds or creates. Fails with bad_request when it exists with another embedder fingerprint.
  virtual Result<Collection> ensure_collection(std::string_view name, std::string_view embedder,
                                               std::string_view fingerprint, int dimensions) = 0;
  virtual Result<std::optional<Collection>> find_collection(std::string_view name) = 0;
  virtual Result<std::vector<Collection>> collections() = 0;
  virtual Result<CollectionCounts> counts(CollectionId collection) = 0;
  virtual Result<void> remove_collection(CollectionId collection) = 0;
  /// Grows with every change of the collection; lets derived indexes notice that they are stale.
  virtual Result<std::uint64_t> generation(CollectionId collection) = 0;

  // Documents: text, passages, full-text rows and vectors change together ----------------------------
  /// Adds the document or replaces the one with the same source. `vectors` is (passages.size(), dimensions)
  /// row-major. Ids are assigned by the store.
  virtual Result<DocumentId> put_document(CollectionId collection, const DocumentRow& row,
                                          const Document& document, std::span<const Passage> passages,
                                          std::span<const float> vectors) = 0;
  /// Same content under a new name (and root, size, mtime): nothing is read or embedded again.
  virtual Result<void> rename_document(DocumentId document, const DocumentRow& row) = 0;
  /// Notes that a file was looked at and is unchanged (size, mtime).
  virtual Result<void> touch_document(DocumentId document, std::int64_t file_size,
                                      std::int64_t file_mtime_ns) = 0;
  virtual Result<void> remove_document(DocumentId document) = 0;
  virtual Result<std::optional<DocumentRow>> find_document(CollectionId collection,
                                                           std::string_view source) = 0;
  virtual Result<std::vector<DocumentRow>> documents(CollectionId collection) = 0;
  virtual Result<std::string> document_text(DocumentId document) = 0;
  /// The document made from the file at this absolute path.
  virtual Result<std::optional<DocumentRow>> find_document_at(CollectionId collection,
                                                              std::string_view path) = 0;
  /// Documents whose file had these bytes.
  virtual Result<std::vector<DocumentRow>> find_documents_with_hash(CollectionId collection,
                                                                    std::string_view content_hash) = 0;
  /// Like documents(), one row at a time and in ascending id, for collections of any size. The store must not
  /// be written to from `visit`.
  virtual Result<void> for_each_document(CollectionId collection,
                                         const std::function<void(const DocumentRow&)>& visit) = 0;
  /// Where each page lies in document_text(); empty for formats without pages.
  virtual Result<std::vector<Page>> pages_of(DocumentId document) = 0;

  // Passages -----------------------------------------------------------------------------------------
  /// In the order asked for; an id that is gone is left out.
  struct PassageRow {
    Passage passage;
    std::string source;
    std::string title;
  };
  virtual Result<std::vector<PassageRow>> passages(std::span<const PassageId> ids) = 0;
  virtual Result<std::vector<PassageId>> passages_of(DocumentId document) = 0;

  // The two index legs -------------------------------------------------------------------------------
  /// BM25 over heading path and text: any of `terms` may match (they are quoted by the store, so no query
  /// syntax reaches SQLite). Best first, at most k. Empty is a normal outcome.
  virtual Result<std::vector<Scored>> search_terms(CollectionId collection,
                                                   std::span<const std::string> terms, int k) = 0;
  /// In how many passages each term occurs (after stemming), for idf weights.
  virtual Result<std::vector<std::uint64_t>> document_frequencies(CollectionId collection,
                                                                  std::span<const std::string> terms) = 0;
  /// Calls `visit` with each passage's vector, in ascending passage id.
  virtual Result<void> for_each_vector(
      CollectionId collection, const std::function<void(PassageId, std::span<const float>)>& visit) = 0;

  // Ledger -------------------------------------------------------------------------------------------
  virtual Result<RunId> add_run(const LedgerRow& row) = 0;
  /// The row and all its items in one transaction. `row.id` is not looked at.
  virtual Result<RunId> add_run(const LedgerRow& row, std::span<const RunItem> items) = 0;
  /// Newest first. An empty task asks for all of them.
  virtual Result<std::vector<LedgerRow>> runs(std::string_view task, int limit) = 0;
  virtual Result<std::optional<LedgerRow>> find_run(RunId run) = 0;
  /// In the order in which they were added; empty for a run without items and for one that does not exist.
  virtual Result<std::vector<RunItem>> run_items(RunId run) = 0;
  /// Like runs(), one row at a time until `visit` returns false, for ledgers of any length. The store must
  /// not be written to from `visit`.
  virtual Result<void> for_each_run(std::string_view task,
                                    const std::function<bool(const LedgerRow&)>& visit) = 0;

  // Adopted settings ---------------------------------------------------------------------------------
  /// bad_request when the run is not in the ledger. `settings` replaces what was adopted before for the
  /// scope.
  virtual Result<Adoption> adopt(std::string_view scope, std::string_view settings, RunId run,
                                 std::int64_t at) = 0;
  /// The one in force: the newest that was not taken back.
  virtual Result<std::optional<Adoption>> adopted(std::string_view scope) = 0;
  /// All of them, newest first, those taken back included. An empty scope asks for every scope.
  virtual Result<std::vector<Adoption>> adoptions(std::string_view scope) = 0;
  /// Takes back the one in force, so that the one before it is in force again. Empty: there was none.
  virtual Result<std::optional<Adoption>> take_back(std::string_view scope, std::int64_t at) = 0;

  // Upkeep -------------------------------------------------------------------------------------------
  /// SQLite's integrity_check plus ours: every passage has its full-text row, its vector and its document,
  /// and its text equals the document's bytes. Problems, one line each; empty means sound.
  virtual Result<std::vector<std::string>> check() = 0;
};

}  // namespace loam::store
