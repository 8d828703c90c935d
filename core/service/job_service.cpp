#include "core/service/job_service.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <boost/json.hpp>
#include <cerrno>
#include <chrono>
#include <thread>

#include "core/base/ids.h"
#include "core/base/log.h"
#include "core/base/nearest_name.h"
#include "core/base/plain_json.h"
#include "core/service/environment.h"
#include "core/service/job_engine.h"
#include "core/service/series_file.h"
#include "core/service/state_dir.h"
#include "core/service/templates.h"
#include "core/workspace/workspace.h"

namespace runyard {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxBatch = 1000;
constexpr std::size_t kMaxJobsOfArtifact = 100;
constexpr int kLockAttempts = 20;
constexpr auto kLockPause = std::chrono::milliseconds(100);
/// What a call may take that reads in a log: a worker thread waits for it. The rest is for the
/// next.
constexpr auto kLogTime = std::chrono::milliseconds(250);
using std::chrono::steady_clock;

/// Holds `fd` locked for this process's life, or says who has it.
Result<> lock(int fd, const std::string& what) {
  // A child of a server that was killed this instant shares its locks until it executes its
  // program.
  for (int attempt = 0; attempt < kLockAttempts; ++attempt) {
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return {};
    if (errno != EWOULDBLOCK) return errno_error(errno, "cannot lock " + what);
    std::this_thread::sleep_for(kLockPause);
  }
  char owner[32] = {};
  const bool named = ::pread(fd, owner, sizeof owner - 1, 0) > 0;
  return make_error(ErrorKind::kConflict,
                    fmt::format("another Runyard server{} uses {}: stop it first, or give this one "
                                "another workspace and --state-dir",
                                named ? fmt::format(" (process {})", owner) : "", what));
}

Result<UniqueFd> lock_state(const std::filesystem::path& state) {
  const auto path = state / "lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return errno_error(errno, "cannot open " + path.string());
  if (auto done = lock(fd.get(), "the state folder " + state.string()); !done) return done.error();
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(fd.get(), 0) != 0 || write_all(fd.get(), pid) != 0) {
    spdlog::warn("cannot note the process id in {}", path.string());
  }
  return fd;
}

/// The id of this server's jobs. It is kept outside of the database, which may be lost.
Result<std::string> read_instance(const std::filesystem::path& state) {
  const auto path = state / "instance";
  if (auto known = read_file(path, 256)) {
    while (!known->empty() && known->back() == '\n') known->pop_back();
    if (known->size() == 16) return known;
    return make_error(ErrorKind::kInternal, path.string() +
                                                " is damaged: put 16 hex digits there, "
                                                "or remove it to begin a new history");
  } else if (known.error().kind != ErrorKind::kNotFound) {
    return known.error();
  }
  const std::string instance = random_hex(8);
  if (auto done = write_file_atomic(path, instance + "\n", true); !done) return done.error();
  return instance;
}

std::optional<double> read_total(const Confinement& confinement, const std::string& path,
                                 const std::string& key) {
  const auto file = confinement.open_beneath(path, Confinement::Kind::kFile);
  if (!file) return std::nullopt;
  const auto text = read_fd(file->get(), 1u << 20);
  if (!text) return std::nullopt;
  try {
    YAML::Node node = YAML::Load(*text);
    for (std::size_t at = 0; at <= key.size();) {
      const std::size_t end = std::min(key.find('.', at), key.size());
      if (!node.IsMap()) return std::nullopt;
      node.reset(node[key.substr(at, end - at)]);
      at = end + 1;
    }
    double total = 0;
    if (node.IsScalar() && YAML::convert<double>::decode(node, total)) return total;
  } catch (const YAML::Exception&) {  // half-written, or not YAML
  }
  return std::nullopt;
}

/// Reads the members of `_job`, collecting every mistake.
class OptionReader {
 public:
  explicit OptionReader(const json::object& object) : object_(object) {}

