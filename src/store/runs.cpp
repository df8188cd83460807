// The ledger: one row a run, and what each of its items got.
#include "store/sqlite_store.h"

namespace loam::store {

namespace {

LedgerRow run_from(const Statement& row) {
  return {RunId{static_cast<std::uint64_t>(row.integer(0))}, row.integer(1), row.text(2), row.text(3),
          row.text(4)};
}

}  // namespace

Result<RunId> SqliteStore::add_run(const LedgerRow& row) { return add_run(row, {}); }

Result<RunId> SqliteStore::add_run(const LedgerRow& row, std::span<const RunItem> items) {
  Transaction transaction(*database_);
  if (!transaction.begun()) return transaction.begun().error();
  auto added = database_->prepare("INSERT INTO runs(at, task, config, result) VALUES(?1, ?2, ?3, ?4)")
                   .with(row.at, row.task, row.config, row.result)
                   .run();
  if (!added) return added.error();
  const RunId id{static_cast<std::uint64_t>(database_->last_insert_id())};
  for (std::size_t ordinal = 0; ordinal < items.size(); ++ordinal) {
    const RunItem& item = items[ordinal];
    added = database_
                ->prepare(
                    "INSERT INTO run_items(run, ordinal, item, cluster, scores, output) "
                    "VALUES(?1, ?2, ?3, ?4, ?5, ?6)")
                .with(id, ordinal, item.item, item.cluster, item.scores, item.output)
                .run();
    if (!added) return added.error();
  }
  if (auto kept = transaction.commit(); !kept) return kept.error();
  return id;
}

Result<std::vector<LedgerRow>> SqliteStore::runs(std::string_view task, int limit) {
  std::vector<LedgerRow> rows;
  if (limit <= 0) return rows;
  auto read = for_each_run(task, [&](const LedgerRow& row) {
    rows.push_back(row);
    return rows.size() < static_cast<std::size_t>(limit);
  });
  if (!read) return read.error();
  return rows;
}

Result<void> SqliteStore::for_each_run(std::string_view task,
                                       const std::function<bool(const LedgerRow&)>& visit) {
  auto statement = database_->prepare(
      task.empty() ? "SELECT id, at, task, config, result FROM runs WHERE ?1 = '' ORDER BY id DESC"
                   : "SELECT id, at, task, config, result FROM runs WHERE task = ?1 ORDER BY id DESC");
  statement.with(task);
  while (statement.next()) {
    if (!visit(run_from(statement))) return done();
  }
  if (auto bad = statement.failure()) return *bad;
  return done();
}

Result<std::optional<LedgerRow>> SqliteStore::find_run(RunId run) {
  auto statement = database_->prepare("SELECT id, at, task, config, result FROM runs WHERE id = ?1");
  std::optional<LedgerRow> found;
  if (statement.with(run).next()) found = run_from(statement);
  if (auto bad = statement.failure()) return *bad;
  return found;
}

Result<std::vector<RunItem>> SqliteStore::run_items(RunId run) {
  auto statement = database_->prepare(
      "SELECT item, cluster, scores, output FROM run_items WHERE run = ?1 ORDER BY ordinal");
  std::vector<RunItem> items;
  statement.with(run);
  while (statement.next())
    items.push_back({statement.text(0), statement.text(1), statement.text(2), statement.text(3)});
  if (auto bad = statement.failure()) return *bad;
  return items;
}

}  // namespace loam::store
