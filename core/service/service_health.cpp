// What the service says of its own state: the figures of a scrape, and whether it takes work.
#include <fmt/format.h>

#include <algorithm>

#include "core/service/job_engine.h"
#include "core/service/job_service.h"

namespace runyard {
namespace {

/// Groups are named by whoever submits: no more of them than this become labels.
constexpr std::size_t kMaxGroups = 200;

struct GroupCount {
  double queued = 0, running = 0;
};

/// By group; what is in none has "", and what is too much "(others)".
std::map<std::string, GroupCount> count_groups(const Scheduler::Snapshot& queue) {
  std::map<std::string, GroupCount> groups;
  groups[""];
  const auto of = [&](const std::string& name) -> GroupCount& {
    const bool fits = groups.size() < kMaxGroups || groups.contains(name);
    return groups[fits ? name : "(others)"];
  };
  double in_groups = 0;
  for (const auto& group : queue.groups) {
    if (group.name.empty()) continue;
    of(group.name).queued += static_cast<double>(group.jobs);
    in_groups += static_cast<double>(group.jobs);
  }
  for (const auto& job : queue.running) {
    GroupCount& group = of(job.group);
    ++group.running;
    if (!job.group.empty()) {
      --group.queued;  // the snapshot counts both
      --in_groups;
    }
  }
  groups[""].queued = static_cast<double>(queue.queued) - in_groups;
  return groups;
}

}  // namespace

std::vector<prometheus::MetricFamily> JobService::measure() {
  using prometheus::MetricType;
  auto families = process_metrics();
  const auto add = [&](const char* name, const char* help, double value,
                       MetricType type = MetricType::Gauge) {
    families.push_back(std::move(MetricValues(name, help, type).add(value)));
  };
  if (const auto queue = engine_->set_mode(std::nullopt)) {
    MetricValues queued("runyard_jobs_queued", "Jobs that wait, by group.");
    MetricValues running("runyard_jobs_running", "Jobs that run, by group.");
    for (const auto& [name, count] : count_groups(*queue)) {
      queued.add(count.queued, {{"group", name}});
      running.add(count.running, {{"group", name}});
    }
    families.push_back(std::move(queued));
    families.push_back(std::move(running));
    add("runyard_slots", "Slots for jobs.", queue->slots);
    add("runyard_slots_used", "Slots that running jobs hold.", queue->used);
    MetricValues gpus("runyard_gpu_jobs", "Jobs on a GPU.");
    for (const auto& gpu : queue->gpus) gpus.add(gpu.jobs, {{"gpu", std::to_string(gpu.id)}});
    if (!queue->gpus.empty()) families.push_back(std::move(gpus));
    MetricValues mode("runyard_queue_mode", "1 for the mode that the queue is in.");
    for (const auto& [name, one] : {std::pair("open", Scheduler::Mode::kOpen),
                                    {"paused", Scheduler::Mode::kPaused},
                                    {"draining", Scheduler::Mode::kDraining}}) {
      mode.add(queue->mode == one ? 1 : 0, {{"mode", name}});
    }
    families.push_back(std::move(mode));
  }
  add("runyard_jobs_stored", "Jobs in the database.", static_cast<double>(cache_.total()));
  add("runyard_store_failing", "1 while the database cannot be written.",
      engine_->store().is_failing() ? 1 : 0);
  const auto lag = engine_->mirror_lag();
  add("runyard_mirror_waiting_records", "Committed jobs whose JSON record is not written yet.",
      static_cast<double>(lag.records));
  add("runyard_mirror_lag_seconds", "Age of the oldest of them.", lag.seconds);
  std::map<std::string_view, int> states = {{to_string(PluginState::kLoaded), 0},
                                            {to_string(PluginState::kQuarantined), 0}};
  for (const auto& plugin : registry_->list()) ++states[to_string(plugin.state)];
  MetricValues plugins("runyard_plugins", "Plugin libraries, by state.");
  for (const auto& [state, count] : states) plugins.add(count, {{"state", std::string(state)}});
  families.push_back(std::move(plugins));
  add("runyard_plugin_host_starts_total",
      "Plugin hosts that were started: one for each change of the plugins, the others after "
      "crashes.",
      static_cast<double>(registry_->host_starts()), MetricType::Counter);
  return families;
}

std::vector<std::string> JobService::obstacles() {
  std::vector<std::string> reasons;
  if (engine_->store().is_failing()) {
    reasons.push_back("the database cannot be written; the server's log says why");
  }
  if (const auto queue = engine_->set_mode(std::nullopt); !queue) {
    reasons.push_back(queue.error().message);
  } else if (queue->mode == Scheduler::Mode::kDraining) {
    reasons.emplace_back("the server is draining: it takes no more jobs");
  }
  if (const auto host = registry_->check_host(); !host) reasons.push_back(host.error().message);
  return reasons;
}

}  // namespace runyard
