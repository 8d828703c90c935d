#include "core/store/job_store.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <boost/json.hpp>
#include <chrono>
#include <unordered_set>
#include <utility>
#include <variant>

#include "core/store/artifact_table.h"
#include "core/store/clean_mark.h"
#include "core/store/schema.h"

namespace runyard {
namespace {

namespace json = boost::json;

constexpr auto kRetryEvery = std::chrono::milliseconds(250);
constexpr std::size_t kRoomForJobs = 32u << 10;  ///< bytes: a few jobs must fit, too
constexpr const char* kInsert =
    "INSERT INTO jobs(job_id, instance, number, seq, created_at, ended_at, status, job_type,"
    " job_group, doc) VALUES(?,?,?,?,?,?,?,?,?,?)";
constexpr const char* kTake =
    "INSERT OR REPLACE INTO jobs(job_id, instance, number, seq, created_at, ended_at, status,"
    " job_type, job_group, doc) VALUES(?,?,?,?,?,?,?,?,?,?)";
constexpr const char* kUpdate =
    "UPDATE jobs SET instance=?2, number=?3, seq=?4, created_at=?5, ended_at=?6, status=?7,"
    " job_type=?8, job_group=?9, doc=?10 WHERE job_id=?1";

std::string group_key(const Job& job) { return job.options.group; }

void bind_job(sqlite::Statement& statement, const Job& job) {
  statement.bind(1, job.job_id);
  statement.bind(2, job.instance);
  statement.bind(3, job.number);
  statement.bind(4, job.seq);
  statement.bind(5, job.created_at);
  statement.bind(6, job.ended_at.value_or(0));
  statement.bind(7, to_string(job.status));
  statement.bind(8, job.job_type);
  statement.bind(9, group_key(job));
  statement.bind(10, json::serialize(to_json(job, Form::kStore)));
}

Result<Job> read_job(std::string_view document) {
  boost::system::error_code error;
  auto value = json::parse(document, error, {}, record_parse_options());
  if (error) return make_error(ErrorKind::kInternal, "a job in the database is damaged");
  return job_from_json(value);
}

Result<std::vector<Job>> read_jobs(sqlite::Statement& statement) {
  std::vector<Job> jobs;
  for (;;) {
    auto row = statement.step();
    if (!row) return row.error();
    if (!*row) return jobs;
    auto job = read_job(statement.text(0));
    if (job) {
      jobs.push_back(std::move(*job));
    } else {
      spdlog::error("{}", job.error().message);
    }
  }
}

/// Finds damage before anything relies on the file: its structure, unless it is `as_closed` by the
/// last server (this reads all of it, seconds for a million jobs), and the documents of the jobs
/// that are to go on.
Result<bool> is_sound(sqlite::Database& database, bool as_closed) {
  if (!as_closed) {
    auto structure = database.prepare("PRAGMA quick_check(1)");
    if (!structure) return structure.error();
    auto row = structure->step();
    if (!row) return row.error();
    if (structure->text(0) != "ok") return false;
  }
  auto active = database.prepare(
      "SELECT 1 FROM jobs WHERE status IN ('QUEUED','RUNNING') AND NOT json_valid(doc) LIMIT 1");
  if (!active) return active.error();
  auto row = active->step();
  if (!row) return row.error();
  return !*row;
}

/// A WHERE clause and what binds to it, for list and count alike.
struct Where {
  std::string sql = " WHERE 1";
  std::vector<std::variant<std::int64_t, std::string>> values;

