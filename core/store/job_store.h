#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/base/files.h"
#include "core/model/artifacts.h"
#include "core/model/job.h"
#include "core/store/sqlite.h"

namespace runyard {

/// What a list of jobs is narrowed to; empty members do not narrow.
struct JobFilter {
  std::optional<JobStatus> status;
  std::string job_type;
  std::string group;
  std::string text;    ///< contained in the id, name, note or parameters
  std::string before;  ///< a job id: only older ones
};

/// Makes a repeated submit return the first one's jobs (`Idempotency-Key`).
struct IdempotencyKey {
  std::string key;
  std::string body_hash;
};
struct IdempotentJobs {
  std::string body_hash;
  std::vector<std::string> job_ids;
};

/// The truth about jobs: one SQLite file in WAL mode, `<state>/jobs.db` (docs/formats.md).
///
/// Owned by the service. Writes are queued from any thread and applied by one writer thread, which
/// puts all that waits into one transaction (group commit) with synchronous=FULL: when `Done` runs
/// without an error, the change survives a power cut. `Done` runs on the writer thread and must be
/// short. Reads take a read-only connection of a small pool, from any thread, and never wait for
/// writes.
///
/// Invariants: writes are applied in the order of the calls; a transition that the state machine
/// forbids is refused; an update is never dropped: while the disk is full it is retried, and only
/// inserts are refused (kNoSpace).
class JobStore {
 public:
  using Done = std::function<void(const Result<>&)>;

  /// How long an Idempotency-Key is remembered.
  static constexpr TimeMs kKeyLifetimeMs = 24LL * 3600 * 1000;

  /// Opens `<state>/jobs.db`, applying the missing migrations. A file that is no database or a
  /// damaged one is moved aside to `jobs.db.damaged-<time>`, never deleted, for a new one.
  struct Opened {
    std::unique_ptr<JobStore> store;
    std::string moved_aside;  ///< the damaged file's new name; "" when there was none
  };
  /// `observer`, if given, hears of each transaction how long it took and how many writes it had;
  /// on the writer thread.
  using Observer = std::function<void(double seconds, std::size_t writes)>;
  static Result<Opened> open(const std::filesystem::path& state_folder, Observer observer = {});

  /// Writes what waits, then stops the writer.
  ~JobStore();
  JobStore(const JobStore&) = delete;
  JobStore& operator=(const JobStore&) = delete;

  /// New jobs, all or none. On kNoSpace and kInternal nothing of it exists.
  void insert(std::vector<JobPtr> jobs, std::optional<IdempotencyKey> key, Done done);
  /// A newer state of a known job, or of one whose insert is under way: refused with it. Else it
  /// never fails for good (see the class comment); an update with a lower seq than the stored one,
  /// or with a forbidden transition, is kConflict and changes nothing.
  void update(JobPtr job, Done done);
  /// A job from a record of `reports/jobs`, as it is, whether it is known or not: the caller has
  /// decided that it is the better one. Fails like insert().
  void take(JobPtr job, Done done);
  /// Forgets a job and leaves a tombstone, so that its record is not taken in again.
  void remove(std::string job_id, Done done);
  /// A note outside of the jobs (pause state and the like); an empty value forgets it.
  void put_note(std::string key, std::string value);
  /// Runs `done` after everything queued before it is on disk.
  void flush(Done done);
  /// While it lives, what is written waits, so that it goes into one transaction. For an instant.
  class Together {
   public:
    explicit Together(JobStore& store);
    ~Together();
    Together(const Together&) = delete;
    Together& operator=(const Together&) = delete;

   private:
    JobStore& store_;
  };

  // Reads. Any thread.
  Result<std::optional<Job>> find(std::string_view job_id);
  /// Newest first (created_at, then number, then id).
  Result<std::vector<Job>> list(const JobFilter& filter, std::size_t limit);
  Result<std::int64_t> count(const JobFilter& filter);
  /// QUEUED and RUNNING jobs of `instance`, oldest first.
  Result<std::vector<Job>> active(std::string_view instance);
  /// Jobs of `instance` written after `seq`, oldest write first: what the mirror may have missed.
  Result<std::vector<Job>> written_after(std::string_view instance, std::int64_t seq);
  Result<std::int64_t> count_ended(std::string_view instance);
  /// Ended jobs of `instance` in order of their end, oldest first: for retention.
  Result<std::vector<Job>> oldest_ended(std::string_view instance, std::size_t limit);
  /// Jobs that name a run or a backtest, at most `limit` of each relation, the newest first.
  Result<std::vector<ArtifactJob>> jobs_of(std::string_view artifact, std::size_t limit);
  Result<bool> is_removed(std::string_view job_id);
  Result<std::optional<IdempotentJobs>> find_key(std::string_view key, TimeMs not_before);
  /// "" when there is none.
  Result<std::string> note(std::string_view key);
  /// All notes whose key begins so.
  Result<std::vector<std::pair<std::string, std::string>>> notes(std::string_view prefix);
  /// The highest number and seq in use, 0 when there are none.
  struct Counters {
    std::int64_t number = 0, seq = 0;
  };
  Result<Counters> counters(std::string_view instance);
  /// True while writes fail (disk full): submits are refused then.
  bool is_failing() const { return failing_; }

 private:
  struct Write;
  class Writer;

  JobStore(std::filesystem::path path, Observer observer);
  void enqueue(Write write);
  void run_writer();
  Result<> apply(std::vector<Write>& batch);
  template <class F>
  auto read(F&& f) -> decltype(f(std::declval<sqlite::Database&>()));

  const std::filesystem::path path_;
  const Observer observer_;

  std::mutex mutex_;  // guards waiting_, together_, stopping_
  std::condition_variable wake_;
  std::deque<Write> waiting_;
  int together_ = 0;
  bool stopping_ = false;
  std::atomic<bool> failing_ = false;

  sqlite::Database database_;  // the writer thread's alone, once it runs
  std::unique_ptr<Writer> writer_;

  std::mutex readers_mutex_;  // guards readers_
  std::vector<std::unique_ptr<sqlite::Database>> readers_;

  std::thread thread_;
};

}  // namespace runyard
