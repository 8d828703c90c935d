#pragma once

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/clock.h"
#include "core/base/result.h"

namespace runyard {

/// Decides which queued jobs start, on which GPUs, and says why the others wait.
///
/// Owned and called by the engine thread alone. Pure: events and a clock value come in, decisions
/// go out; no clock of its own, no I/O. It knows the jobs that are queued or running; one that has
/// ended is forgotten, so nothing here grows with the history.
///
/// The rules:
///  * Order. Effective priority = priority + time waited / `ageing`; the higher is before the
///  lower,
///    and among equals the lower number. All jobs age at the same rate, so the order of two jobs
///    never changes while they wait and is kept as a static rank: queued_at - priority * ageing.
///  * decide() looks at the ready jobs in this order and starts each that fits. One that does not
///    fit is not simply passed over:
///     1. Its group is full: the group is closed to all jobs after it; other groups go on.
///     2. The server's slots do not suffice: everything after it waits.
///     3. Only GPUs are missing: jobs after it that want GPUs wait. It keeps its slots, of the
///        server and of its group: jobs without GPUs go on with what is left beside them.
///  * So nothing starves. Let J be the first ready job. While its group is full, no other job of
///  the
///    group starts; the running ones end, and there is room. From then on it lacks slots (nothing
///    else starts), or GPUs (no GPU is given away, and neither are its slots): each only gets
///    nearer until J starts. With ageing every job becomes the first: only jobs with a better rank
///    are before it, and those are finitely many, for a job that comes much later has a worse one.
///  * A GPU is given to at most `jobs_per_gpu` jobs, a job gets different ones, the least used
///  first.
///  * Jobs that run elsewhere (on a cluster, which has an order and GPUs of its own) hold no slots
///  of
///    this server and want none of its GPUs. They are looked at apart, with `elsewhere_slots` as
///    their bound; of the limits above they share those of the groups.
///  * A job is ready when all jobs it is `after` have succeeded, its `not_before` has come, and it
///    is within the limits. (One accepted under wider limits waits until they allow it, and blocks
///    nobody.)
///
/// Costs: decide() is O((started + groups with a limit) * log n), any other event O(log n) plus the
/// dependencies it touches, also with a million queued jobs.
class Scheduler {
 public:
  struct Limits {
    int slots = 1;
    int elsewhere_slots = 0;  ///< of all jobs that run elsewhere together; 0: none may
    std::map<std::string, int> group_slots = {};  ///< a group that is not named here has no limit
    std::vector<int> gpu_ids = {};                ///< different ones, in the order of preference
    int jobs_per_gpu = 1;
    std::size_t max_queued = 0;      ///< 0: none
    TimeMs ageing = 10 * 60 * 1000;  ///< waiting this long is worth 1 priority; 0: no ageing
  };

  /// What the scheduler knows of a job.
  struct Request {
    std::string job_id;
    std::int64_t number = 0;  ///< order of submission; different for every job
    int priority = 0;
    std::string group;
    int slots = 1;
    int gpus = 0;                    ///< 0 for a job that runs elsewhere
    bool elsewhere = false;          ///< not on this machine
    std::vector<std::string> after;  ///< jobs still queued or running that must succeed first
    std::optional<TimeMs> not_before;
    TimeMs queued_at = 0;
  };

  struct Start {
    std::string job_id;
    std::vector<int> gpu_ids;
    bool operator==(const Start&) const = default;
  };

  /// A queued job that can never run because `dependency`, which it is `after`, did not succeed.
  struct Dropped {
    std::string job_id, dependency;
    bool operator==(const Dropped&) const = default;
  };

  enum class Mode {
    kOpen,
    kPaused,    ///< accepts jobs, starts none
    kDraining,  ///< neither accepts nor starts jobs; what runs goes on
  };

  /// The group in which the jobs of a singleton type run one after the other. No submitter can
  /// name it: it begins with a control character. A Snapshot does not show it.
  static std::string group_of_singleton(std::string_view job_type);

  static constexpr int kMaxPriority = 1'000'000;  ///< and -kMaxPriority the lowest

  explicit Scheduler(Limits limits);
  Scheduler(const Scheduler&) = delete;  // jobs and groups point to each other
  Scheduler& operator=(const Scheduler&) = delete;

