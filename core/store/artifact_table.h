#pragma once

#include "core/model/artifacts.h"
#include "core/store/sqlite.h"

namespace runyard {

/// The writing side of the table `job_artifacts`: which runs and backtests a job names. Used within
/// a transaction of whoever owns the connection, and by its thread.
class ArtifactTable {
 public:
  static Result<ArtifactTable> prepare(sqlite::Database& database);

  /// Makes the rows of the job what its state says; `is_new`: it has none yet.
  Result<> write(const Job& job, bool is_new);
  Result<> remove(std::string_view job_id);

 private:
  sqlite::Statement known_, insert_, remove_;
};

/// Fills the table from the documents of all jobs; those that are damaged are passed over.
Result<> fill_artifact_table(sqlite::Database& database);

/// At most `limit` jobs of each relation, the newest of all first.
Result<std::vector<ArtifactJob>> read_artifact_jobs(sqlite::Database& database,
                                                    std::string_view artifact, std::size_t limit);

}  // namespace runyard