  void add(const char* condition, std::string value) {
    sql += condition;
    values.emplace_back(std::move(value));
  }
  int bind(sqlite::Statement& statement) const {
    int index = 1;
    for (const auto& value : values) {
      std::visit([&](const auto& v) { statement.bind(index, v); }, value);
      ++index;
    }
    return index;
  }
};

Where to_where(const JobFilter& filter) {
  Where where;
  if (filter.status) where.add(" AND status=?", std::string(to_string(*filter.status)));
  if (!filter.job_type.empty()) where.add(" AND job_type=?", filter.job_type);
  if (!filter.group.empty()) where.add(" AND job_group=?", filter.group);
  if (!filter.text.empty()) {
    where.add(
        " AND CASE WHEN json_valid(doc) THEN instr(lower(job_id||char(10)||"
        "coalesce(doc->>'$.name','')||char(10)||coalesce(doc->>'$.note','')||char(10)||"
        "coalesce(doc->>'$.params','')),lower(?)) END>0",
        filter.text);
  }
  if (!filter.before.empty()) {
    where.add(
        " AND (created_at,number,job_id)<"
        "(SELECT created_at,number,job_id FROM jobs WHERE job_id=?)",
        filter.before);
  }
  return where;
}

}  // namespace

/// One queued write.
struct JobStore::Write {
  enum class Kind { kInsert, kUpdate, kTake, kRemove, kNote, kFlush };
  Kind kind;
  std::vector<JobPtr> jobs;
  std::optional<IdempotencyKey> key;
  std::string id, value;  // kRemove: job id; kNote: key and value
  Done done;
  std::optional<Error> refused;  // by the rules, not by the disk
};

/// The writer's prepared statements.
class JobStore::Writer {
 public:
  sqlite::Statement begin, commit, rollback, savepoint, undo, release, insert, take, update,
      current, remove, tombstone, key, expire_keys, note, forget_note;
  ArtifactTable artifacts;

  static Result<std::unique_ptr<Writer>> prepare(sqlite::Database& database) {
    auto writer = std::make_unique<Writer>();
    const std::pair<sqlite::Statement*, const char*> all[] = {
        {&writer->begin, "BEGIN IMMEDIATE"},
        {&writer->commit, "COMMIT"},
        {&writer->rollback, "ROLLBACK"},
        {&writer->savepoint, "SAVEPOINT one_call"},
        {&writer->undo, "ROLLBACK TO one_call"},
        {&writer->release, "RELEASE one_call"},
        {&writer->insert, kInsert},
        {&writer->take, kTake},
        {&writer->update, kUpdate},
        {&writer->current,
         "SELECT status, seq, json_extract(doc, '$.end_reason') FROM jobs WHERE job_id=?"},
        {&writer->remove, "DELETE FROM jobs WHERE job_id=?"},
        {&writer->tombstone, "INSERT OR REPLACE INTO removed(job_id, at) VALUES(?,?)"},
        {&writer->key,
         "INSERT OR REPLACE INTO idempotency(key, body_hash, job_ids, at)"
         " VALUES(?,?,?,?)"},
        {&writer->expire_keys, "DELETE FROM idempotency WHERE at<?"},
        {&writer->note, "INSERT OR REPLACE INTO notes(key, value) VALUES(?,?)"},
        {&writer->forget_note, "DELETE FROM notes WHERE key=?"},
    };
    for (const auto& [statement, sql] : all) {
      auto prepared = database.prepare(sql);
      if (!prepared) return prepared.error();
      *statement = std::move(*prepared);
    }
    auto artifacts = ArtifactTable::prepare(database);
    if (!artifacts) return artifacts.error();
    writer->artifacts = std::move(*artifacts);
    return writer;
  }
};

JobStore::JobStore(std::filesystem::path path, Observer observer)
    : path_(std::move(path)), observer_(std::move(observer)) {}

Result<JobStore::Opened> JobStore::open(const std::filesystem::path& state_folder,
                                        Observer observer) {
  Opened opened;
  const auto path = state_folder / "jobs.db";
  std::error_code ignored;
  for (int attempt = 0;; ++attempt) {
    std::unique_ptr<JobStore> store(new JobStore(path, observer));
    bool corrupt = false;
    const bool as_closed = CleanMark(path).take();
    auto prepare = [&]() -> Result<> {
      auto database = sqlite::Database::open(path, sqlite::Database::Mode::kReadWrite);
      if (!database) return database.error();
      store->database_ = std::move(*database);
      auto done = store->database_.execute(
          "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY;"
          "PRAGMA foreign_keys=ON; PRAGMA journal_size_limit=67108864;");
      if (done) {
        done = migrate(store->database_);
      }
      if (done) {
        auto writer = Writer::prepare(store->database_);
        if (writer) {
          store->writer_ = std::move(*writer);
        } else {
          done = writer.error();
        }
      }
      if (done) {
        const auto sound = is_sound(store->database_, as_closed);
        if (!sound) {
          done = sound.error();
        } else if (!*sound) {
          corrupt = true;
          return make_error(ErrorKind::kInternal, path.string() + " is damaged");
        }
      }
      corrupt = !done && store->database_.is_corrupt();
      return done;
    };
    auto done = prepare();
    if (done) {
      store->thread_ = std::thread([raw = store.get()] { raw->run_writer(); });
      opened.store = std::move(store);
      return opened;
    }
    if (!corrupt || attempt > 0) return done.error();
    store.reset();
    opened.moved_aside = path.string() + ".damaged-" + format_compact(now_ms());
    for (const char* suffix : {"", "-wal", "-shm"}) {
      std::filesystem::rename(path.string() + suffix, opened.moved_aside + suffix, ignored);
    }
  }
}

JobStore::~JobStore() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (!thread_.joinable()) return;  // never opened
  thread_.join();
  writer_.reset();
  readers_.clear();
  database_ = {};
  CleanMark(path_).leave();
}

