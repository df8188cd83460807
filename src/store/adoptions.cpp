// Settings that were found better, and until when they count.
#include "store/sqlite_store.h"

namespace loam::store {

namespace {

constexpr const char* kSelectAdoption = "SELECT id, scope, at, settings, run, undone_at FROM adoptions ";

Adoption adoption_from(const Statement& row) {
  return {static_cast<std::uint64_t>(row.integer(0)),        row.text(1),   row.integer(2), row.text(3),
          RunId{static_cast<std::uint64_t>(row.integer(4))}, row.integer(5)};
}

}  // namespace

std::string scope_of(CollectionId collection) {
  return "collection " + std::to_string(number_of(collection));
}

Result<Adoption> SqliteStore::adopt(std::string_view scope, std::string_view settings, RunId run,
                                    std::int64_t at) {
  Transaction transaction(*database_);
  if (!transaction.begun()) return transaction.begun().error();
  auto known = find_run(run);
  if (!known) return known.error();
  if (!*known) return gone("run", number_of(run));
  auto added = database_->prepare("INSERT INTO adoptions(scope, at, settings, run) VALUES(?1, ?2, ?3, ?4)")
                   .with(scope, at, settings, run)
                   .run();
  if (!added) return added.error();
  Adoption adoption{static_cast<std::uint64_t>(database_->last_insert_id()),
                    std::string(scope),
                    at,
                    std::string(settings),
                    run,
                    0};
  if (auto kept = transaction.commit(); !kept) return kept.error();
  return adoption;
}

Result<std::optional<Adoption>> SqliteStore::adopted(std::string_view scope) {
  auto statement = database_->prepare(std::string(kSelectAdoption) +
                                      "WHERE scope = ?1 AND undone_at = 0 ORDER BY id DESC LIMIT 1");
  std::optional<Adoption> found;
  if (statement.with(scope).next()) found = adoption_from(statement);
  if (auto bad = statement.failure()) return *bad;
  return found;
}

Result<std::vector<Adoption>> SqliteStore::adoptions(std::string_view scope) {
  auto statement =
      database_->prepare(std::string(kSelectAdoption) + "WHERE ?1 = '' OR scope = ?1 ORDER BY id DESC");
  std::vector<Adoption> all;
  statement.with(scope);
  while (statement.next()) all.push_back(adoption_from(statement));
  if (auto bad = statement.failure()) return *bad;
  return all;
}

Result<std::optional<Adoption>> SqliteStore::take_back(std::string_view scope, std::int64_t at) {
  Transaction transaction(*database_);
  if (!transaction.begun()) return transaction.begun().error();
  auto found = adopted(scope);
  if (!found) return found.error();
  if (!*found) return std::optional<Adoption>();
  auto undone = database_->prepare("UPDATE adoptions SET undone_at = ?1 WHERE id = ?2")
                    .with(at, static_cast<std::int64_t>((*found)->id))
                    .run();
  if (!undone) return undone.error();
  (*found)->undone_at = at;
  if (auto kept = transaction.commit(); !kept) return kept.error();
  return *found;
}

}  // namespace loam::store
