// Random events against the scheduler, with a naive implementation of its rules beside it. After
// each event the decisions of both are equal, and the promises of the class hold, checked from a
// ledger that knows nothing of how the scheduler works.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "core/queue/scheduler.h"

namespace runyard {
namespace {

using Limits = Scheduler::Limits;
using Request = Scheduler::Request;
using Start = Scheduler::Start;

enum class Phase { kQueued, kRunning, kSucceeded, kGone };

struct Entry {
  Request request;
  Phase phase = Phase::kQueued;
  std::vector<int> gpu_ids;
};

/// What is true of all jobs ever submitted, in order of their number.
struct Ledger {
  Limits limits;
  std::map<std::int64_t, Entry> jobs;
  std::map<std::string, std::int64_t> numbers;

  Entry& at(const std::string& id) { return jobs.at(numbers.at(id)); }
  const Entry& at(const std::string& id) const { return jobs.at(numbers.at(id)); }

  int used() const {
    int sum = 0;
    for (const auto& [n, e] : jobs) sum += e.phase == Phase::kRunning ? e.request.slots : 0;
    return sum;
  }
  int used(const std::string& group) const {
    int sum = 0;
    for (const auto& [n, e] : jobs) {
      if (e.phase == Phase::kRunning && e.request.group == group) sum += e.request.slots;
    }
    return sum;
  }
  int load(int gpu) const {
    int sum = 0;
    for (const auto& [n, e] : jobs) {
      sum += static_cast<int>(std::count(e.gpu_ids.begin(), e.gpu_ids.end(), gpu));
    }
    return sum;
  }
  int usable_gpus() const {
    int count = 0;
    for (int id : limits.gpu_ids) count += load(id) < limits.jobs_per_gpu;
    return count;
  }
  int group_limit(const std::string& group) const {
    const auto it = limits.group_slots.find(group);
    return it == limits.group_slots.end() ? 1'000'000 : it->second;
  }
  bool is_possible(const Request& r) const {
    return r.slots <= limits.slots && r.slots <= group_limit(r.group) &&
           r.gpus <= static_cast<int>(limits.gpu_ids.size());
  }
  bool is_ready(const Entry& e, TimeMs now) const {
    return e.phase == Phase::kQueued && is_possible(e.request) &&
           e.request.not_before.value_or(now) <= now &&
           std::ranges::all_of(e.request.after, [this](const std::string& id) {
             return at(id).phase == Phase::kSucceeded;
           });
  }
  /// Effective priority, in units of 1 / ageing; by its definition, not by a static rank.
  bool is_before(const Request& a, const Request& b, TimeMs now) const {
    const auto effective = [&](const Request& r) {
      return limits.ageing == 0 ? r.priority : r.priority * limits.ageing + (now - r.queued_at);
    };
    const std::int64_t x = effective(a), y = effective(b);
    return x != y ? x > y : a.number < b.number;
  }
  std::vector<const Entry*> ready(TimeMs now) const {
    std::vector<const Entry*> result;
    for (const auto& [n, e] : jobs) {
      if (is_ready(e, now)) result.push_back(&e);
    }
    std::ranges::sort(result, [&](const Entry* a, const Entry* b) {
      return is_before(a->request, b->request, now);
    });
    return result;
  }

  /// The rules of the class comment, word by word.
  std::vector<Start> decide(TimeMs now) {
    std::vector<Start> starts;
    std::set<std::string> closed;
    const Request* kept = nullptr;
    for (const Entry* candidate : ready(now)) {
      const Request& r = candidate->request;
      if (closed.contains(r.group) || (kept && r.gpus > 0)) continue;
      const int kept_slots = kept ? kept->slots : 0;
      const int kept_group = kept && kept->group == r.group ? kept->slots : 0;
      if (used(r.group) + kept_group + r.slots > group_limit(r.group)) {
        closed.insert(r.group);
      } else if (used() + kept_slots + r.slots > limits.slots) {
        break;
      } else if (r.gpus > usable_gpus()) {
        kept = &r;
      } else {
        Entry& entry = at(r.job_id);
        while (static_cast<int>(entry.gpu_ids.size()) < r.gpus) {
          int best = -1;
          for (int id : limits.gpu_ids) {
            if (std::ranges::count(entry.gpu_ids, id)) continue;
            if (best < 0 || load(id) < load(best)) best = id;
          }
          entry.gpu_ids.push_back(best);
        }
        entry.phase = Phase::kRunning;
        starts.push_back({r.job_id, entry.gpu_ids});
      }
    }
    return starts;
  }

