// Documents with their text, pages, passages, full-text rows and vectors: they change together or not at all.
#include <cmath>

#include "store/sqlite_store.h"

namespace loam::store {

namespace {

constexpr const char* kSelectDocument =
    "SELECT id, source, title, media_type, content_hash, recipe, root, file_size, file_mtime_ns, "
    "ingested_at, path "
    "FROM documents ";

DocumentRow document_from(const Statement& row) {
  DocumentRow document;
  document.id = DocumentId{static_cast<std::uint64_t>(row.integer(0))};
  document.source = row.text(1);
  document.title = row.text(2);
  document.media_type = row.text(3);
  document.content_hash = row.text(4);
  document.recipe = row.text(5);
  document.root = row.text(6);
  document.file_size = row.integer(7);
  document.file_mtime_ns = row.integer(8);
  document.ingested_at = row.integer(9);
  document.path = row.text(10);
  return document;
}

Result<std::vector<DocumentRow>> all_of(Statement& statement) {
  std::vector<DocumentRow> rows;
  while (statement.next()) rows.push_back(document_from(statement));
  if (auto bad = statement.failure()) return *bad;
  return rows;
}

Result<std::optional<DocumentRow>> one_of(Statement& statement) {
  std::optional<DocumentRow> found;
  if (statement.next()) found = document_from(statement);
  if (auto bad = statement.failure()) return *bad;
  return found;
}

/// The store keeps only what check() would call sound.
Result<void> validate(const DocumentRow& row, const Document& document, std::span<const Passage> passages,
                      std::span<const float> vectors, int dimensions) {
  const auto refuse = [&](const std::string& message) {
    return Error{Kind::bad_request, row.source, message, "please report this"};
  };
  if (row.source.empty()) return refuse("a document needs a source name");
  if (vectors.size() != passages.size() * static_cast<std::size_t>(dimensions)) {
    return refuse("there are " + std::to_string(vectors.size()) + " vector components for " +
                  std::to_string(passages.size()) + " passages of " + std::to_string(dimensions) +
                  " dimensions");
  }
  for (const Passage& passage : passages) {
    if (passage.span.end > document.text.size() || passage.span.start > passage.span.end ||
        slice(document.text, passage.span) != passage.text) {
      return refuse("passage " + std::to_string(passage.ordinal) + " is not the document's text at its span");
    }
  }
  for (const float component : vectors) {
    if (!std::isfinite(component)) return refuse("a vector holds a component that is not a number");
  }
  return done();
}

}  // namespace

Result<void> SqliteStore::erase_contents(CollectionId collection, DocumentId document) {
  const std::string table = full_text_table(collection);
  // The full-text rows go first: FTS5 needs the words as they were to find what to take out.
  auto erased = database_
                    ->prepare("INSERT INTO " + table + "(" + table +
                              ", rowid, heading_path, text) "
                              "SELECT 'delete', id, heading_path, text FROM passages WHERE document = ?1")
                    .with(document)
                    .run();
  if (!erased) return erased;
  for (const char* sql :
       {"DELETE FROM vectors WHERE passage IN (SELECT id FROM passages WHERE document = ?1)",
        "DELETE FROM passages WHERE document = ?1", "DELETE FROM pages WHERE document = ?1",
        "DELETE FROM texts WHERE document = ?1"}) {
    if (erased = database_->prepare(sql).with(document).run(); !erased) return erased;
  }
  return done();
}

Result<void> SqliteStore::erase_document(CollectionId collection, DocumentId document) {
  if (auto erased = erase_contents(collection, document); !erased) return erased;
  return database_->prepare("DELETE FROM documents WHERE id = ?1").with(document).run();
}

Result<void> SqliteStore::insert_contents(CollectionId collection, DocumentId document, const Document& text,
                                          std::span<const Passage> passages, std::span<const float> vectors,
                                          int dimensions) {
  if (auto put = database_->prepare("INSERT INTO texts(document, text) VALUES(?1, ?2)")
                     .with(document, text.text)
                     .run();
      !put) {
    return put;
  }
  for (const Page& page : text.pages) {
    auto put =
        database_
            ->prepare("INSERT OR IGNORE INTO pages(document, start, \"end\", number) VALUES(?1, ?2, ?3, ?4)")
            .with(document, page.span.start, page.span.end, page.number)
            .run();
    if (!put) return put;
  }
  const std::string full_text_sql =
      "INSERT INTO " + full_text_table(collection) + "(rowid, heading_path, text) VALUES(?1, ?2, ?3)";
  const auto width = static_cast<std::size_t>(dimensions);
  for (std::size_t i = 0; i < passages.size(); ++i) {
    const Passage& passage = passages[i];
    auto put =
        database_
            ->prepare(
                "INSERT INTO passages(document, collection, ordinal, start, \"end\", page, heading_path, "
                "text, tokens) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")
            .with(document, collection, passage.ordinal, passage.span.start, passage.span.end, passage.page,
                  passage.heading_path, passage.text, passage.tokens)
            .run();
    if (!put) return put;
    const PassageId id{static_cast<std::uint64_t>(database_->last_insert_id())};
    if (put = database_->prepare(full_text_sql).with(id, passage.heading_path, passage.text).run(); !put)
      return put;
    if (put = database_->prepare("INSERT INTO vectors(passage, vector) VALUES(?1, ?2)")
                  .with(id, vectors.subspan(i * width, width))
                  .run();
        !put) {
      return put;
    }
  }
  return done();
}

Result<DocumentId> SqliteStore::put_document(CollectionId collection, const DocumentRow& row,
                                             const Document& document, std::span<const Passage> passages,
                                             std::span<const float> vectors) {
  Transaction transaction(*database_);
  if (!transaction.begun()) return transaction.begun().error();
  const auto owner = collection_by_id(collection);
  if (!owner) return owner.error();
  if (auto valid = validate(row, document, passages, vectors, owner->dimensions); !valid)
    return valid.error();

  const auto same_source = find_document(collection, row.source);
  if (!same_source) return same_source.error();
  if (!row.path.empty()) {
    // A file that got another source name is still one document.
    const auto same_path = find_document_at(collection, row.path);
    if (!same_path) return same_path.error();
    if (*same_path && (!*same_source || (*same_path)->id != (*same_source)->id)) {
      if (auto erased = erase_document(collection, (*same_path)->id); !erased) return erased.error();
    }
  }
  DocumentId id{};
  if (*same_source) {
    id = (*same_source)->id;
    if (auto erased = erase_contents(collection, id); !erased) return erased.error();
    auto updated =
        database_
            ->prepare(
                "UPDATE documents SET title = ?2, media_type = ?3, content_hash = ?4, recipe = ?5, "
                "root = ?6, path = ?7, file_size = ?8, file_mtime_ns = ?9, ingested_at = ?10, "
                "text_bytes = ?11, passage_count = ?12 WHERE id = ?1")
            .with(id, row.title, row.media_type, row.content_hash, row.recipe, row.root, row.path,
                  row.file_size, row.file_mtime_ns, row.ingested_at, document.text.size(), passages.size())
            .run();
    if (!updated) return updated.error();
  } else {
    auto inserted =
        database_
            ->prepare(
                "INSERT INTO documents(collection, source, title, media_type, content_hash, recipe, "
                "root, path, file_size, file_mtime_ns, ingested_at, text_bytes, passage_count) "
                "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)")
            .with(collection, row.source, row.title, row.media_type, row.content_hash, row.recipe, row.root,
                  row.path, row.file_size, row.file_mtime_ns, row.ingested_at, document.text.size(),
                  passages.size())
            .run();
    if (!inserted) return inserted.error();
    id = DocumentId{static_cast<std::uint64_t>(database_->last_insert_id())};
  }
  if (auto put = insert_contents(collection, id, document, passages, vectors, owner->dimensions); !put)
    return put.error();
  if (auto grown = grow_generation(collection); !grown) return grown.error();
  if (auto kept = transaction.commit(); !kept) return kept.error();
  return id;
}

Result<CollectionId> SqliteStore::collection_of(DocumentId document) {
  auto statement = database_->prepare("SELECT collection FROM documents WHERE id = ?1");
  if (statement.with(document).next()) return CollectionId{static_cast<std::uint64_t>(statement.integer(0))};
  if (auto bad = statement.failure()) return *bad;
  return gone("document", number_of(document));
}

Result<void> SqliteStore::rename_document(DocumentId document, const DocumentRow& row) {
  Transaction transaction(*database_);
  if (!transaction.begun()) return transaction.begun();
  const auto collection = collection_of(document);
  if (!collection) return collection.error();
  const auto taken = find_document(*collection, row.source);
  if (!taken) return taken.error();
  if (*taken && (*taken)->id != document) {
    return Error{Kind::bad_request, row.source, "another document already has this name",
                 "remove that document first"};
  }
  auto renamed = database_
                     ->prepare(
                         "UPDATE documents SET source = ?2, root = ?3, path = ?4, file_size = ?5, "
                         "file_mtime_ns = ?6 WHERE id = ?1")
                     .with(document, row.source, row.root, row.path, row.file_size, row.file_mtime_ns)
                     .run();
  if (!renamed) return renamed;
  if (auto grown = grow_generation(*collection); !grown) return grown;
  return transaction.commit();
}

Result<void> SqliteStore::touch_document(DocumentId document, std::int64_t file_size,
                                         std::int64_t file_mtime_ns) {
  Transaction transaction(*database_);
  if (!transaction.begun()) return transaction.begun();
  auto touched = database_->prepare("UPDATE documents SET file_size = ?2, file_mtime_ns = ?3 WHERE id = ?1")
                     .with(document, file_size, file_mtime_ns)
                     .run();
  if (!touched) return touched;
  if (database_->changes() == 0) return gone("document", number_of(document));
  return transaction.commit();
}

Result<void> SqliteStore::remove_document(DocumentId document) {
  Transaction transaction(*database_);
  if (!transaction.begun()) return transaction.begun();
  const auto collection = collection_of(document);
  if (!collection) return collection.error();
  if (auto erased = erase_document(*collection, document); !erased) return erased;
  if (auto grown = grow_generation(*collection); !grown) return grown;
  return transaction.commit();
}

Result<std::optional<DocumentRow>> SqliteStore::find_document(CollectionId collection,
                                                              std::string_view source) {
  auto statement = database_->prepare(std::string(kSelectDocument) + "WHERE collection = ?1 AND source = ?2");
  return one_of(statement.with(collection, source));
}

Result<std::optional<DocumentRow>> SqliteStore::find_document_at(CollectionId collection,
                                                                 std::string_view path) {
  auto statement =
      database_->prepare(std::string(kSelectDocument) + "WHERE collection = ?1 AND path = ?2 AND path <> ''");
  return one_of(statement.with(collection, path));
}

Result<std::vector<DocumentRow>> SqliteStore::find_documents_with_hash(CollectionId collection,
                                                                       std::string_view content_hash) {
  auto statement = database_->prepare(std::string(kSelectDocument) +
                                      "WHERE collection = ?1 AND content_hash = ?2 ORDER BY id");
  return all_of(statement.with(collection, content_hash));
}

Result<std::vector<DocumentRow>> SqliteStore::documents(CollectionId collection) {
  auto statement = database_->prepare(std::string(kSelectDocument) + "WHERE collection = ?1 ORDER BY source");
  return all_of(statement.with(collection));
}

Result<void> SqliteStore::for_each_document(CollectionId collection,
                                            const std::function<void(const DocumentRow&)>& visit) {
  auto statement = database_->prepare(std::string(kSelectDocument) + "WHERE collection = ?1 ORDER BY id");
  statement.with(collection);
  while (statement.next()) visit(document_from(statement));
  if (auto bad = statement.failure()) return *bad;
  return done();
}

Result<std::string> SqliteStore::document_text(DocumentId document) {
  auto statement = database_->prepare("SELECT text FROM texts WHERE document = ?1");
  if (statement.with(document).next()) return statement.text(0);
  if (auto bad = statement.failure()) return *bad;
  return gone("document", number_of(document));
}

Result<std::vector<Page>> SqliteStore::pages_of(DocumentId document) {
  auto statement = database_->prepare(
      "SELECT number, start, \"end\" FROM pages WHERE document = ?1 ORDER BY start, number");
  std::vector<Page> pages;
  statement.with(document);
  while (statement.next()) {
    pages.push_back(
        {static_cast<int>(statement.integer(0)),
         {static_cast<std::size_t>(statement.integer(1)), static_cast<std::size_t>(statement.integer(2))}});
  }
  if (auto bad = statement.failure()) return *bad;
  return pages;
}

// Passages ----------------------------------------------------------------------------------------------

Result<std::vector<Store::PassageRow>> SqliteStore::passages(std::span<const PassageId> ids) {
  std::vector<PassageRow> rows;
  rows.reserve(ids.size());
  for (const PassageId id : ids) {
    auto statement = database_->prepare(
        "SELECT p.document, p.ordinal, p.start, p.\"end\", p.page, p.heading_path, p.text, p.tokens, "
        "d.source, d.title "
        "FROM passages p JOIN documents d ON d.id = p.document WHERE p.id = ?1");
    if (statement.with(id).next()) {
      PassageRow row;
      row.passage.id = id;
      row.passage.document = DocumentId{static_cast<std::uint64_t>(statement.integer(0))};
      row.passage.ordinal = static_cast<int>(statement.integer(1));
      row.passage.span = {static_cast<std::size_t>(statement.integer(2)),
                          static_cast<std::size_t>(statement.integer(3))};
      if (!statement.is_null(4)) row.passage.page = static_cast<int>(statement.integer(4));
      row.passage.heading_path = statement.text(5);
      row.passage.text = statement.text(6);
      row.passage.tokens = static_cast<int>(statement.integer(7));
      row.source = statement.text(8);
      row.title = statement.text(9);
      rows.push_back(std::move(row));
    }
    if (auto bad = statement.failure()) return *bad;
  }
  return rows;
}

Result<std::vector<PassageId>> SqliteStore::passages_of(DocumentId document) {
  auto statement = database_->prepare("SELECT id FROM passages WHERE document = ?1 ORDER BY ordinal");
  std::vector<PassageId> ids;
  statement.with(document);
  while (statement.next()) ids.push_back(PassageId{static_cast<std::uint64_t>(statement.integer(0))});
  if (auto bad = statement.failure()) return *bad;
  return ids;
}

}  // namespace loam::store