void JobStore::enqueue(Write write) {
  {
    std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(write));
  }
  wake_.notify_one();
}

JobStore::Together::Together(JobStore& store) : store_(store) {
  std::lock_guard lock(store_.mutex_);
  ++store_.together_;
}

JobStore::Together::~Together() {
  {
    std::lock_guard lock(store_.mutex_);
    --store_.together_;
  }
  store_.wake_.notify_one();
}

void JobStore::insert(std::vector<JobPtr> jobs, std::optional<IdempotencyKey> key, Done done) {
  enqueue({Write::Kind::kInsert, std::move(jobs), std::move(key), {}, {}, std::move(done), {}});
}
void JobStore::update(JobPtr job, Done done) {
  enqueue({Write::Kind::kUpdate, {std::move(job)}, {}, {}, {}, std::move(done), {}});
}
void JobStore::take(JobPtr job, Done done) {
  enqueue({Write::Kind::kTake, {std::move(job)}, {}, {}, {}, std::move(done), {}});
}
void JobStore::remove(std::string job_id, Done done) {
  enqueue({Write::Kind::kRemove, {}, {}, std::move(job_id), {}, std::move(done), {}});
}
void JobStore::put_note(std::string key, std::string value) {
  enqueue({Write::Kind::kNote, {}, {}, std::move(key), std::move(value), {}, {}});
}
void JobStore::flush(Done done) {
  enqueue({Write::Kind::kFlush, {}, {}, {}, {}, std::move(done), {}});
}

