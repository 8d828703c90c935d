#include "core/store/artifact_table.h"

#include <algorithm>
#include <boost/json.hpp>
#include <tuple>

namespace runyard {
namespace {

namespace json = boost::json;

Relation parse_relation(std::string_view text) {
  return text == to_string(Relation::kProduced) ? Relation::kProduced : Relation::kUsed;
}

}  // namespace

Result<ArtifactTable> ArtifactTable::prepare(sqlite::Database& database) {
  ArtifactTable table;
  const std::pair<sqlite::Statement*, const char*> all[] = {
      {&table.known_,
       "SELECT artifact, relation, created_at, number FROM job_artifacts WHERE job_id=?"
       " ORDER BY artifact"},
      {&table.insert_,
       "INSERT INTO job_artifacts(artifact, relation, created_at, number, job_id)"
       " VALUES(?,?,?,?,?)"},
      {&table.remove_, "DELETE FROM job_artifacts WHERE job_id=?"},
  };
  for (const auto& [statement, sql] : all) {
    auto prepared = database.prepare(sql);
    if (!prepared) return prepared.error();
    *statement = std::move(*prepared);
  }
  return table;
}

Result<> ArtifactTable::write(const Job& job, bool is_new) {
  const std::vector<ArtifactRef> refs = artifacts_of(job);
  if (!is_new) {
    // Most changes of a job name nothing new, and then nothing is written.
    std::vector<ArtifactRef> known;
    bool same_place = true;
    known_.bind(1, job.job_id);
    for (;;) {
      const auto row = known_.step();
      if (!row) {
        const Error error = row.error();
        known_.reset();
        return error;
      }
      if (!*row) break;
      known.push_back({std::string(known_.text(0)), parse_relation(known_.text(1))});
      same_place =
          same_place && known_.integer(2) == job.created_at && known_.integer(3) == job.number;
    }
    known_.reset();
    if (known == refs && same_place) return {};
    if (auto done = remove(job.job_id); !done) return done;
  }
  for (const ArtifactRef& ref : refs) {
    insert_.bind(1, ref.id);
    insert_.bind(2, to_string(ref.relation));
    insert_.bind(3, job.created_at);
    insert_.bind(4, job.number);
    insert_.bind(5, job.job_id);
    if (auto done = insert_.run(); !done) return done;
  }
  return {};
}

Result<> ArtifactTable::remove(std::string_view job_id) {
  remove_.bind(1, job_id);
  return remove_.run();
}

Result<> fill_artifact_table(sqlite::Database& database) {
  auto table = ArtifactTable::prepare(database);
  if (!table) return table.error();
  auto jobs = database.prepare("SELECT doc FROM jobs");
  if (!jobs) return jobs.error();
  for (;;) {
    const auto row = jobs->step();
    if (!row) return row.error();
    if (!*row) return {};
    json::error_code error;
    const json::value document = json::parse(jobs->text(0), error, {}, record_parse_options());
    if (error) continue;
    const auto job = job_from_json(document);
    if (!job) continue;
    if (auto done = table->write(*job, true); !done) return done;
  }
}

Result<std::vector<ArtifactJob>> read_artifact_jobs(sqlite::Database& database,
                                                    std::string_view artifact, std::size_t limit) {
  auto query = database.prepare(
      "SELECT a.job_id, j.job_type, j.status, a.created_at, a.number,"
      " CASE WHEN json_valid(j.doc) THEN j.doc->>'$.name' END"
      " FROM job_artifacts a JOIN jobs j ON j.job_id=a.job_id WHERE a.artifact=? AND a.relation=?"
      " ORDER BY a.created_at DESC, a.number DESC, a.job_id DESC LIMIT ?");
  if (!query) return query.error();
  std::vector<ArtifactJob> jobs;
  for (const Relation relation : {Relation::kProduced, Relation::kUsed}) {
    query->bind(1, artifact);
    query->bind(2, to_string(relation));
    query->bind(3, static_cast<std::int64_t>(limit));
    for (;;) {
      const auto row = query->step();
      if (!row) return row.error();
      if (!*row) break;
      ArtifactJob job;
      job.job_id = query->text(0);
      job.job_type = query->text(1);
      job.status = parse_status(query->text(2)).value_or(JobStatus::kQueued);
      job.created_at = query->integer(3);
      job.number = query->integer(4);
      job.name = query->text(5);
      job.relation = relation;
      jobs.push_back(std::move(job));
    }
    query->reset();
  }
  const auto newest_first = [](const ArtifactJob& a, const ArtifactJob& b) {
    return std::tie(a.created_at, a.number, a.job_id) > std::tie(b.created_at, b.number, b.job_id);
  };
  std::sort(jobs.begin(), jobs.end(), newest_first);
  return jobs;
}

}  // namespace runyard