  /// The jobs that end with `id` when it fails, without it.
  std::set<std::string> dependants(const std::string& id) const {
    std::set<std::string> result;
    bool grew = true;
    while (grew) {
      grew = false;
      for (const auto& [n, e] : jobs) {
        if (e.phase != Phase::kQueued) continue;
        for (const std::string& before : e.request.after) {
          if (before == id || result.contains(before)) {
            grew |= result.insert(e.request.job_id).second;
          }
        }
      }
    }
    return result;
  }
};

class Simulation {
 public:
  explicit Simulation(unsigned seed) : random_(seed) {
    Limits& limits = ledger_.limits;
    limits.slots = pick(1, 8);
    for (const char* group : {"", "a", "b"}) {
      if (pick(0, 2) == 0) limits.group_slots[group] = pick(0, 4);
    }
    for (int i = pick(0, 4); i > 0; --i) limits.gpu_ids.push_back(10 - i);
    limits.jobs_per_gpu = pick(1, 2);
    limits.ageing = std::array<TimeMs, 4>{0, 1, 50, 100'000}[static_cast<std::size_t>(pick(0, 3))];
    scheduler_ = std::make_unique<Scheduler>(limits);
  }

  void play(int events) {
    for (int i = 0; i < events && !testing::Test::HasFatalFailure(); ++i) {
      event();
      decide();
    }
    finish();
  }

 private:
  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }

  std::vector<std::string> in(Phase phase) const {
    std::vector<std::string> result;
    for (const auto& [n, e] : ledger_.jobs) {
      if (e.phase == phase) result.push_back(e.request.job_id);
    }
    return result;
  }
  std::optional<std::string> any(Phase phase) {
    const auto all = in(phase);
    if (all.empty()) return std::nullopt;
    return all[static_cast<std::size_t>(pick(0, static_cast<int>(all.size()) - 1))];
  }

  void event() {
    now_ += pick(0, 3) * pick(0, 20);
    const int kind = pick(0, 99);
    if (kind < 45) return submit();
    if (kind < 75) return end(any(Phase::kRunning), pick(0, 3) > 0);
    if (kind < 80) return retry(any(Phase::kRunning));
    if (kind < 84) return end(any(Phase::kQueued), false);
    if (kind < 90) return reprioritize(any(pick(0, 1) ? Phase::kQueued : Phase::kRunning));
    if (kind < 94) {
      scheduler_->set_mode(static_cast<Scheduler::Mode>(pick(0, 2)));
    } else if (kind < 97) {
      const std::string group(std::array{"", "a", "b"}[static_cast<std::size_t>(pick(0, 2))]);
      const int slots = pick(-1, 4);
      ledger_.limits.group_slots.erase(group);
      if (slots >= 0) ledger_.limits.group_slots[group] = slots;
      scheduler_->set_group_slots(group, slots >= 0 ? std::optional(slots) : std::nullopt);
    } else {
      recover();
    }
  }

  void submit() {
    Request r;
    r.number = static_cast<std::int64_t>(ledger_.jobs.size());
    r.job_id = "job_" + std::to_string(r.number);
    r.priority = pick(0, 3) ? 0 : pick(-3, 3);
    r.group = std::array{"", "a", "b", "c"}[static_cast<std::size_t>(pick(0, 3))];
    r.slots = pick(0, 3) ? 1 : pick(1, 6);
    r.gpus = pick(0, 2) ? 0 : pick(1, 3);
    if (pick(0, 9) == 0) r.not_before = now_ + pick(0, 100);
    r.queued_at = now_;
    for (int i = pick(0, 3) ? 0 : pick(1, 3); i > 0; --i) {
      const auto id = any(pick(0, 1) ? Phase::kQueued : Phase::kRunning);
      if (id && !std::ranges::count(r.after, *id)) r.after.push_back(*id);
    }
    ledger_.numbers[r.job_id] = r.number;
    ledger_.jobs[r.number].request = r;
    ASSERT_TRUE(scheduler_->enqueue(r));
  }