void JobStore::run_writer() {
  std::vector<Write> batch;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      const auto something = [this] { return (!waiting_.empty() && together_ == 0) || stopping_; };
      if (batch.empty()) {
        wake_.wait(lock, something);
      } else {
        // What is left after a failure: try again soon, with what has come since.
        wake_.wait_for(lock, kRetryEvery, [this] { return stopping_; });
      }
      const bool stop = stopping_;
      std::move(waiting_.begin(), waiting_.end(), std::back_inserter(batch));
      waiting_.clear();
      if (batch.empty() && stop) return;
    }
    const auto begun = std::chrono::steady_clock::now();
    auto done = apply(batch);
    failing_ = !done;
    if (done && observer_) {
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
      observer_(took.count(), batch.size());
    }
    if (done) {
      for (Write& write : batch) {
        if (write.done) write.done(write.refused ? Result<>(*write.refused) : Result<>());
      }
      batch.clear();
      continue;
    }
    spdlog::error("the database cannot be written, trying again: {}", done.error().message);
    std::vector<Write> kept;
    std::unordered_set<std::string> refused;  // new jobs that there will not be
    for (Write& write : batch) {
      const bool is_new = write.kind == Write::Kind::kInsert || write.kind == Write::Kind::kTake;
      if (write.kind == Write::Kind::kInsert) {
        for (const JobPtr& job : write.jobs) refused.insert(job->job_id);
      }
      const bool of_refused =
          write.kind == Write::Kind::kUpdate && refused.contains(write.jobs.front()->job_id);
      if (is_new || of_refused) {
        if (write.done) write.done(done);
      } else {
        write.refused.reset();
        kept.push_back(std::move(write));
      }
    }
    // So that is_failing() ends without a new job: while it holds, none may be sent here.
    if (kept.empty()) {
      kept.push_back({Write::Kind::kNote, {}, {}, "room", std::string(kRoomForJobs, '.'), {}, {}});
    }
    batch = std::move(kept);
    std::lock_guard lock(mutex_);
    if (stopping_) return;  // The updates are lost with the process; recovery makes them again.
  }
}

Result<> JobStore::apply(std::vector<Write>& batch) {
  const auto insert = [this](const Write& write) -> Result<> {
    std::string ids;
    for (const JobPtr& job : write.jobs) {
      bind_job(writer_->insert, *job);
      if (auto done = writer_->insert.run(); !done) return done;
      if (auto done = writer_->artifacts.write(*job, true); !done) return done;
      ids += (ids.empty() ? "" : " ") + job->job_id;
    }
    if (!write.key) return {};
    const TimeMs now = now_ms();
    writer_->expire_keys.bind(1, now - kKeyLifetimeMs);
    if (auto done = writer_->expire_keys.run(); !done) return done;
    writer_->key.bind(1, write.key->key);
    writer_->key.bind(2, write.key->body_hash);
    writer_->key.bind(3, ids);
    writer_->key.bind(4, now);
    return writer_->key.run();
  };
  const auto write_one = [&](Write& write) -> Result<> {
    switch (write.kind) {
      case Write::Kind::kInsert: {
        // What cannot be inserted (its id is taken) must not fail the other calls of this batch.
        auto done = writer_->savepoint.run();
        if (done) done = insert(write);
        if (!done && done.error().kind != ErrorKind::kNoSpace) {
          write.refused = done.error();
          done = writer_->undo.run();
        }
        return done ? writer_->release.run() : done;
      }
      case Write::Kind::kUpdate: {
        const Job& job = *write.jobs.front();
        auto& current = writer_->current;
        current.bind(1, job.job_id);
        auto row = current.step();
        if (!row) {
          current.reset();
          return row.error();
        }
        const auto from = *row ? parse_status(current.text(0)) : std::nullopt;
        const auto seq = *row ? current.integer(1) : 0;
        const auto why = *row ? parse_end_reason(current.text(2)) : std::nullopt;
        current.reset();
        const bool allowed =
            from &&
            (*from == job.status || is_allowed(*from, why.value_or(EndReason::kNone), job.status));
        if (!allowed || seq >= job.seq) {
          write.refused = make_error(ErrorKind::kConflict,
                                     fmt::format("job {} cannot go from {} (seq {}) to {} (seq {})",
                                                 job.job_id, from ? to_string(*from) : "removed",
                                                 seq, to_string(job.status), job.seq));
          return {};
        }
        bind_job(writer_->update, job);
        if (auto done = writer_->update.run(); !done) return done;
        return writer_->artifacts.write(job, false);
      }
      case Write::Kind::kTake:
        bind_job(writer_->take, *write.jobs.front());
        if (auto done = writer_->take.run(); !done) return done;
        return writer_->artifacts.write(*write.jobs.front(), false);
      case Write::Kind::kRemove: {
        writer_->remove.bind(1, write.id);
        if (auto done = writer_->remove.run(); !done) return done;
        if (auto done = writer_->artifacts.remove(write.id); !done) return done;
        writer_->tombstone.bind(1, write.id);
        writer_->tombstone.bind(2, now_ms());
        return writer_->tombstone.run();
      }
      case Write::Kind::kNote:
        if (write.value.empty()) {
          writer_->forget_note.bind(1, write.id);
          return writer_->forget_note.run();
        }
        writer_->note.bind(1, write.id);
        writer_->note.bind(2, write.value);
        return writer_->note.run();
      case Write::Kind::kFlush:
        return {};
    }
    return {};
  };

  auto done = writer_->begin.run();
  for (auto write = batch.begin(); done && write != batch.end(); ++write) done = write_one(*write);
  if (done) done = writer_->commit.run();
  if (!done) (void)writer_->rollback.run();
  return done;
}

