#include "core/store/schema.h"

#include <fmt/format.h>

#include <array>

#include "core/store/artifact_table.h"

namespace runyard {
namespace {

// Migration n brings user_version n-1 to n. Never change one that was released: append, and commit
// a database of the version before as tests/fixtures/store/v<n-1>.sql.
struct Migration {
  const char* sql;
  Result<> (*fill)(sqlite::Database&);  // what SQL alone cannot do, afterwards; may be null
};
constexpr std::array<Migration, 2> kMigrations{
    // 1: `doc` is the kStore document of the job; the other columns are copies for the indexes.
    Migration{R"sql(
CREATE TABLE jobs(
  job_id TEXT PRIMARY KEY, instance TEXT NOT NULL, number INTEGER NOT NULL, seq INTEGER NOT NULL,
  created_at INTEGER NOT NULL, ended_at INTEGER NOT NULL, status TEXT NOT NULL,
  job_type TEXT NOT NULL, job_group TEXT NOT NULL, doc TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX jobs_newest ON jobs(created_at DESC, number DESC);
CREATE INDEX jobs_by_status ON jobs(status, created_at DESC, number DESC);
CREATE INDEX jobs_by_type ON jobs(job_type, created_at DESC, number DESC);
CREATE INDEX jobs_by_group ON jobs(job_group, created_at DESC, number DESC) WHERE job_group <> '';
CREATE INDEX jobs_by_seq ON jobs(instance, seq);
CREATE INDEX jobs_by_number ON jobs(instance, number);
CREATE INDEX jobs_by_end ON jobs(instance, ended_at) WHERE ended_at > 0;
CREATE TABLE removed(job_id TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE idempotency(
  key TEXT PRIMARY KEY, body_hash TEXT NOT NULL, job_ids TEXT NOT NULL, at INTEGER NOT NULL)
  WITHOUT ROWID;
CREATE INDEX idempotency_by_age ON idempotency(at);
CREATE TABLE notes(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
)sql",
              nullptr},
    // 2: which runs and backtests a job names (core/model/artifacts.h); the order of the columns is
    // that in which they are asked for.
    Migration{R"sql(
CREATE TABLE job_artifacts(
  artifact TEXT NOT NULL, relation TEXT NOT NULL, created_at INTEGER NOT NULL,
  number INTEGER NOT NULL, job_id TEXT NOT NULL,
  PRIMARY KEY(artifact, relation, created_at, number, job_id)) WITHOUT ROWID;
CREATE INDEX job_artifacts_by_job ON job_artifacts(job_id);
)sql",
              fill_artifact_table},
};

Result<> apply(sqlite::Database& database, const Migration& migration, std::int64_t version) {
  if (auto done = database.execute("BEGIN IMMEDIATE"); !done) return done;
  if (auto done = database.execute(migration.sql); !done) return done;
  if (migration.fill) {
    if (auto done = migration.fill(database); !done) return done;
  }
  return database.execute(fmt::format("PRAGMA user_version={};COMMIT;", version));
}

}  // namespace

int schema_version() { return static_cast<int>(kMigrations.size()); }

Result<> migrate(sqlite::Database& database) {
  auto query = database.prepare("PRAGMA user_version");
  if (!query) return query.error();
  auto row = query->step();
  if (!row) return row.error();
  const auto version = query->integer(0);
  query->reset();
  if (version > schema_version()) {
    return make_error(ErrorKind::kInternal,
                      fmt::format("the database has schema {}, this Runyard knows {}: start the "
                                  "newer version that wrote it",
                                  version, schema_version()));
  }
  for (auto next = version + 1; next <= schema_version(); ++next) {
    auto done = apply(database, kMigrations[static_cast<std::size_t>(next - 1)], next);
    if (!done) {
      const Error error = done.error();
      (void)database.execute("ROLLBACK");
      return error;
    }
  }
  return {};
}

}  // namespace runyard