  void end(const std::optional<std::string>& id, bool success) {
    if (!id) return;
    const auto gone = success ? std::set<std::string>{} : ledger_.dependants(*id);
    std::set<std::string> dropped;
    for (const auto& each : scheduler_->ended(*id, success)) {
      EXPECT_TRUE(dropped.insert(each.job_id).second) << "twice";
      EXPECT_TRUE(std::ranges::count(ledger_.at(each.job_id).request.after, each.dependency));
      EXPECT_TRUE(each.dependency == *id || dropped.contains(each.dependency)) << "wrong order";
    }
    ASSERT_EQ(dropped, gone);
    ledger_.at(*id).phase = success ? Phase::kSucceeded : Phase::kGone;
    ledger_.at(*id).gpu_ids.clear();
    for (const std::string& each : gone) ledger_.at(each).phase = Phase::kGone;
  }

  void retry(const std::optional<std::string>& id) {
    if (!id) return;
    Entry& entry = ledger_.at(*id);
    entry.phase = Phase::kQueued;
    entry.gpu_ids.clear();
    entry.request.not_before = now_ + pick(0, 100);
    ASSERT_TRUE(scheduler_->requeue(*id, entry.request.not_before));
  }

  void reprioritize(const std::optional<std::string>& id) {
    if (!id) return;
    ledger_.at(*id).request.priority = pick(-3, 3);
    ASSERT_TRUE(scheduler_->set_priority(*id, ledger_.at(*id).request.priority));
  }

  /// A restart of the server: a new scheduler from what is known.
  void recover() {
    const auto mode = scheduler_->mode();
    scheduler_ = std::make_unique<Scheduler>(ledger_.limits);
    scheduler_->set_mode(mode);
    for (const std::string& id : in(Phase::kRunning)) {
      ASSERT_TRUE(scheduler_->restore_running(ledger_.at(id).request, ledger_.at(id).gpu_ids));
    }
    for (const std::string& id : in(Phase::kQueued)) {
      Request r = ledger_.at(id).request;
      std::erase_if(r.after, [this](const std::string& before) {
        return ledger_.at(before).phase == Phase::kSucceeded;
      });
      ASSERT_TRUE(scheduler_->enqueue(r));
    }
  }

  void decide() {
    const bool open = scheduler_->mode() == Scheduler::Mode::kOpen;
    const Ledger before = ledger_;
    const auto ready = before.ready(now_);
    const auto starts = scheduler_->decide(now_);
    ASSERT_EQ(starts, open ? ledger_.decide(now_) : std::vector<Start>{});
    starts_ += starts.size();
    check_starts(before, starts);
    if (open) check_order(starts);
    check_words(open);
    check_snapshot();
    check_wakeup(open);
    if (open && in(Phase::kRunning).empty()) {
      ASSERT_TRUE(ready.empty()) << "idle, though a job is ready";
    }
  }

  /// No overcommit, no start too early.
  void check_starts(const Ledger& before, const std::vector<Start>& starts) {
    for (const Start& start : starts) {
      const Request& r = before.at(start.job_id).request;
      ASSERT_TRUE(before.is_ready(before.at(start.job_id), now_)) << start.job_id;
      ASSERT_LE(ledger_.used(), ledger_.limits.slots);
      ASSERT_LE(ledger_.used(r.group), ledger_.group_limit(r.group));
      const std::set<int> gpus(start.gpu_ids.begin(), start.gpu_ids.end());
      ASSERT_EQ(static_cast<int>(gpus.size()), r.gpus);
      for (int id : gpus) {
        ASSERT_TRUE(std::ranges::count(ledger_.limits.gpu_ids, id));
        ASSERT_LE(ledger_.load(id), ledger_.limits.jobs_per_gpu);
      }
    }
  }

