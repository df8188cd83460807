// Is the store sound? SQLite's own checks first, then what Loam promises about the rows.
#include <string>

#include "base/utf8.h"
#include "store/sqlite_store.h"

namespace loam::store {

namespace {

struct Invariant {
  const char* problem;
  const char* sql;  // the ids that break it
};

constexpr Invariant kInvariants[] = {
    {"document without text", "SELECT id FROM documents WHERE id NOT IN (SELECT document FROM texts)"},
    {"text without document", "SELECT document FROM texts WHERE document NOT IN (SELECT id FROM documents)"},
    {"page without document", "SELECT document FROM pages WHERE document NOT IN (SELECT id FROM documents)"},
    {"document without collection",
     "SELECT id FROM documents WHERE collection NOT IN (SELECT id FROM collections)"},
    {"passage without document", "SELECT id FROM passages WHERE document NOT IN (SELECT id FROM documents)"},
    {"passage in another collection than its document",
     "SELECT p.id FROM passages p JOIN documents d ON d.id = p.document WHERE d.collection <> p.collection"},
    {"passage without vector", "SELECT id FROM passages WHERE id NOT IN (SELECT passage FROM vectors)"},
    {"vector without passage", "SELECT passage FROM vectors WHERE passage NOT IN (SELECT id FROM passages)"},
    {"vector of the wrong size",
     "SELECT v.passage FROM vectors v JOIN passages p ON p.id = v.passage JOIN collections c ON c.id = "
     "p.collection "
     "WHERE length(v.vector) <> 4 * c.dimensions"},
    {"document with another number of passages than it says",
     "SELECT id FROM documents d WHERE passage_count <> (SELECT count(*) FROM passages p WHERE p.document = "
     "d.id)"},
    {"result of an item without run",
     "SELECT DISTINCT run FROM run_items WHERE run NOT IN (SELECT id FROM runs)"},
    {"run that is not JSON", "SELECT id FROM runs WHERE NOT json_valid(config) OR NOT json_valid(result)"},
    {"run with item scores that are not JSON",
     "SELECT DISTINCT run FROM run_items WHERE NOT json_valid(scores)"},
    {"adoption of settings without run", "SELECT id FROM adoptions WHERE run NOT IN (SELECT id FROM runs)"},
    {"adopted settings that are not JSON", "SELECT id FROM adoptions WHERE NOT json_valid(settings)"},
};

constexpr std::size_t kMaxProblems = 100;

}  // namespace

Result<std::vector<std::string>> SqliteStore::check() {
  std::vector<std::string> problems;
  const auto note = [&](std::string line) {
    if (problems.size() < kMaxProblems) problems.push_back(std::move(line));
  };
  const auto note_failure = [&](const std::string& where, const Error& error) {
    if (error.kind == Kind::bad_data || error.kind == Kind::our_bug) note(where + ": " + error.message);
    return error.kind == Kind::bad_data || error.kind == Kind::our_bug;
  };

  {
    auto statement = database_->prepare("PRAGMA integrity_check(100)");
    while (statement.next()) {
      if (const std::string line = statement.text(0); line != "ok") note("the file: " + line);
    }
    if (auto bad = statement.failure(); bad && !note_failure("the file", *bad)) return *bad;
  }
  if (!problems.empty()) return problems;  // what follows would only repeat it
  {
    auto statement = database_->prepare("PRAGMA foreign_key_check");
    while (statement.next())
      note("a row of " + statement.text(0) + " belongs to nothing: " + statement.text(1));
    if (auto bad = statement.failure(); bad && !note_failure("foreign keys", *bad)) return *bad;
  }

  for (const Invariant& invariant : kInvariants) {
    auto statement = database_->prepare(invariant.sql);
    while (statement.next()) note(std::string(invariant.problem) + ": " + statement.text(0));
    if (auto bad = statement.failure(); bad && !note_failure(invariant.problem, *bad)) return *bad;
  }

  {  // Each passage is the bytes of its document; one document's text is in memory at a time.
    auto statement = database_->prepare(
        "SELECT p.document, p.id, p.start, p.\"end\", p.text FROM passages p ORDER BY p.document, p.ordinal");
    std::string text;
    std::int64_t document = -1;
    while (statement.next()) {
      if (statement.integer(0) != document) {
        document = statement.integer(0);
        auto found = document_text(DocumentId{static_cast<std::uint64_t>(document)});
        text = found ? std::move(*found) : std::string{};
        if (!is_valid_utf8(text)) note("text that is not UTF-8: document " + std::to_string(document));
      }
      const Span span{static_cast<std::size_t>(statement.integer(2)),
                      static_cast<std::size_t>(statement.integer(3))};
      if (span.start > span.end || span.end > text.size() || slice(text, span) != statement.bytes(4)) {
        note("passage that is not its document's text: " + statement.text(1));
      }
    }
    if (auto bad = statement.failure(); bad && !note_failure("passages", *bad)) return *bad;
  }

  auto all = collections();
  if (!all) return all.error();
  for (const Collection& collection : *all) {
    const std::string table = full_text_table(collection.id);
    if (sqlite3_db_readonly(database_->handle(), "main") == 0) {
      // FTS5 compares every word of its index with the passages, and needs the write lock to do so.
      Transaction transaction(*database_);
      if (!transaction.begun()) return transaction.begun().error();
      auto sound =
          database_->prepare("INSERT INTO " + table + "(" + table + ", rank) VALUES('integrity-check', 1)")
              .run();
      if (!sound && !note_failure("full-text index of " + collection.name, sound.error()))
        return sound.error();
    }
    auto statement = database_->prepare(
        "SELECT id FROM passages WHERE collection = ?1 AND id NOT IN (SELECT id FROM " + table + "_docsize)");
    statement.with(collection.id);
    while (statement.next()) note("passage without full-text row: " + statement.text(0));
    if (auto bad = statement.failure(); bad && !note_failure("full-text index of " + collection.name, *bad))
      return *bad;
    auto orphans =
        database_->prepare("SELECT id FROM " + table +
                           "_docsize WHERE id NOT IN (SELECT id FROM passages WHERE collection = ?1)");
    orphans.with(collection.id);
    while (orphans.next()) note("full-text row without passage: " + orphans.text(0));
    if (auto bad = orphans.failure(); bad && !note_failure("full-text index of " + collection.name, *bad))
      return *bad;
  }
  return problems;
}

}  // namespace loam::store