  /// May `count` such jobs be submitted now? kInvalid with a field error below `/_job` when one
  /// could never run within the limits, kBusy when the queue is full, kUnavailable when draining.
  Result<> check(const Request& request, std::size_t count = 1) const;

  /// Puts a job into the queue; whoever accepts new jobs asks check() first (a recovered job is
  /// taken whatever the limits are now). `after` names jobs that are here: the caller leaves out
  /// those that have succeeded, and does not queue a job whose dependency has failed. As a job can
  /// only be after earlier ones, there are no cycles. kInvalid when a dependency is not here or is
  /// the job itself, kConflict when the job is here already; no change then.
  /// At recovery: restore_running() for all that run, then enqueue() in the order of `number`.
  Result<> enqueue(Request request);

  /// Takes over a job that is found running: it holds its slots and the GPUs it was given, even
  /// above the limits. `after` and `not_before` are of no meaning. kConflict when it is here
  /// already.
  Result<> restore_running(Request request, std::vector<int> gpu_ids);

  /// The job has ended: succeeded, failed for good, or cancelled, while running or while queued. It
  /// is forgotten, and what it held is free. Without success all queued jobs that depend on it,
  /// directly or not, are forgotten too, and returned, each after its dependency. An unknown job
  /// changes nothing.
  std::vector<Dropped> ended(std::string_view job_id, bool success);

  /// A running job will be tried again: it goes back into the queue in its old place, gives up what
  /// it held, and starts no earlier than `not_before`. Jobs after it go on waiting. False when it
  /// is not running.
  bool requeue(std::string_view job_id, std::optional<TimeMs> not_before);

  /// Of a running job it counts when the job is tried again. False when the job is not here.
  bool set_priority(std::string_view job_id, int priority);
  /// Changes or (nullopt) removes the limit of a group. O(queued jobs of all groups).
  void set_group_slots(const std::string& group, std::optional<int> slots);
  void set_mode(Mode mode) { mode_ = mode; }
  Mode mode() const { return mode_; }

  /// The jobs that start now, best first; they count as running from here on. Call it after each
  /// batch of events and at next_wakeup().
  std::vector<Start> decide(TimeMs now);

  /// When decide() may have something to do without any event: the earliest `not_before`; nullopt
  /// when there is none or the mode starts no jobs.
  std::optional<TimeMs> next_wakeup() const;

  /// Why a queued job waits, in words: "2 slots: 1 of 4 free", "3 jobs before it", "paused", ... ""
  /// when it does not: unknown, running, or about to start in the next decide(). Counts up to 100
  /// jobs before it, so the cost is bounded.
  std::string waiting_for(std::string_view job_id, TimeMs now) const;

  struct Snapshot {
    struct Gpu {
      int id, jobs;
    };
    struct Group {
      std::string name;
      std::optional<int> slots;  ///< its limit
      int used;
      std::size_t jobs;  ///< queued and running
    };
    struct Running {
      std::string job_id, group;
      int slots;
      std::vector<int> gpu_ids;
    };
    struct Waiting {
      std::string job_id, group, waiting_for;
    };
    Mode mode = Mode::kOpen;
    int slots = 0, used = 0;
    int elsewhere_slots = 0, elsewhere_used = 0;
    int jobs_per_gpu = 1;
    std::vector<Gpu> gpus;
    std::vector<Group> groups;     ///< those with a limit or with jobs, by name
    std::vector<Running> running;  ///< in the order of the rank
    std::vector<Waiting> waiting;  ///< the first ones: ready, then retries by time, then the others
    std::size_t queued = 0;        ///< all of them
  };
  /// The state for an administrator, with at most `limit` waiting jobs.
  Snapshot snapshot(TimeMs now, std::size_t limit = 100) const;

 private:
  // Invariants:
  //  * Every job is in exactly one Order, the one that `State` names.
  //  * used_, Group::used and Gpu::jobs are what the jobs in running_ hold.
  //  * The edges of a job link it to the jobs it still waits for; both ends forget each other when
  //    either goes.
  struct Job;

  struct Edge : boost::intrusive::list_base_hook<
                    boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
    Job* dependant = nullptr;
    const Job* dependency = nullptr;
  };
  using Dependants = boost::intrusive::list<Edge, boost::intrusive::constant_time_size<false>>;