  template <class Int>
  void integer(const char* key, std::int64_t low, std::int64_t high, Int& out) {
    known_.emplace_back(key);
    const auto* value = object_.if_contains(key);
    if (!value || value->is_null()) return;
    json::error_code error;
    const auto number = value->is_number() ? value->to_number<std::int64_t>(error) : low - 1;
    if (error || number < low || number > high) {
      refuse(key, fmt::format("must be a whole number from {} to {}", low, high));
    } else {
      out = static_cast<Int>(number);
    }
  }
  void boolean(const char* key, bool& out) {
    known_.emplace_back(key);
    const auto* value = object_.if_contains(key);
    if (!value || value->is_null()) return;
    if (value->is_bool()) {
      out = value->get_bool();
    } else {
      refuse(key, "must be true or false");
    }
  }
  void text(const char* key, std::string& out) {
    known_.emplace_back(key);
    const auto* value = object_.if_contains(key);
    if (!value || value->is_null()) return;
    if (value->is_string() && is_clean(value->get_string(), 200)) {
      out = std::string(value->get_string());
    } else {
      refuse(key, "must be a text of at most 200 bytes without control characters");
    }
  }
  void ids(const char* key, std::vector<std::string>& out) {
    known_.emplace_back(key);
    const auto* value = object_.if_contains(key);
    if (!value || value->is_null()) return;
    const auto* list = value->if_array();
    if (!list || list->size() > 100) return refuse(key, "must be a list of at most 100 job ids");
    for (const auto& item : *list) {
      if (!item.is_string() || !is_job_id(std::string_view(item.get_string()))) {
        return refuse(key, "must be a list of job ids such as job_20260101_120000__0123abcd");
      }
      out.emplace_back(item.get_string());
    }
  }
  Result<> finish() {
    for (const auto& [key, value] : object_) {
      if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
      const std::string near = nearest_name(std::string(key), known_);
      refuse(std::string(key), "is not an option of a job" +
                                   (near.empty() ? std::string() : "; did you mean " + near + "?"));
    }
    if (error_.fields.empty()) return {};
    error_.message = error_.fields.front().pointer + " " + error_.fields.front().message;
    return error_;
  }

  static bool is_clean(std::string_view text, std::size_t limit) {
    for (char c : text) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
    }
    return text.size() <= limit;
  }

 private:
  void refuse(const std::string& key, const std::string& why) {
    error_.fields.push_back({"/_job/" + key, why});
  }
  const json::object& object_;
  std::vector<std::string> known_;
  Error error_{ErrorKind::kInvalid, {}, {}};
};

json::object to_json(const Scheduler::Snapshot& queue) {
  json::object document;
  document["mode"] = queue.mode == Scheduler::Mode::kOpen     ? "open"
                     : queue.mode == Scheduler::Mode::kPaused ? "paused"
                                                              : "draining";
  document["slots"] = json::object{{"total", queue.slots}, {"used", queue.used}};
  document["slurm_slots"] =
      json::object{{"total", queue.elsewhere_slots}, {"used", queue.elsewhere_used}};
  json::array gpus, groups, running, waiting;
  for (const auto& gpu : queue.gpus) {
    gpus.push_back(json::object{{"id", gpu.id}, {"jobs", gpu.jobs}, {"limit", queue.jobs_per_gpu}});
  }
  for (const auto& group : queue.groups) {
    groups.push_back(json::object{{"name", group.name},
                                  {"slots", group.slots ? json::value(*group.slots) : nullptr},
                                  {"used", group.used},
                                  {"jobs", group.jobs}});
  }
  for (const auto& job : queue.running) {
    json::array ids(job.gpu_ids.begin(), job.gpu_ids.end());
    running.push_back(json::object{
        {"job_id", job.job_id}, {"group", job.group}, {"slots", job.slots}, {"gpus", ids}});
  }
  for (const auto& job : queue.waiting) {
    waiting.push_back(json::object{
        {"job_id", job.job_id}, {"group", job.group}, {"waiting_for", job.waiting_for}});
  }
  document["gpus"] = std::move(gpus);
  document["groups"] = std::move(groups);
  document["running"] = std::move(running);
  document["waiting"] = std::move(waiting);
  document["queued"] = queue.queued;
  return document;
}

bool is_dry_run(const json::object& params) {
  const auto* value = params.if_contains("dry_run");
  return value && value->is_bool() && value->get_bool();
}

}  // namespace

