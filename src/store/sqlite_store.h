// The Store over SQLite. Its methods are grouped by file: sqlite_store.cpp (open, collections), documents.cpp
// (what changes together), search.cpp (both legs), runs.cpp (the ledger), adoptions.cpp
// (settings found better), check.cpp (is it sound?).
#pragma once

#include "store/schema.h"
#include "store/sqlite.h"
#include "store/store.h"

namespace loam::store {

class SqliteStore : public Store {
 public:
  explicit SqliteStore(std::unique_ptr<Database> database) : database_(std::move(database)) {}

  Result<Collection> ensure_collection(std::string_view name, std::string_view embedder,
                                       std::string_view fingerprint, int dimensions) override;
  Result<std::optional<Collection>> find_collection(std::string_view name) override;
  Result<std::vector<Collection>> collections() override;
  Result<CollectionCounts> counts(CollectionId collection) override;
  Result<void> remove_collection(CollectionId collection) override;
  Result<std::uint64_t> generation(CollectionId collection) override;

  Result<DocumentId> put_document(CollectionId collection, const DocumentRow& row, const Document& document,
                                  std::span<const Passage> passages, std::span<const float> vectors) override;
  Result<void> rename_document(DocumentId document, const DocumentRow& row) override;
  Result<void> touch_document(DocumentId document, std::int64_t file_size,
                              std::int64_t file_mtime_ns) override;
  Result<void> remove_document(DocumentId document) override;
  Result<std::optional<DocumentRow>> find_document(CollectionId collection, std::string_view source) override;
  Result<std::vector<DocumentRow>> documents(CollectionId collection) override;
  Result<std::string> document_text(DocumentId document) override;
  Result<std::optional<DocumentRow>> find_document_at(CollectionId collection,
                                                      std::string_view path) override;
  Result<std::vector<DocumentRow>> find_documents_with_hash(CollectionId collection,
                                                            std::string_view content_hash) override;
  Result<void> for_each_document(CollectionId collection,
                                 const std::function<void(const DocumentRow&)>& visit) override;
  Result<std::vector<Page>> pages_of(DocumentId document) override;

  Result<std::vector<PassageRow>> passages(std::span<const PassageId> ids) override;
  Result<std::vector<PassageId>> passages_of(DocumentId document) override;

  Result<std::vector<Scored>> search_terms(CollectionId collection, std::span<const std::string> terms,
                                           int k) override;
  Result<std::vector<std::uint64_t>> document_frequencies(CollectionId collection,
                                                          std::span<const std::string> terms) override;
  Result<void> for_each_vector(CollectionId collection,
                               const std::function<void(PassageId, std::span<const float>)>& visit) override;

  Result<RunId> add_run(const LedgerRow& row) override;
  Result<RunId> add_run(const LedgerRow& row, std::span<const RunItem> items) override;
  Result<std::vector<LedgerRow>> runs(std::string_view task, int limit) override;
  Result<std::optional<LedgerRow>> find_run(RunId run) override;
  Result<std::vector<RunItem>> run_items(RunId run) override;
  Result<void> for_each_run(std::string_view task,
                            const std::function<bool(const LedgerRow&)>& visit) override;

  Result<Adoption> adopt(std::string_view scope, std::string_view settings, RunId run,
                         std::int64_t at) override;
  Result<std::optional<Adoption>> adopted(std::string_view scope) override;
  Result<std::vector<Adoption>> adoptions(std::string_view scope) override;
  Result<std::optional<Adoption>> take_back(std::string_view scope, std::int64_t at) override;

  Result<std::vector<std::string>> check() override;

 private:
  Result<Collection> collection_by_id(CollectionId collection);
  Result<CollectionId> collection_of(DocumentId document);
  Result<void> grow_generation(CollectionId collection);
  Result<void> erase_contents(CollectionId collection, DocumentId document);
  Result<void> erase_document(CollectionId collection, DocumentId document);
  Result<void> insert_contents(CollectionId collection, DocumentId document, const Document& text,
                               std::span<const Passage> passages, std::span<const float> vectors,
                               int dimensions);
  Error gone(const char* what, std::uint64_t id) const;
  /// nullopt: nothing to search for.
  static std::optional<std::string> quoted(std::span<const std::string> terms);

  std::unique_ptr<Database> database_;
};

}  // namespace loam::store