  enum class State {
    kAside,    ///< waits for other jobs, or for limits that allow it
    kDelayed,  ///< its not_before has not come
    kReady,
    kRunning,
  };

  struct Group;

  struct Job : boost::intrusive::set_base_hook<boost::intrusive::optimize_size<true>> {
    std::string_view id;  ///< its key in jobs_
    Group* group = nullptr;
    std::int64_t number = 0;
    std::int64_t rank = 0;  ///< the lower one is first
    TimeMs queued_at = 0;
    std::optional<TimeMs> not_before;
    int slots = 1;
    int gpus = 0;
    bool elsewhere = false;
    State state = State::kAside;
    std::vector<int> gpu_ids;  ///< while running
    std::vector<Edge> edges;   ///< never resized: edges are linked in place
    std::size_t pending = 0;   ///< how many of them are linked
    Dependants dependants;
  };

  struct ByRank {
    bool operator()(const Job& a, const Job& b) const {
      return a.rank != b.rank ? a.rank < b.rank : a.number < b.number;
    }
  };
  struct ByTime {
    bool operator()(const Job& a, const Job& b) const {
      return a.not_before != b.not_before ? a.not_before < b.not_before : ByRank()(a, b);
    }
  };
  using Order = boost::intrusive::multiset<Job, boost::intrusive::compare<ByRank>>;
  using Timeline = boost::intrusive::multiset<Job, boost::intrusive::compare<ByTime>>;

  /// Ready jobs of a group, those that want GPUs apart. As groups without a limit close for nobody,
  /// their jobs are all in one Lanes: decide() looks at the heads of few lanes, however many jobs
  /// and groups there are.
  struct Lanes {
    Order cpu, gpu, elsewhere;
  };

  struct Group {
    std::string_view name;  ///< its key in groups_
    std::optional<int> slots;
    int used = 0;
    std::size_t jobs = 0;  ///< queued and running
    Lanes lanes;           ///< with a limit; else unlimited_ is used
  };

  /// One pass over the ready jobs, by the rules above; next() after each start, until it gives
  /// none.
  class Walk;

  /// What a ready job lacks, checked in the order of the rules.
  enum class Lack { kNothing, kGroupSlots, kSlots, kGpus };

  Job* find(std::string_view job_id);
  const Job* find(std::string_view job_id) const;
  Job& add(Request&& request);
  void forget(Job& job);
  Group& group(std::string_view name);
  void drop_if_idle(Group& group);
  Order& lane(const Job& job);
  void place(Job& job);   ///< where it belongs; it must be in no Order
  void unlink(Job& job);  ///< out of its Order
  void set_rank(Job& job, int priority) const;
  void run(Job& job, std::vector<int> gpu_ids);
  void release(Job& job);
  std::vector<int> pick_gpus(int count) const;
  int usable_gpus() const;
  std::size_t queued() const { return jobs_.size() - running_.size(); }
  /// `kept`: the job whose slots are kept while it waits for GPUs, or null. (That later jobs get
  /// no GPUs then is a matter of Walk.)
  Lack lack(const Job& job, const Job* kept) const;

  /// What of a request is above the limits, so that it can never run.
  struct Excess {
    const char* field;
    std::string words;
  };
  /// `group` may be null: one that is not known has no limit.
  std::optional<Excess> excess(int slots, int gpus, bool elsewhere, const Group* group) const;
  std::string explain(const Job& job, const Walk& walk, TimeMs now) const;
  std::string explain_ready(const Job& job, const Walk& walk) const;

  struct StringHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };

  Limits limits_;  // without group_slots and gpu_ids: they live on in groups_ and gpus_
  Mode mode_ = Mode::kOpen;
  int used_ = 0, elsewhere_used_ = 0;
  std::vector<Snapshot::Gpu> gpus_;
  std::unordered_map<std::string, Job, StringHash, std::equal_to<>> jobs_;
  // After jobs_, so that they let go of the jobs before these are destroyed.
  std::map<std::string, Group, std::less<>> groups_;
  std::vector<Group*> limited_;  // those of groups_ with a limit
  Lanes unlimited_;
  Timeline delayed_;
  Order aside_, running_;
};

}  // namespace runyard
