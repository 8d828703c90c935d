#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/queue/scheduler.h"

namespace runyard {

/// A request in steps: `Ask(3).slots(2).in("train")` is `job_3`, third in number and in time.
struct Ask : Scheduler::Request {
  explicit Ask(int n) {
    job_id = "job_" + std::to_string(n);
    number = n;
    queued_at = n;
  }
  Ask& with_priority(int value) { return priority = value, *this; }
  Ask& with_slots(int value) { return slots = value, *this; }
  Ask& with_gpus(int value) { return gpus = value, *this; }
  Ask& run_elsewhere() { return elsewhere = true, *this; }
  Ask& in(std::string value) { return group = std::move(value), *this; }
  Ask& after_job(int n) { return after.push_back("job_" + std::to_string(n)), *this; }
  Ask& no_earlier(TimeMs time) { return not_before = time, *this; }
  Ask& at(TimeMs time) { return queued_at = time, *this; }
};

inline std::vector<std::string> ids(const std::vector<Scheduler::Start>& starts) {
  std::vector<std::string> result;
  for (const auto& start : starts) result.push_back(start.job_id);
  return result;
}

using Ids = std::vector<std::string>;

}  // namespace runyard