JobService::JobService(Config config) : config_(std::move(config)) {}
JobService::~JobService() = default;

Result<std::unique_ptr<JobService>> JobService::open(Config config, Programs programs,
                                                     Reread reread) {
  std::unique_ptr<JobService> service(new JobService(std::move(config)));
  service->reread_ = std::move(reread);
  Config& settings = service->config_;
  auto confinement = Confinement::open(settings.workspace, settings.roots);
  if (!confinement) return confinement.error();
  service->confinement_ = std::move(*confinement);
  service->workspace_ = std::make_unique<Workspace>(*service->confinement_);
  settings.workspace = service->confinement_->workspace();

  std::error_code error;
  if (settings.state_dir.empty()) settings.state_dir = default_state_dir(settings.workspace);
  settings.state_dir = std::filesystem::absolute(settings.state_dir, error);
  const auto records = settings.workspace / "reports/jobs";
  for (const auto& folder :
       {settings.state_dir, settings.state_dir / "attempts", settings.state_dir / "plugins"}) {
    if (auto done = make_private_folders(folder); !done) return done.error();
  }
  std::filesystem::create_directories(records, error);
  service->workspace_lock_ = UniqueFd(::open(records.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!service->workspace_lock_) return errno_error(errno, "cannot use " + records.string());
  if (auto done =
          lock(service->workspace_lock_.get(), "the workspace " + settings.workspace.string());
      !done) {
    return done.error();
  }
  auto state_lock = lock_state(settings.state_dir);
  if (!state_lock) return state_lock.error();
  service->state_lock_ = std::move(*state_lock);
  const auto instance = read_instance(settings.state_dir);
  if (!instance) return instance.error();

  PluginConfig plugins;
  plugins.folders = settings.plugin_dirs;
  plugins.cache = settings.state_dir / "plugins";
  plugins.host_command = {programs.self.string(), "plugin-host"};
  plugins.allow = settings.allow;
  plugins.pinned = settings.pinned;
  service->registry_ = std::make_unique<PluginRegistry>(std::move(plugins));
  if (auto done = service->registry_->rescan(); !done) return done.error();
  service->note_plugins();

  JobService* raw = service.get();
  auto store = JobStore::open(settings.state_dir, [raw](double seconds, std::size_t writes) {
    raw->metrics_.committed(seconds, writes);
  });
  if (!store) return store.error();
  if (!store->moved_aside.empty()) {
    spdlog::error("the database was damaged; it is kept as {}, and a new one is made from {}",
                  store->moved_aside, records.string());
  }

  service->line_indexes_ = std::make_unique<LineIndexes>(settings.state_dir / "logindex");
  JobEngine::Setup setup;
  setup.config = settings;
  setup.instance = *instance;
  setup.state = settings.state_dir;
  setup.records = records;
  setup.shim = programs.shim;
  setup.line_indexes = service->line_indexes_.get();
  setup.read_total = [raw](const std::string& path, const std::string& key) {
    return read_total(*raw->confinement_, path, key);
  };
  setup.find_type = [raw](const std::string& type) { return raw->registry_->find_type(type); };
  setup.plan = [raw](const JobTypePtr& type, const json::object& params) {
    return raw->plan(type, params);
  };
  service->engine_ = std::make_unique<JobEngine>(std::move(setup), std::move(*store),
                                                 service->cache_, service->metrics_);
  if (auto done = service->engine_->recover(); !done) return done.error();
  service->cache_.tell(service->events_);
  service->engine_->start();
  service->measured_ = service->metrics_.add_source([raw] { return raw->measure(); });
  if (settings.watch_plugins) {
    service->folder_watch_ = std::make_unique<FolderWatch>(
        *service->registry_, [raw] { raw->read_policy(); }, [raw] { raw->tell_plugins(); });
  }
  return service;
}

/// Takes the lists of what plugins may run from a configuration that has changed.
void JobService::read_policy() {
  const std::lock_guard lock(plugins_mutex_);
  if (!reread_) return;
  if (const auto config = reread_()) registry_->set_allow(config->allow, config->pinned);
}

/// Tells the log what became of each library.
void JobService::note_plugins() {
  const std::lock_guard lock(plugins_mutex_);
  auto now = registry_->list();
  for (const auto& plugin : now) {
    const bool told =
        std::any_of(seen_plugins_.begin(), seen_plugins_.end(), [&](const PluginInfo& seen) {
          return seen.path == plugin.path && seen.sha256 == plugin.sha256 &&
                 seen.state == plugin.state && seen.reason == plugin.reason;
        });
    if (told) continue;
    const bool bad = plugin.state == PluginState::kQuarantined;
    log_event(bad ? spdlog::level::warn : spdlog::level::info,
              "plugin " + std::string(to_string(plugin.state)),
              {{"path", plugin.path.string()},
               {"type", plugin.type},
               {"version", plugin.version},
               {"sha256", plugin.sha256},
               {"reason", plugin.reason}});
  }
  seen_plugins_ = std::move(now);
}

void JobService::tell_plugins() {
  note_plugins();
  events_.add(EventHub::Kind::kPluginsChanged);
}

Result<> JobService::rescan_plugins() {
  read_policy();
  const auto changed = registry_->rescan();
  if (!changed) return changed.error();
  if (*changed) tell_plugins();
  return {};
}

Result<std::int64_t> JobService::count_jobs(const std::string& type) {
  JobFilter filter;
  filter.job_type = type;
  return engine_->store().count(filter);
}

Result<JobOptions> JobService::read_options(const JobType& type, const json::value* options) const {
  JobOptions result = type.defaults;
  if (!options || options->is_null()) return result;
  if (!options->is_object()) return invalid_field("/_job", "_job must be an object");
  OptionReader read(options->get_object());
  read.integer("priority", -Scheduler::kMaxPriority, Scheduler::kMaxPriority, result.priority);
  read.integer("timeout_sec", 0, 10LL * 366 * 86'400, result.timeout_sec);
  read.integer("max_retries", 0, 1000, result.max_retries);
  read.boolean("retry_lost", result.retry_lost);
  read.integer("slots", 1, 100'000, result.slots);
  read.integer("gpus", 0, 4096, result.gpus);
  read.integer("memory_mb", 0, 1LL << 30, result.memory_mb);
  read.text("group", result.group);
  read.text("name", result.name);
  read.ids("after", result.after);
  if (auto done = read.finish(); !done) return done.error();
  return result;
}

/// Inputs to a command: what must hold before a job is accepted.
Result<JobEdit::Plan> JobService::plan(const JobTypePtr& type, const json::object& params) {
  auto checked = registry_->check(*type, params, *confinement_);
  if (!checked) return checked.error();
  auto command = program_command(type->program, config_.python, config_.workspace);
  if (!command) return command.error();
  auto arguments = registry_->argv(*type, *checked);
  if (!arguments) return arguments.error();
  command->insert(command->end(), arguments->begin(), arguments->end());
  const bool dry_run = is_dry_run(*checked);
  return JobEdit::Plan{std::move(*checked), std::move(*command), dry_run};
}

Result<JobEdit::Plan> JobService::preview(const Submission& submission) {
  for (std::size_t i = 0; i < submission.options.after.size(); ++i) {
    const auto other = find(submission.options.after[i]);
    if (!other) {
      return invalid_field(fmt::format("/_job/after/{}", i), other.error().message);
    }
  }
  if (has_templates(submission.params) && !submission.options.after.empty()) {
    // Checked when the jobs before it have succeeded.
    return JobEdit::Plan{submission.params, {}, is_dry_run(submission.params)};
  }
  return plan(submission.type, submission.params);
}

Result<JobService::Submitted> JobService::submit(std::vector<Submission> submissions,
                                                 std::optional<IdempotencyKey> key) {
  if (key) {
    auto known = engine_->store().find_key(key->key, now_ms() - JobStore::kKeyLifetimeMs);
    if (!known) return known.error();
    if (*known && (*known)->body_hash != key->body_hash) {
      return make_error(ErrorKind::kInvalid,
                        "this Idempotency-Key was used with another request; take a new key");
    }
    if (*known) {
      auto views = views_of((*known)->job_ids);
      if (!views) return views.error();
      return Submitted{std::move(*views), true};
    }
  }
  if (submissions.empty() || submissions.size() > kMaxBatch) {
    return make_error(ErrorKind::kInvalid, fmt::format("a batch has 1 to {} jobs, this one has {}",
                                                       kMaxBatch, submissions.size()));
  }
  std::vector<Job> jobs;
  for (Submission& submission : submissions) {
    auto planned = preview(submission);
    if (!planned) return planned.error();
    Job job;
    job.params = std::move(planned->params);
    job.command = std::move(planned->command);
    job.dry_run = planned->dry_run;
    job.job_type = submission.type->type;
    job.plugin_version = submission.type->version;
    job.options = std::move(submission.options);
    job.rerun_of = std::move(submission.rerun_of);
    job.cwd = config_.workspace.string();
    jobs.push_back(std::move(job));
  }
  auto accepted = engine_->submit(std::move(jobs), std::move(key));
  if (!accepted) return accepted.error();
  // A new one may run already, or be gone: the answer is what was accepted.
  if (accepted->jobs.size() == accepted->ids.size()) {
    Submitted submitted;
    for (JobPtr& job : accepted->jobs) submitted.jobs.push_back({std::move(job), nullptr});
    return submitted;
  }
  auto views = views_of(accepted->ids);
  if (!views) return views.error();
  return Submitted{std::move(*views), accepted->repeated};
}

Result<std::vector<JobCache::View>> JobService::views_of(const std::vector<std::string>& ids) {
  std::vector<JobCache::View> views;
  for (const std::string& id : ids) {
    auto view = find(id);
    if (!view) return view.error();
    views.push_back(std::move(*view));
  }
  return views;
}

Result<std::vector<json::object>> JobService::expand_matrix(const json::object& params,
                                                            const json::object& matrix) {
  std::vector<json::object> all{params};
  for (const auto& [key, values] : matrix) {
    const auto* list = values.if_array();
    if (!list || list->empty()) {
      return invalid_field("/matrix/" + std::string(key),
                           fmt::format("'{}' in matrix must be a list of values, not empty", key));
    }
    if (all.size() * list->size() > kMaxBatch) {
      return invalid_field("/matrix", fmt::format("matrix gives more than {} jobs", kMaxBatch));
    }
    std::vector<json::object> next;
    for (const auto& base : all) {
      for (const auto& value : *list) {
        next.push_back(base);
        next.back()[key] = value;
      }
    }
    all = std::move(next);
  }
  return all;
}

Result<JobCache::View> JobService::find(std::string_view job_id) {
  if (!is_job_id(job_id)) {
    return make_error(ErrorKind::kNotFound,
                      "that is no job id; one looks like job_20260101_120000__0123abcd");
  }
  if (auto view = cache_.find(job_id)) return std::move(*view);
  auto job = engine_->store().find(job_id);
  if (!job) return job.error();
  if (!*job) return make_error(ErrorKind::kNotFound, fmt::format("there is no job {}", job_id));
  return JobCache::View{std::make_shared<const Job>(std::move(**job)), nullptr};
}

Result<JobPage> JobService::list(const JobFilter& filter, std::size_t limit) {
  JobPage page;
  const bool all =
      !filter.status && filter.job_type.empty() && filter.group.empty() && filter.text.empty();
  if (all && filter.before.empty()) {
    if (auto newest = cache_.newest(limit)) {
      page.jobs = std::move(*newest);
      page.total = cache_.total();
      page.has_more = page.total > static_cast<std::int64_t>(page.jobs.size());
      return page;
    }
  }
  auto jobs = engine_->store().list(filter, limit + 1);
  if (!jobs) return jobs.error();
  page.has_more = jobs->size() > limit;
  if (page.has_more) jobs->pop_back();
  for (Job& job : *jobs) {
    auto view = cache_.find(job.job_id);  // it has what ticks
    page.jobs.push_back(view
                            ? std::move(*view)
                            : JobCache::View{std::make_shared<const Job>(std::move(job)), nullptr});
  }
  if (all) {
    page.total = cache_.total();
  } else {
    JobFilter whole = filter;
    whole.before.clear();
    const auto total = engine_->store().count(whole);
    if (!total) return total.error();
    page.total = *total;
  }
  return page;
}

Result<JobCache::View> JobService::cancel(std::string_view job_id) {
  auto known = find(job_id);
  if (!known) return known.error();
  if (auto done = engine_->cancel(std::string(job_id)); !done) return done.error();
  return find(job_id);
}

Result<JobCache::View> JobService::change(std::string_view job_id, JobChange change) {
  auto known = find(job_id);
  if (!known) return known.error();
  JobEdit edit;
  edit.priority = change.priority;
  edit.timeout_sec = change.timeout_sec;
  edit.tags = std::move(change.tags);
  edit.note = std::move(change.note);
  if (change.params) {
    const JobTypePtr type = registry_->find_type(known->job->job_type);
    if (!type) {
      return make_error(ErrorKind::kConflict,
                        "the plugin of this job is not loaded: its inputs cannot be checked");
    }
    json::object params = known->job->params;
    for (const auto& [key, value] : *change.params) params[key] = value;
    auto planned = plan(type, params);
    if (!planned) return planned.error();
    edit.plan = std::move(*planned);
  }
  if (auto done = engine_->edit(std::string(job_id), std::move(edit)); !done) return done.error();
  return find(job_id);
}

Result<> JobService::remove(std::string_view job_id) {
  auto known = find(job_id);
  if (!known) return known.error();
  return engine_->remove(std::string(job_id));
}

Result<UniqueFd> JobService::open_log(std::string_view job_id) {
  auto known = find(job_id);
  if (!known) return known.error();
  return confinement_->open_beneath(known->job->log_path(), Confinement::Kind::kFile);
}

Result<LogLines> JobService::log_lines(std::string_view job_id, std::int64_t start,
                                       std::int64_t count) {
  const auto log = open_log(job_id);
  if (!log && log.error().kind == ErrorKind::kNotFound && find(job_id)) {
    LogLines none;
    none.start = std::max<std::int64_t>(start, 1);
    return none;
  }
  if (!log) return log.error();
  const auto index = line_indexes_->of(std::string(job_id));
  return read_log_lines(log->get(), *index, start, count, steady_clock::now() + kLogTime);
}

Result<LogMatches> JobService::search_log(std::string_view job_id, const LogQuery& query) {
  const auto log = open_log(job_id);
  if (!log && log.error().kind == ErrorKind::kNotFound && find(job_id)) return LogMatches{};
  if (!log) return log.error();
  const auto index = line_indexes_->of(std::string(job_id));
  return runyard::search_log(log->get(), *index, query, steady_clock::now() + kLogTime);
}

Result<std::string> JobService::series(std::string_view job_id) {
  const auto known = find(job_id);
  if (!known) return known.error();
  if (known->job->series) return plain_json(to_json(*known->job->series));
  auto kept = read_file(series_file(config_.state_dir, known->job->job_id));
  if (!kept && kept.error().kind == ErrorKind::kNotFound) return "[]";
  return kept;
}

json::object JobService::describe(const Scheduler::Snapshot& queue) {
  json::object document = to_json(queue);
  document["nvidia_smi"] = gpu_report_.read();
  return document;
}

Result<std::vector<ArtifactJob>> JobService::jobs_of(std::string_view artifact) {
  return engine_->store().jobs_of(artifact, kMaxJobsOfArtifact);
}

Result<json::object> JobService::queue() {
  auto snapshot = engine_->set_mode(std::nullopt);
  if (!snapshot) return snapshot.error();
  return describe(*snapshot);
}

Result<json::object> JobService::set_queue_mode(QueueMode mode) {
  auto snapshot = engine_->set_mode(mode == QueueMode::kOpen     ? Scheduler::Mode::kOpen
                                    : mode == QueueMode::kPaused ? Scheduler::Mode::kPaused
                                                                 : Scheduler::Mode::kDraining);
  if (!snapshot) return snapshot.error();
  events_.add(EventHub::Kind::kQueueChanged);
  return describe(*snapshot);
}

}  // namespace runyard
