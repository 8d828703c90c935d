// Simulates a server's life with a million jobs: how many decisions a second does the scheduler
// make?
//
//   scheduler_sim [jobs]        default 1000000
//
// The clock is simulated, so what is measured is the scheduler alone. "decision": one job that is
// chosen and started. Ends with 1 when a job has not run.

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <queue>
#include <random>
#include <string>
#include <vector>

#include "core/queue/scheduler.h"

namespace {

using runyard::Scheduler;
using runyard::TimeMs;

struct Workload {
  const char* name;
  const char* what;
  Scheduler::Limits limits;
  bool mixed;       // groups, GPUs, sizes, priorities, dependencies
  bool all_queued;  // all jobs wait from the start; else they come as fast as they can run
};

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

std::vector<Scheduler::Request> make_jobs(const Workload& workload, std::size_t count) {
  std::mt19937 random(7);
  const auto one_in = [&random](unsigned n) { return random() % n == 0; };
  std::vector<Scheduler::Request> jobs(count);
  for (std::size_t i = 0; i < count; ++i) {
    Scheduler::Request& job = jobs[i];
    job.job_id = fmt::format("job_20260101_000000__{:08x}", i);
    job.number = static_cast<std::int64_t>(i);
    job.queued_at = static_cast<TimeMs>(i) / 2;
    if (!workload.mixed) continue;
    job.priority = static_cast<int>(random() % 10);
    const char* const groups[] = {"", "train", "eval", "backtest", "index"};
    job.group = groups[random() % 5];
    if (one_in(10)) job.slots = 1 + static_cast<int>(random() % 8);
    if (one_in(5)) job.gpus = 1 + static_cast<int>(random() % 3);
    if (i > 100 && one_in(5)) job.after = {jobs[i - 1 - random() % 100].job_id};
  }
  return jobs;
}

bool simulate(const Workload& workload, std::size_t count) {
  std::vector<Scheduler::Request> jobs = make_jobs(workload, count);
  Scheduler scheduler(workload.limits);
  std::mt19937 random(11);
  using End = std::pair<TimeMs, std::string>;
  std::priority_queue<End, std::vector<End>, std::greater<>> ends;
  double enqueueing = 0, deciding = 0, ending = 0;
  std::size_t next = 0, started = 0, ended = 0, calls = 0, peak = 0;
  std::vector<char> is_over(count, 0);
  const auto index_of = [](const std::string& id) {
    std::size_t index = 0;
    std::from_chars(id.data() + id.size() - 8, id.data() + id.size(), index, 16);
    return index;
  };

  TimeMs now = 0;
  while (ended < count) {
    const std::size_t wanted = workload.all_queued ? count : std::min(count, ended + 1000);
    if (next < wanted) {
      const Stopwatch watch;
      for (; next < wanted; ++next) {
        Scheduler::Request& job = jobs[next];
        std::erase_if(job.after, [&](const std::string& id) { return is_over[index_of(id)]; });
        if (!scheduler.enqueue(std::move(job))) return false;
      }
      enqueueing += watch.seconds();
      peak = std::max(peak, next - started);
    }
    std::vector<Scheduler::Start> starts;
    {
      const Stopwatch watch;
      starts = scheduler.decide(now);
      deciding += watch.seconds();
    }
    ++calls;
    started += starts.size();
    for (Scheduler::Start& start : starts) {
      ends.emplace(now + 1 + static_cast<TimeMs>(random() % 1000), std::move(start.job_id));
    }
    if (ends.empty()) return false;  // stuck
    now = ends.top().first;
    const std::string id = ends.top().second;
    ends.pop();
    is_over[index_of(id)] = 1;
    const Stopwatch watch;
    scheduler.ended(id, true);
    ending += watch.seconds();
    ++ended;
  }
  fmt::print("{}: {}\n", workload.name, workload.what);
  fmt::print("  {} jobs, at most {} queued at once, {} decide() calls\n", count, peak, calls);
  fmt::print("  enqueue {:.2f} s, decide {:.2f} s, end {:.2f} s\n", enqueueing, deciding, ending);
  const auto rate = [count](double seconds) { return static_cast<double>(count) / seconds; };
  fmt::print("  {:.0f} decisions/s; {:.0f} jobs/s in all (enqueue, decide, end)\n", rate(deciding),
             rate(enqueueing + deciding + ending));
  return started == count && scheduler.snapshot(now).queued == 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t count = 1'000'000;
  if (argc > 1) count = std::strtoull(argv[1], nullptr, 10);
  const Scheduler::Limits plain{.slots = 64};
  const Scheduler::Limits rich{
      .slots = 64,
      .group_slots = {{"train", 24}, {"eval", 16}, {"backtest", 16}, {"index", 8}},
      .gpu_ids = {0, 1, 2, 3, 4, 5, 6, 7},
      .jobs_per_gpu = 2,
      .ageing = 60'000};
  const Workload workloads[] = {
      {"plain", "equal jobs, all queued at the start", plain, false, true},
      {"mixed", "priorities, groups, GPUs, sizes, dependencies, all queued at the start", rich,
       true, true},
      {"steady", "the same mix, 1000 jobs in the house at any time", rich, true, false},
  };
  for (const Workload& workload : workloads) {
    if (!simulate(workload, count)) {
      fmt::print(stderr, "{}: not every job has run.\n", workload.name);
      return 1;
    }
  }
  return 0;
}