template <class F>
auto JobStore::read(F&& f) -> decltype(f(std::declval<sqlite::Database&>())) {
  std::unique_ptr<sqlite::Database> reader;
  {
    std::lock_guard lock(readers_mutex_);
    if (!readers_.empty()) {
      reader = std::move(readers_.back());
      readers_.pop_back();
    }
  }
  if (!reader) {
    auto opened = sqlite::Database::open(path_, sqlite::Database::Mode::kReadOnly);
    if (!opened) return opened.error();
    reader = std::make_unique<sqlite::Database>(std::move(*opened));
  }
  auto result = f(*reader);
  std::lock_guard lock(readers_mutex_);
  readers_.push_back(std::move(reader));
  return result;
}

Result<std::optional<Job>> JobStore::find(std::string_view job_id) {
  return read([&](sqlite::Database& database) -> Result<std::optional<Job>> {
    auto query = database.prepare("SELECT doc FROM jobs WHERE job_id=?");
    if (!query) return query.error();
    query->bind(1, job_id);
    auto jobs = read_jobs(*query);
    if (!jobs) return jobs.error();
    if (jobs->empty()) return std::optional<Job>();
    return std::optional<Job>(std::move(jobs->front()));
  });
}

Result<std::vector<Job>> JobStore::list(const JobFilter& filter, std::size_t limit) {
  return read([&](sqlite::Database& database) -> Result<std::vector<Job>> {
    const Where where = to_where(filter);
    auto query = database.prepare("SELECT doc FROM jobs" + where.sql +
                                  " ORDER BY created_at DESC, number DESC, job_id DESC LIMIT ?");
    if (!query) return query.error();
    query->bind(where.bind(*query), static_cast<std::int64_t>(limit));
    return read_jobs(*query);
  });
}

Result<std::vector<ArtifactJob>> JobStore::jobs_of(std::string_view artifact, std::size_t limit) {
  return read(
      [&](sqlite::Database& database) { return read_artifact_jobs(database, artifact, limit); });
}

Result<std::int64_t> JobStore::count(const JobFilter& filter) {
  return read([&](sqlite::Database& database) -> Result<std::int64_t> {
    const Where where = to_where(filter);
    auto query = database.prepare("SELECT count(*) FROM jobs" + where.sql);
    if (!query) return query.error();
    where.bind(*query);
    auto row = query->step();
    if (!row) return row.error();
    return query->integer(0);
  });
}

Result<std::vector<Job>> JobStore::active(std::string_view instance) {
  return read([&](sqlite::Database& database) -> Result<std::vector<Job>> {
    // '+' keeps SQLite from walking the index of the numbers, which is as long as the history.
    auto query = database.prepare(
        "SELECT doc FROM jobs WHERE status IN ('QUEUED','RUNNING') AND +instance=?"
        " ORDER BY +number");
    if (!query) return query.error();
    query->bind(1, instance);
    return read_jobs(*query);
  });
}

Result<std::vector<Job>> JobStore::written_after(std::string_view instance, std::int64_t seq) {
  return read([&](sqlite::Database& database) -> Result<std::vector<Job>> {
    auto query = database.prepare("SELECT doc FROM jobs WHERE instance=? AND seq>? ORDER BY seq");
    if (!query) return query.error();
    query->bind(1, instance);
    query->bind(2, seq);
    return read_jobs(*query);
  });
}

