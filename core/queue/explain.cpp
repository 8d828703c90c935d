// What the scheduler says to people: refusals, reasons for waiting, the administrator's view.

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/queue/scheduler.h"
#include "core/queue/walk.h"

namespace runyard {
namespace {

constexpr std::size_t kMaxCounted = 100;

/// "1 slot", "2 slots".
std::string counted(std::int64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

/// "3 jobs before it", "more than 100 GPU jobs before it".
std::string before_it(std::size_t count, std::string_view noun, std::string_view where = "") {
  if (count > kMaxCounted) {
    return fmt::format("more than {} {}s{} before it", kMaxCounted, noun, where);
  }
  return fmt::format("{}{} before it", counted(static_cast<std::int64_t>(count), noun), where);
}

constexpr char kSingleton = '\x1f';

std::string of_group(std::string_view name) {
  return name.empty() ? " of the default group" : fmt::format(" of group {}", name);
}

/// A group's name in the administrator's view.
std::string shown(std::string_view group) {
  return group.starts_with(kSingleton) ? std::string() : std::string(group);
}

/// "2 slots of group train: 1 of 4 free, 1 kept for job_x".
std::string shortage(std::string_view wanted, int used, int limit, int kept,
                     std::string_view kept_for) {
  std::string words = fmt::format("{}: {} of {} free", wanted, std::max(0, limit - used), limit);
  if (kept > 0) words += fmt::format(", {} kept for {}", kept, kept_for);
  return words;
}

/// "2026-11-22 10:15:30", local.
std::string readable(TimeMs time) {
  const std::string text = format_time(time);
  return text.substr(0, 10) + " " + text.substr(11, 8);
}

}  // namespace

std::optional<Scheduler::Excess> Scheduler::excess(int slots, int gpus, bool elsewhere,
                                                   const Group* group) const {
  if (elsewhere && slots > limits_.elsewhere_slots) {
    return Excess{"/_job/slots", fmt::format("{}, but slurm.slots is {}", counted(slots, "slot"),
                                             limits_.elsewhere_slots)};
  }
  if (!elsewhere && slots > limits_.slots) {
    return Excess{"/_job/slots",
                  fmt::format("{}, but the server has {}", counted(slots, "slot"), limits_.slots)};
  }
  if (group && group->slots && slots > *group->slots) {
    return Excess{"/_job/slots", fmt::format("{}{}, but its limit is {}", counted(slots, "slot"),
                                             of_group(group->name), *group->slots)};
  }
  if (!elsewhere && gpus > static_cast<int>(gpus_.size())) {
    return Excess{"/_job/gpus",
                  fmt::format("{}, but the server has {}", counted(gpus, "GPU"),
                              gpus_.empty() ? "none configured" : std::to_string(gpus_.size()))};
  }
  return std::nullopt;
}

Result<> Scheduler::check(const Request& request, std::size_t count) const {
  if (mode_ == Mode::kDraining) {
    return make_error(ErrorKind::kUnavailable,
                      "The server is draining and takes no new jobs: try again later.");
  }
  if (request.slots < 1) {
    return invalid_field("/_job/slots", "A job needs at least 1 slot: set slots to 1 or more.");
  }
  if (request.gpus < 0) {
    return invalid_field("/_job/gpus", "gpus is a number of GPUs: set it to 0 or more.");
  }
  if (std::abs(static_cast<std::int64_t>(request.priority)) > kMaxPriority) {
    return invalid_field("/_job/priority", fmt::format("priority must be between {} and {}.",
                                                       -kMaxPriority, kMaxPriority));
  }
  const auto group = groups_.find(request.group);
  if (const auto problem = excess(request.slots, request.gpus, request.elsewhere,
                                  group == groups_.end() ? nullptr : &group->second)) {
    return invalid_field(problem->field,
                         "The job asks for " + problem->words + ": it could never start.");
  }
  if (limits_.max_queued > 0 && queued() + count > limits_.max_queued) {
    return make_error(
        ErrorKind::kBusy,
        fmt::format("The queue is full ({} of {} jobs): try again when some have started.",
                    queued(), limits_.max_queued));
  }
  return {};
}

std::string Scheduler::waiting_for(std::string_view job_id, TimeMs now) const {
  const Job* job = find(job_id);
  if (!job || job->state == State::kRunning) return "";
  Walk walk(*this, job->elsewhere);
  walk.next();
  return explain(*job, walk, now);
}

std::string Scheduler::explain(const Job& job, const Walk& walk, TimeMs now) const {
  if (job.pending > 0) {
    const auto edge = std::ranges::find_if(job.edges, &Edge::is_linked);
    std::string words(edge->dependency->id);
    if (job.pending > 1) {
      words +=
          fmt::format(" and {}", counted(static_cast<std::int64_t>(job.pending) - 1, "other job"));
    }
    return words + " to succeed";
  }
  if (const auto problem = excess(job.slots, job.gpus, job.elsewhere, job.group))
    return problem->words;
  if (job.not_before && *job.not_before > now) return "retry at " + readable(*job.not_before);
  if (mode_ != Mode::kOpen) return mode_ == Mode::kPaused ? "paused" : "draining";
  return job.state == State::kReady ? explain_ready(job, walk) : "";
}

std::string Scheduler::explain_ready(const Job& job, const Walk& walk) const {
  // A closed door counts only for jobs after the one for which it was closed.
  const auto is_shut = [&job](const Job* by) { return by && !ByRank()(job, *by); };
  const Job* kept = walk.kept();
  const std::string_view kept_id = kept ? kept->id : "";

  if (job.group->slots) {
    const Job* by = walk.closed_by(*job.group);
    const std::string_view name = job.group->name;
    if (name.starts_with(kSingleton) && is_shut(by)) {
      return fmt::format("another {} job to end: they run one at a time", name.substr(1));
    }
    if (by == &job) {
      const int kept_here = is_shut(kept) && kept->group == job.group ? kept->slots : 0;
      return shortage(counted(job.slots, "slot") + of_group(job.group->name), job.group->used,
                      *job.group->slots, kept_here, kept_id);
    }
    if (is_shut(by)) {
      const auto same_group = [&job](const Group* group, bool) { return group == job.group; };
      return before_it(walk.count_before(job, kMaxCounted + 1, same_group), "job",
                       of_group(job.group->name));
    }
  }
  if (job.gpus > 0 && is_shut(kept)) {
    if (kept == &job) {
      const int usable = usable_gpus();
      const int all = static_cast<int>(gpus_.size());
      return shortage(counted(job.gpus, "GPU"), all - usable, all, 0, "");
    }
    const auto wants_gpus = [](const Group*, bool gpu) { return gpu; };
    return before_it(walk.count_before(job, kMaxCounted + 1, wants_gpus), "GPU job");
  }
  const Job* stop = walk.stop();
  if (stop == &job) {
    if (lack(job, kept) == Lack::kNothing) return "";
    if (job.elsewhere) {
      return shortage(counted(job.slots, "slot") + " of slurm.slots", elsewhere_used_,
                      limits_.elsewhere_slots, 0, "");
    }
    return shortage(counted(job.slots, "slot"), used_, limits_.slots, kept ? kept->slots : 0,
                    kept_id);
  }
  if (!is_shut(stop)) return "";
  const auto is_open = [&walk, kept](const Group* group, bool gpu) {
    return !(gpu && kept) && !(group && walk.closed_by(*group));
  };
  return before_it(walk.count_before(job, kMaxCounted + 1, is_open), "job");
}

std::string Scheduler::group_of_singleton(std::string_view job_type) {
  return kSingleton + std::string(job_type);
}

Scheduler::Snapshot Scheduler::snapshot(TimeMs now, std::size_t limit) const {
  Snapshot result;
  result.mode = mode_;
  result.slots = limits_.slots;
  result.used = used_;
  result.elsewhere_slots = limits_.elsewhere_slots;
  result.elsewhere_used = elsewhere_used_;
  result.jobs_per_gpu = limits_.jobs_per_gpu;
  result.gpus = gpus_;
  for (const auto& [name, group] : groups_) {
    if (name.starts_with(kSingleton)) continue;  // nobody made it or can change it
    result.groups.push_back({name, group.slots, group.used, group.jobs});
  }
  for (const Job& job : running_) {
    result.running.push_back({std::string(job.id), shown(job.group->name), job.slots, job.gpu_ids});
  }
  Walk here(*this, false), elsewhere(*this, true);
  here.next();
  elsewhere.next();
  std::vector<const Job*> waiting = here.first(limit);
  std::ranges::copy(elsewhere.first(limit), std::back_inserter(waiting));
  std::ranges::sort(waiting, [](const Job* a, const Job* b) { return ByRank()(*a, *b); });
  if (waiting.size() > limit) waiting.resize(limit);
  const auto take = [&](const auto& order) {
    for (const Job& job : order) {
      if (waiting.size() >= limit) break;
      waiting.push_back(&job);
    }
  };
  take(delayed_);
  take(aside_);
  for (const Job* job : waiting) {
    result.waiting.push_back({std::string(job->id), shown(job->group->name),
                              explain(*job, job->elsewhere ? elsewhere : here, now)});
  }
  result.queued = queued();
  return result;
}

}  // namespace runyard
