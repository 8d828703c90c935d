#include "core/queue/scheduler.h"

#include <algorithm>
#include <utility>

#include "core/queue/walk.h"

namespace runyard {
namespace {

constexpr TimeMs kMaxAgeing = 1'000'000'000'000;  // 31 years; times kMaxPriority it fits 64 bits

}  // namespace

Scheduler::Scheduler(Limits limits) : limits_(std::move(limits)) {
  limits_.ageing = std::clamp<TimeMs>(limits_.ageing, 0, kMaxAgeing);
  for (int id : std::exchange(limits_.gpu_ids, {})) gpus_.push_back({id, 0});
  for (const auto& [name, slots] : std::exchange(limits_.group_slots, {})) {
    set_group_slots(name, slots);
  }
}

Scheduler::Job* Scheduler::find(std::string_view job_id) {
  const auto it = jobs_.find(job_id);
  return it == jobs_.end() ? nullptr : &it->second;
}

const Scheduler::Job* Scheduler::find(std::string_view job_id) const {
  const auto it = jobs_.find(job_id);
  return it == jobs_.end() ? nullptr : &it->second;
}

// --- Jobs come and go

Scheduler::Job& Scheduler::add(Request&& request) {
  const auto it = jobs_.try_emplace(std::move(request.job_id)).first;
  Job& job = it->second;
  job.id = it->first;
  job.group = &group(request.group);
  ++job.group->jobs;
  job.number = request.number;
  job.queued_at = request.queued_at;
  job.not_before = request.not_before;
  // A record that was edited by hand must not upset the sums.
  job.slots = std::max(1, request.slots);
  job.elsewhere = request.elsewhere;
  job.gpus = job.elsewhere ? 0 : std::max(0, request.gpus);
  set_rank(job, request.priority);
  return job;
}

void Scheduler::forget(Job& job) {
  if (job.state == State::kRunning) release(job);
  unlink(job);
  --job.group->jobs;
  drop_if_idle(*job.group);
  jobs_.erase(jobs_.find(job.id));
}

Result<> Scheduler::enqueue(Request request) {
  if (find(request.job_id)) {
    return make_error(ErrorKind::kConflict, request.job_id + " is in the queue already.");
  }
  std::vector<Job*> dependencies;
  for (const std::string& id : request.after) {
    if (id == request.job_id) {
      return invalid_field("/_job/after", "A job cannot be after itself: leave " + id + " out.");
    }
    Job* dependency = find(id);
    if (!dependency) {
      return invalid_field("/_job/after", id + " is neither queued nor running: leave it out.");
    }
    dependencies.push_back(dependency);
  }
  Job& job = add(std::move(request));
  job.edges = std::vector<Edge>(dependencies.size());
  job.pending = dependencies.size();
  for (std::size_t i = 0; i < dependencies.size(); ++i) {
    job.edges[i].dependant = &job;
    job.edges[i].dependency = dependencies[i];
    dependencies[i]->dependants.push_back(job.edges[i]);
  }
  place(job);
  return {};
}

Result<> Scheduler::restore_running(Request request, std::vector<int> gpu_ids) {
  if (find(request.job_id)) {
    return make_error(ErrorKind::kConflict, request.job_id + " is in the queue already.");
  }
  run(add(std::move(request)), std::move(gpu_ids));
  return {};
}

std::vector<Scheduler::Dropped> Scheduler::ended(std::string_view job_id, bool success) {
  Job* job = find(job_id);
  if (!job) return {};
  if (success) {
    while (!job->dependants.empty()) {
      Job& dependant = *job->dependants.front().dependant;
      job->dependants.pop_front();
      if (--dependant.pending > 0) continue;
      unlink(dependant);
      place(dependant);
    }
    forget(*job);
    return {};
  }
  std::vector<Dropped> dropped;
  std::vector<Job*> gone{job};
  for (std::size_t i = 0; i < gone.size(); ++i) {
    while (!gone[i]->dependants.empty()) {
      Job& dependant = *gone[i]->dependants.front().dependant;
      // Out of all lists, so that it is not found again through another dependency.
      for (Edge& edge : dependant.edges) {
        if (edge.is_linked()) edge.unlink();
      }
      gone.push_back(&dependant);
      dropped.push_back({std::string(dependant.id), std::string(gone[i]->id)});
    }
  }
  for (Job* each : gone) forget(*each);
  return dropped;
}

bool Scheduler::requeue(std::string_view job_id, std::optional<TimeMs> not_before) {
  Job* job = find(job_id);
  if (!job || job->state != State::kRunning) return false;
  release(*job);
  unlink(*job);
  job->not_before = not_before;
  place(*job);
  return true;
}

// --- Order and groups

void Scheduler::set_rank(Job& job, int priority) const {
  const std::int64_t p = std::clamp(priority, -kMaxPriority, kMaxPriority);
  job.rank = limits_.ageing > 0 ? job.queued_at - p * limits_.ageing : -p;
}

bool Scheduler::set_priority(std::string_view job_id, int priority) {
  Job* job = find(job_id);
  if (!job) return false;
  unlink(*job);
  set_rank(*job, priority);
  if (job->state == State::kRunning) {
    running_.insert(*job);
  } else {
    place(*job);
  }
  return true;
}

Scheduler::Group& Scheduler::group(std::string_view name) {
  auto it = groups_.find(name);
  if (it == groups_.end()) {
    it = groups_.try_emplace(std::string(name)).first;
    it->second.name = it->first;
  }
  return it->second;
}

void Scheduler::drop_if_idle(Group& group) {
  if (group.jobs == 0 && !group.slots) groups_.erase(groups_.find(group.name));
}

void Scheduler::set_group_slots(const std::string& name, std::optional<int> slots) {
  Group& changed = group(name);
  std::vector<Job*> queued;
  for (auto& [id, job] : jobs_) {
    if (job.group == &changed && job.state != State::kRunning) queued.push_back(&job);
  }
  for (Job* job : queued) unlink(*job);
  std::erase(limited_, &changed);
  changed.slots = slots;
  if (slots) limited_.push_back(&changed);
  for (Job* job : queued) place(*job);
  drop_if_idle(changed);
}

Scheduler::Order& Scheduler::lane(const Job& job) {
  Lanes& lanes = job.group->slots ? job.group->lanes : unlimited_;
  if (job.elsewhere) return lanes.elsewhere;
  return job.gpus > 0 ? lanes.gpu : lanes.cpu;
}

void Scheduler::place(Job& job) {
  if (job.pending > 0 || excess(job.slots, job.gpus, job.elsewhere, job.group)) {
    job.state = State::kAside;
    aside_.insert(job);
  } else if (job.not_before) {
    job.state = State::kDelayed;
    delayed_.insert(job);
  } else {
    job.state = State::kReady;
    lane(job).insert(job);
  }
}

void Scheduler::unlink(Job& job) {
  switch (job.state) {
    case State::kAside:
      aside_.erase(aside_.iterator_to(job));
      break;
    case State::kDelayed:
      delayed_.erase(delayed_.iterator_to(job));
      break;
    case State::kReady: {
      Order& order = lane(job);
      order.erase(order.iterator_to(job));
      break;
    }
    case State::kRunning:
      running_.erase(running_.iterator_to(job));
      break;
  }
}

// --- Resources

void Scheduler::run(Job& job, std::vector<int> gpu_ids) {
  job.gpu_ids = std::move(gpu_ids);
  for (Snapshot::Gpu& gpu : gpus_) {
    if (std::ranges::find(job.gpu_ids, gpu.id) != job.gpu_ids.end()) ++gpu.jobs;
  }
  (job.elsewhere ? elsewhere_used_ : used_) += job.slots;
  job.group->used += job.slots;
  job.state = State::kRunning;
  running_.insert(job);
}

void Scheduler::release(Job& job) {
  for (Snapshot::Gpu& gpu : gpus_) {
    if (std::ranges::find(job.gpu_ids, gpu.id) != job.gpu_ids.end()) --gpu.jobs;
  }
  job.gpu_ids.clear();
  (job.elsewhere ? elsewhere_used_ : used_) -= job.slots;
  job.group->used -= job.slots;
}

int Scheduler::usable_gpus() const {
  return static_cast<int>(std::ranges::count_if(
      gpus_, [this](const Snapshot::Gpu& gpu) { return gpu.jobs < limits_.jobs_per_gpu; }));
}

std::vector<int> Scheduler::pick_gpus(int count) const {
  if (count == 0) return {};
  std::vector<Snapshot::Gpu> candidates = gpus_;
  std::ranges::stable_sort(candidates, {}, &Snapshot::Gpu::jobs);
  std::vector<int> ids;
  for (int i = 0; i < count; ++i) ids.push_back(candidates[static_cast<std::size_t>(i)].id);
  return ids;
}

Scheduler::Lack Scheduler::lack(const Job& job, const Job* kept) const {
  if (job.group->slots) {
    const int kept_in_group = kept && kept->group == job.group ? kept->slots : 0;
    if (job.group->used + kept_in_group + job.slots > *job.group->slots) return Lack::kGroupSlots;
  }
  if (job.elsewhere) {
    const bool fits = elsewhere_used_ + job.slots <= limits_.elsewhere_slots;
    return fits ? Lack::kNothing : Lack::kSlots;
  }
  if (used_ + (kept ? kept->slots : 0) + job.slots > limits_.slots) return Lack::kSlots;
  if (job.gpus > 0 && job.gpus > usable_gpus()) return Lack::kGpus;
  return Lack::kNothing;
}

// --- Decisions

std::vector<Scheduler::Start> Scheduler::decide(TimeMs now) {
  std::vector<Start> starts;
  if (mode_ != Mode::kOpen) return starts;
  while (!delayed_.empty() && *delayed_.begin()->not_before <= now) {
    Job& job = *delayed_.begin();
    unlink(job);
    job.not_before.reset();
    place(job);
  }
  const auto start_all = [&](bool elsewhere) {
    Walk walk(*this, elsewhere);
    while (const Job* next = walk.next()) {
      Job& job = *lane(*next).begin();  // next is the head of its lane
      unlink(job);
      run(job, pick_gpus(job.gpus));
      starts.push_back({std::string(job.id), job.gpu_ids});
    }
  };
  // Every job wants one slot at least.
  if (used_ < limits_.slots) start_all(false);
  if (elsewhere_used_ < limits_.elsewhere_slots) start_all(true);
  return starts;
}

std::optional<TimeMs> Scheduler::next_wakeup() const {
  if (mode_ != Mode::kOpen || delayed_.empty()) return std::nullopt;
  return delayed_.begin()->not_before;
}

}  // namespace runyard