Result<std::vector<Job>> JobStore::oldest_ended(std::string_view instance, std::size_t limit) {
  return read([&](sqlite::Database& database) -> Result<std::vector<Job>> {
    auto query = database.prepare(
        "SELECT doc FROM jobs WHERE instance=? AND ended_at>0 ORDER BY ended_at LIMIT ?");
    if (!query) return query.error();
    query->bind(1, instance);
    query->bind(2, static_cast<std::int64_t>(limit));
    return read_jobs(*query);
  });
}

Result<std::int64_t> JobStore::count_ended(std::string_view instance) {
  return read([&](sqlite::Database& database) -> Result<std::int64_t> {
    auto query = database.prepare("SELECT count(*) FROM jobs WHERE instance=? AND ended_at>0");
    if (!query) return query.error();
    query->bind(1, instance);
    auto row = query->step();
    if (!row) return row.error();
    return query->integer(0);
  });
}

Result<bool> JobStore::is_removed(std::string_view job_id) {
  return read([&](sqlite::Database& database) -> Result<bool> {
    auto query = database.prepare("SELECT 1 FROM removed WHERE job_id=?");
    if (!query) return query.error();
    query->bind(1, job_id);
    return query->step();
  });
}

Result<std::optional<IdempotentJobs>> JobStore::find_key(std::string_view key, TimeMs not_before) {
  return read([&](sqlite::Database& database) -> Result<std::optional<IdempotentJobs>> {
    auto query =
        database.prepare("SELECT body_hash, job_ids FROM idempotency WHERE key=? AND at>=?");
    if (!query) return query.error();
    query->bind(1, key);
    query->bind(2, not_before);
    auto row = query->step();
    if (!row) return row.error();
    if (!*row) return std::optional<IdempotentJobs>();
    IdempotentJobs found{std::string(query->text(0)), {}};
    const std::string_view ids = query->text(1);
    for (std::size_t at = 0; at < ids.size();) {
      const std::size_t end = std::min(ids.find(' ', at), ids.size());
      found.job_ids.emplace_back(ids.substr(at, end - at));
      at = end + 1;
    }
    return std::optional<IdempotentJobs>(std::move(found));
  });
}

Result<std::string> JobStore::note(std::string_view key) {
  return read([&](sqlite::Database& database) -> Result<std::string> {
    auto query = database.prepare("SELECT value FROM notes WHERE key=?");
    if (!query) return query.error();
    query->bind(1, key);
    auto row = query->step();
    if (!row) return row.error();
    return *row ? std::string(query->text(0)) : std::string();
  });
}

Result<std::vector<std::pair<std::string, std::string>>> JobStore::notes(std::string_view prefix) {
  using Notes = std::vector<std::pair<std::string, std::string>>;
  return read([&](sqlite::Database& database) -> Result<Notes> {
    auto query =
        database.prepare("SELECT key, value FROM notes WHERE substr(key,1,?)=? ORDER BY key");
    if (!query) return query.error();
    query->bind(1, static_cast<std::int64_t>(prefix.size()));
    query->bind(2, prefix);
    Notes notes;
    for (;;) {
      auto row = query->step();
      if (!row) return row.error();
      if (!*row) return notes;
      notes.emplace_back(query->text(0), query->text(1));
    }
  });
}

Result<JobStore::Counters> JobStore::counters(std::string_view instance) {
  return read([&](sqlite::Database& database) -> Result<Counters> {
    auto query = database.prepare(
        "SELECT (SELECT max(number) FROM jobs WHERE instance=?1),"
        " (SELECT max(seq) FROM jobs WHERE instance=?1)");
    if (!query) return query.error();
    query->bind(1, instance);
    auto row = query->step();
    if (!row) return row.error();
    return Counters{query->integer(0), query->integer(1)};
  });
}

}  // namespace runyard