  /// Priorities are respected: a better job that asks for no more is not left behind, and a job
  /// that fits is left only for the sake of a better one that does not.
  void check_order(const std::vector<Start>& starts) {
    const auto fits = [this](const Request& r) {
      return ledger_.used() + r.slots <= ledger_.limits.slots &&
             ledger_.used(r.group) + r.slots <= ledger_.group_limit(r.group) &&
             r.gpus <= ledger_.usable_gpus();
    };
    const auto is_limited = [this](const Request& r) {
      return ledger_.limits.group_slots.contains(r.group);
    };
    bool blocked = false;
    for (const Entry* entry : ledger_.ready(now_)) {
      const Request& left = entry->request;
      blocked = blocked || !fits(left);
      ASSERT_TRUE(blocked) << left.job_id << " fits and was left";
      for (const Start& start : starts) {
        const Request& r = ledger_.at(start.job_id).request;
        const bool same_pool = r.group == left.group || (!is_limited(r) && !is_limited(left));
        ASSERT_FALSE(same_pool && left.slots <= r.slots && left.gpus <= r.gpus &&
                     ledger_.is_before(left, r, now_))
            << r.job_id << " was started before " << left.job_id;
      }
    }
  }

  void check_words(bool open) {
    for (const auto& [n, e] : ledger_.jobs) {
      const std::string words = scheduler_->waiting_for(e.request.job_id, now_);
      ASSERT_EQ(words.empty(), e.phase != Phase::kQueued) << e.request.job_id << ": " << words;
      const bool paused = words == "paused" || words == "draining";
      ASSERT_FALSE(open && paused);
    }
  }

  void check_snapshot() {
    const auto snapshot = scheduler_->snapshot(now_, 100'000);
    ASSERT_EQ(snapshot.used, ledger_.used());
    ASSERT_EQ(snapshot.running.size(), in(Phase::kRunning).size());
    ASSERT_EQ(snapshot.queued, in(Phase::kQueued).size());
    ASSERT_EQ(snapshot.waiting.size(), snapshot.queued);
    for (const auto& gpu : snapshot.gpus) ASSERT_EQ(gpu.jobs, ledger_.load(gpu.id));
    for (const auto& group : snapshot.groups) ASSERT_EQ(group.used, ledger_.used(group.name));
  }

  void check_wakeup(bool open) {
    std::optional<TimeMs> next;
    for (const auto& [n, e] : ledger_.jobs) {
      Entry later = e;
      later.request.not_before.reset();
      if (!open || !e.request.not_before || *e.request.not_before <= now_) continue;
      if (!ledger_.is_ready(later, now_)) continue;
      if (!next || *e.request.not_before < *next) next = e.request.not_before;
    }
    ASSERT_EQ(scheduler_->next_wakeup(), next);
  }

  /// Nothing more comes: every job that is possible runs in the end.
  void finish() {
    scheduler_->set_mode(Scheduler::Mode::kOpen);
    now_ += 1000;
    decide();
    for (auto id = any(Phase::kRunning); id; id = any(Phase::kRunning)) {
      if (testing::Test::HasFatalFailure()) return;
      end(id, true);
      decide();
    }
    // What is left is above the limits or after such a job.
    for (const std::string& id : in(Phase::kQueued)) {
      const Request& r = ledger_.at(id).request;
      const bool waits = std::ranges::any_of(r.after, [this](const std::string& before) {
        return ledger_.at(before).phase == Phase::kQueued;
      });
      ASSERT_TRUE(waits || !ledger_.is_possible(r)) << id << " starved";
    }
    ASSERT_GT(starts_, 0u) << "this run has tested nothing";
  }

  std::mt19937 random_;
  Ledger ledger_;
  std::unique_ptr<Scheduler> scheduler_;
  TimeMs now_ = 1'000'000;
  std::size_t starts_ = 0;
};

TEST(SchedulerProperty, RandomEventsKeepEveryPromise) {
  for (unsigned seed = 1; seed <= 300 && !testing::Test::HasFatalFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Simulation(seed).play(120);
  }
}

}  // namespace
}  // namespace runyard
