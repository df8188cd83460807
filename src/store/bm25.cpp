#include "store/bm25.h"

#include <cmath>
#include <memory>
#include <new>
#include <vector>

namespace loam::store {

namespace {

/// What stays the same for every row of one query.
struct QueryStatistics {
  std::vector<double> idf;        // per phrase
  double average_length = 1;      // tokens
  std::vector<double> frequency;  // scratch, per phrase
};

int count_row(const Fts5ExtensionApi*, Fts5Context*, void* count) {
  ++*static_cast<std::int64_t*>(count);
  return SQLITE_OK;
}

void delete_statistics(void* statistics) {
  std::default_delete<QueryStatistics>()(static_cast<QueryStatistics*>(statistics));
}

int gather(const Fts5ExtensionApi* api, Fts5Context* context, QueryStatistics& statistics) {
  sqlite3_int64 rows = 0;
  sqlite3_int64 tokens = 0;
  if (const int code = api->xRowCount(context, &rows); code != SQLITE_OK) return code;
  if (const int code = api->xColumnTotalSize(context, -1, &tokens); code != SQLITE_OK) return code;
  if (rows > 0 && tokens > 0)
    statistics.average_length = static_cast<double>(tokens) / static_cast<double>(rows);
  const int phrases = api->xPhraseCount(context);
  for (int phrase = 0; phrase < phrases; ++phrase) {
    std::int64_t hits = 0;
    if (const int code = api->xQueryPhrase(context, phrase, &hits, count_row); code != SQLITE_OK) return code;
    const double n = static_cast<double>(hits);
    const double total = std::max(static_cast<double>(rows), n);  // a damaged row count must not give a NaN
    statistics.idf.push_back(std::log(1.0 + (total - n + 0.5) / (n + 0.5)));
  }
  statistics.frequency.resize(statistics.idf.size());
  return SQLITE_OK;
}

void bm25(const Fts5ExtensionApi* api, Fts5Context* context, sqlite3_context* result, int value_count,
          sqlite3_value** values) {
  if (value_count != 3) {
    sqlite3_result_error(result, "loam_bm25 takes a table, k1, b and a heading weight", -1);
    return;
  }
  const double k1 = sqlite3_value_double(values[0]);
  const double b = sqlite3_value_double(values[1]);
  const double heading_weight = sqlite3_value_double(values[2]);

  auto* statistics = static_cast<QueryStatistics*>(api->xGetAuxdata(context, 0));
  if (statistics == nullptr) {
    auto fresh = std::make_unique<QueryStatistics>();
    if (const int code = gather(api, context, *fresh); code != SQLITE_OK) {
      sqlite3_result_error_code(result, code);
      return;
    }
    statistics = fresh.get();
    // FTS5 owns it from here, and calls the deleter even when this fails.
    if (const int code = api->xSetAuxdata(context, fresh.release(), delete_statistics); code != SQLITE_OK) {
      sqlite3_result_error_code(result, code);
      return;
    }
  }

  std::fill(statistics->frequency.begin(), statistics->frequency.end(), 0.0);
  int instances = 0;
  int code = api->xInstCount(context, &instances);
  for (int i = 0; code == SQLITE_OK && i < instances; ++i) {
    int phrase = 0, column = 0, offset = 0;
    code = api->xInst(context, i, &phrase, &column, &offset);
    if (code == SQLITE_OK)
      statistics->frequency[static_cast<std::size_t>(phrase)] += column == 0 ? heading_weight : 1.0;
  }
  int length = 0;
  if (code == SQLITE_OK) code = api->xColumnSize(context, -1, &length);
  if (code != SQLITE_OK) {
    sqlite3_result_error_code(result, code);
    return;
  }
  const double norm = k1 * (1.0 - b + b * static_cast<double>(length) / statistics->average_length);
  double score = 0;
  for (std::size_t phrase = 0; phrase < statistics->idf.size(); ++phrase) {
    const double frequency = statistics->frequency[phrase];
    if (frequency > 0) score += statistics->idf[phrase] * frequency * (k1 + 1.0) / (frequency + norm);
  }
  sqlite3_result_double(result, score);
}

/// SQLite calls this from C, so no exception may leave it.
void bm25_for_sqlite(const Fts5ExtensionApi* api, Fts5Context* context, sqlite3_context* result,
                     int value_count, sqlite3_value** values) noexcept {
  try {
    bm25(api, context, result, value_count, values);
  } catch (const std::bad_alloc&) {
    sqlite3_result_error_nomem(result);
  } catch (...) {
    sqlite3_result_error(result, "loam_bm25 failed", -1);
  }
}

}  // namespace

Result<void> register_bm25(Database& database) {
  // The documented way to FTS5's interface (sqlite.org/fts5.html, "Extending FTS5").
  fts5_api* api = nullptr;
  sqlite3_stmt* raw = nullptr;
  int code = sqlite3_prepare_v2(database.handle(), "SELECT fts5(?1)", -1, &raw, nullptr);
  const StatementHandle statement(raw);
  if (code == SQLITE_OK) {
    sqlite3_bind_pointer(raw, 1, static_cast<void*>(&api), "fts5_api_ptr", nullptr);
    sqlite3_step(raw);
  }
  if (api == nullptr) {
    return Error{Kind::unavailable, "SQLite", "this SQLite was built without FTS5",
                 "install libsqlite3-0 of Debian 12 or newer"};
  }
  code = api->xCreateFunction(api, "loam_bm25", nullptr, bm25_for_sqlite, nullptr);
  if (code != SQLITE_OK) return database.error_of(code);
  return done();
}

}  // namespace loam::store
