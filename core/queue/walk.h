#pragma once

// Private to core/queue.

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "core/queue/scheduler.h"

namespace runyard {

/// One pass over the ready jobs, best first, by the rules in the class comment of Scheduler. Lives
/// for one call. next() gives a job that may start; the caller starts it and asks again, or stops.
/// What the pass has closed is then the reason why other jobs wait.
class Scheduler::Walk {
 public:
  /// Looks at the jobs of this machine, or at those that run elsewhere.
  Walk(const Scheduler& scheduler, bool elsewhere) : scheduler_(scheduler), elsewhere_(elsewhere) {
    lanes_.reserve(2 * scheduler.limited_.size() + 2);
    add_lanes(nullptr, scheduler.unlimited_);
    for (const Group* group : scheduler.limited_) add_lanes(group, group->lanes);
    heap_.reserve(lanes_.size());
    for (std::size_t i = 0; i < lanes_.size(); ++i) push(i);
  }

  /// The next job that may start, or null. A job given before must have been started.
  const Job* next() {
    if (given_ != kNone) push(std::exchange(given_, kNone));
    stop_ = nullptr;
    while (!heap_.empty()) {
      const auto [job, index] = heap_.front();
      Lane& lane = lanes_[index];
      if (is_closed(lane)) {
        pop();
        continue;
      }
      switch (scheduler_.lack(*job, kept_)) {
        case Lack::kNothing:
          pop();
          given_ = index;
          stop_ = job;
          return job;
        case Lack::kGroupSlots:
          lanes_[index & ~std::size_t{1}].closed_by = job;
          break;
        case Lack::kSlots:
          heap_.clear();
          stop_ = job;
          return nullptr;
        case Lack::kGpus:
          kept_ = job;
          break;
      }
    }
    return nullptr;
  }

  /// The job for which the group is closed to those after it, or null.
  const Job* closed_by(const Group& group) const {
    for (std::size_t i = 0; i < lanes_.size(); i += 2) {
      if (lanes_[i].group == &group) return lanes_[i].closed_by;
    }
    return nullptr;
  }
  /// The job that waits for GPUs and whose slots are kept, or null.
  const Job* kept() const { return kept_; }
  /// The job at which the pass stopped, so that all after it in open lanes wait: it lacks slots, or
  /// it is the one that next() gave last; null when there is none.
  const Job* stop() const { return stop_; }

  /// How many jobs of the lanes that `select(group, wants_gpus)` takes are before `job`, up to
  /// `limit`. The group is null for all groups without a limit together.
  template <class Select>
  std::size_t count_before(const Job& job, std::size_t limit, Select select) const {
    std::size_t count = 0;
    for (const Lane& lane : lanes_) {
      if (!select(lane.group, lane.gpu)) continue;
      for (const Job& other : *lane.order) {
        if (count == limit || !ByRank()(other, job)) break;
        ++count;
      }
    }
    return count;
  }

  /// The best `limit` ready jobs in their order.
  std::vector<const Job*> first(std::size_t limit) const {
    std::vector<const Job*> jobs;
    for (const Lane& lane : lanes_) {
      std::size_t count = 0;
      for (const Job& job : *lane.order) {
        if (count++ == limit) break;
        jobs.push_back(&job);
      }
    }
    std::sort(jobs.begin(), jobs.end(),
              [](const Job* a, const Job* b) { return ByRank()(*a, *b); });
    if (jobs.size() > limit) jobs.resize(limit);
    return jobs;
  }

 private:
  struct Lane {
    const Order* order;
    const Group* group;  ///< null: the groups without a limit
    bool gpu;
    const Job* closed_by = nullptr;  ///< of the even one of a group's two lanes: for both
  };
  struct Head {
    const Job* job;
    std::size_t lane;
  };
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  void add_lanes(const Group* group, const Lanes& lanes) {
    lanes_.push_back({elsewhere_ ? &lanes.elsewhere : &lanes.cpu, group, false});
    lanes_.push_back({elsewhere_ ? &kNoJobs : &lanes.gpu, group, true});
  }
  bool is_closed(const Lane& lane) const {
    const auto index = static_cast<std::size_t>(&lane - lanes_.data());
    return lanes_[index & ~std::size_t{1}].closed_by || (lane.gpu && kept_);
  }
  static bool is_after(const Head& a, const Head& b) { return ByRank()(*b.job, *a.job); }
  void push(std::size_t lane) {
    if (lanes_[lane].order->empty()) return;
    heap_.push_back({&*lanes_[lane].order->begin(), lane});
    std::push_heap(heap_.begin(), heap_.end(), is_after);
  }
  void pop() {
    std::pop_heap(heap_.begin(), heap_.end(), is_after);
    heap_.pop_back();
  }

  static inline const Order kNoJobs;

  const Scheduler& scheduler_;
  const bool elsewhere_;
  std::vector<Lane> lanes_;  // two for each group
  std::vector<Head> heap_;   // the heads of the lanes that are not yet closed
  std::size_t given_ = kNone;
  const Job* stop_ = nullptr;
  const Job* kept_ = nullptr;
};

}  // namespace runyard
