#include "core/plugin/registry.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <tuple>

#include "core/base/plain_json.h"
#include "core/base/text.h"
#include "core/plugin/argv_check.h"
#include "core/plugin/host_client.h"
#include "core/plugin/probe.h"
#include "core/plugin/schema.h"

namespace runyard {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

/// A file that was written less than this ago is read again at the next scan: a second write within
/// one tick of the file system's clock does not show in its times.
constexpr std::int64_t kSettledNs = 1'000'000'000;

/// For ordering: three numbers, and a release above its pre-releases.
using Version = std::tuple<int, int, int, bool, std::string>;

Version parse_version(std::string_view text) {
  std::array<int, 3> numbers{};
  const char* at = text.data();
  const char* const end = at + text.size();
  for (int& number : numbers) {
    at = std::from_chars(at, end, number).ptr;
    if (at != end && *at == '.') ++at;
  }
  return {numbers[0], numbers[1], numbers[2], at == end, std::string(at, end)};
}

json::value or_null(const std::string& text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

/// Copies of an earlier run of the server; the state folder is this server's alone.
void empty_cache(const fs::path& cache) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(cache, error)) {
    std::error_code ignored;
    fs::remove(entry.path(), ignored);
  }
}

/// Why the pins do not let a library in; "" when they do.
std::string why_not_pinned(const std::string& file, const std::string& sha256,
                           const std::map<std::string, std::string>& pinned) {
  if (pinned.empty()) return "";
  const auto pin = pinned.find(file);
  if (pin != pinned.end() && pin->second == sha256) return "";
  return std::string("not pinned: ") +
         (pin == pinned.end() ? "the configuration pins other libraries and not this one"
                              : "the configuration pins another content of this file") +
         "; if this one is meant, write there: plugins: {pinned: {" + file + ": " + sha256 + "}}";
}

std::vector<fs::path> library_paths(const std::vector<fs::path>& folders) {
  std::vector<fs::path> paths;
  for (const fs::path& folder : folders) {
    std::error_code error;
    for (fs::directory_iterator entry(fs::absolute(folder, error), error), end;
         !error && entry != end; entry.increment(error)) {
      const fs::path& path = entry->path();
      const std::string name = path.filename().string();
      if (path.extension() == ".so" && !name.starts_with('.')) paths.push_back(path);
    }
  }
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  return paths;
}

}  // namespace

/// A library that is offered, or was: a JobTypePtr is a pointer into it, so it lives, and its host
/// with it, as long as anybody holds one.
struct PluginRegistry::Plugin {
  JobType type;
  InputSchema schema;
  fs::path library;  // the copy
  std::shared_ptr<HostClient> host;
};

struct PluginRegistry::Snapshot {
  std::vector<std::shared_ptr<const Plugin>> plugins;  // by type
  std::vector<PluginInfo> infos;                       // by path
  std::shared_ptr<HostClient> host;                    // of this generation
};

/// A file of a plugin folder, before anything of it was loaded.
struct PluginRegistry::Candidate {
  fs::path path;
  FileStamp stamp;
  bool settled = false;
  LibraryCopy copy;         // empty when it was refused
  bool unfinished = false;  // refused because it is not completely written
  std::string reason;       // why

  bool same_content(const Candidate& other) const {
    return path == other.path && copy.sha256 == other.copy.sha256 && reason == other.reason;
  }
};

/// What a content was found to be: it is probed once, so that a change of one library does not wait
/// for the others, and none loses its place because the machine is busy.
struct PluginRegistry::Verdict {
  ProbeResult probed;
  bool stale = true;        // to be probed again
  bool used = true;         // by the last load()
  std::size_t tries = 0;    // that have timed out
  Clock::time_point again;  // when it is tried again, if it timed out
};

std::string_view to_string(PluginState state) {
  switch (state) {
    case PluginState::kLoaded:
      return "loaded";
    case PluginState::kSuperseded:
      return "superseded";
    case PluginState::kQuarantined:
      return "quarantined";
    case PluginState::kRemoved:
      return "removed";
  }
  return "";
}

json::object to_json(const PluginInfo& info) {
  json::value program = nullptr;
  if (info.program) {
    const bool module = info.program->kind == Program::Kind::kPythonModule;
    program = {{module ? "python_module" : "executable", info.program->name}};
  }
  return {{"path", info.path.string()},
          {"sha256", or_null(info.sha256)},
          {"type", or_null(info.type)},
          {"version", or_null(info.version)},
          {"abi", info.abi > 0 ? json::value(info.abi) : json::value(nullptr)},
          {"state", to_string(info.state)},
          {"reason", or_null(info.reason)},
          {"loaded_at", info.loaded_at ? json::value(format_time(*info.loaded_at)) : nullptr},
          {"program", std::move(program)}};
}

PluginRegistry::PluginRegistry(PluginConfig config)
    : config_(std::move(config)),
      host_starts_(std::make_shared<std::atomic<std::uint64_t>>(0)),
      snapshot_(std::make_shared<Snapshot>()),
      policy_{config_.allow, config_.pinned} {}

PluginRegistry::~PluginRegistry() = default;

void PluginRegistry::set_allow(std::vector<std::string> allow,
                               std::map<std::string, std::string> pinned) {
  const std::lock_guard lock(mutex_);
  policy_ = {std::move(allow), std::move(pinned)};
}

std::shared_ptr<const PluginRegistry::Snapshot> PluginRegistry::snapshot() const {
  const std::lock_guard lock(mutex_);
  return snapshot_;
}

Result<bool> PluginRegistry::rescan() { return scan(false); }

Result<bool> PluginRegistry::look_again() { return scan(true); }

Result<bool> PluginRegistry::scan(bool patient) {
  const std::lock_guard scan_lock(scan_mutex_);
  if (!scanned_) empty_cache(config_.cache);
  auto candidates = look(patient);
  if (!candidates) return candidates.error();
  Policy policy;
  bool reload = false;
  {
    const std::lock_guard lock(mutex_);
    policy = policy_;
    reload = std::exchange(reload_, false);
  }
  const bool forgotten = forget_verdicts(patient, policy != applied_policy_);
  const bool same =
      scanned_ && !reload && !forgotten && policy == applied_policy_ &&
      std::equal(candidates->begin(), candidates->end(), candidates_.begin(), candidates_.end(),
                 [](const Candidate& a, const Candidate& b) { return a.same_content(b); });
  if (!same) {
    auto next = load(*candidates, policy);
    if (!next) {
      const std::lock_guard lock(mutex_);
      reload_ = true;
      return next.error();
    }
    // The old one ends outside of the lock: its host is waited for.
    std::shared_ptr<const Snapshot> old = std::move(*next);
    {
      const std::lock_guard lock(mutex_);
      snapshot_.swap(old);
      std::erase_if(by_sha256_, [](const auto& entry) { return entry.second.expired(); });
      for (const auto& plugin : snapshot_->plugins) by_sha256_[plugin->type.sha256] = plugin;
    }
    if (old->host) old->host->retire();
  }
  candidates_ = std::move(*candidates);
  applied_policy_ = std::move(policy);
  scanned_ = true;
  return !same;
}

const PluginRegistry::Candidate* PluginRegistry::known(const fs::path& path) const {
  const auto found = std::find_if(candidates_.begin(), candidates_.end(),
                                  [&](const Candidate& one) { return one.path == path; });
  return found == candidates_.end() ? nullptr : &*found;
}

Result<std::vector<PluginRegistry::Candidate>> PluginRegistry::look(bool patient) {
  std::vector<Candidate> out;
  std::map<fs::path, std::optional<FileStamp>> pending;
  // True when the last look saw it so, too.
  const auto is_steady = [&](const fs::path& path, const std::optional<FileStamp>& stamp) {
    const auto before = pending_.find(path);
    const bool steady = before != pending_.end() && before->second == stamp;
    pending[path] = stamp;
    return steady;
  };
  for (const fs::path& path : library_paths(config_.folders)) {
    const Candidate* before = known(path);
    const auto stamp = stamp_of(path);
    if (!stamp) {
      if (stamp.error().kind == ErrorKind::kNotFound) continue;  // it has just gone
      Candidate candidate;
      candidate.path = path;
      candidate.reason = stamp.error().message;
      out.push_back(std::move(candidate));
      continue;
    }
    if (before && before->settled && before->stamp == *stamp) {
      out.push_back(*before);
      continue;
    }
    const bool is_new = !before || before->stamp != *stamp;
    if (patient && is_new && !is_steady(path, *stamp)) {
      if (before) out.push_back(*before);
      continue;
    }
    auto candidate = read(path, *stamp);
    if (!candidate) return candidate.error();
    const bool fresh =
        now_ms() * 1'000'000 - stamp->changed_ns < std::chrono::nanoseconds(kPatience).count();
    if (patient && candidate->unfinished && fresh) {
      pending[path] = *stamp;
      if (before) out.push_back(*before);
      continue;
    }
    out.push_back(std::move(*candidate));
  }
  if (patient) {
    for (const Candidate& before : candidates_) {
      const bool there = std::any_of(out.begin(), out.end(),
                                     [&](const Candidate& one) { return one.path == before.path; });
      // Replaced by removing and copying, perhaps.
      if (!there && !is_steady(before.path, std::nullopt)) out.push_back(before);
    }
    std::sort(out.begin(), out.end(),
              [](const Candidate& a, const Candidate& b) { return a.path < b.path; });
  }
  pending_ = std::move(pending);
  return out;
}

Result<PluginRegistry::Candidate> PluginRegistry::read(const fs::path& path,
                                                       const FileStamp& stamp) const {
  Candidate candidate;
  candidate.path = path;
  candidate.stamp = stamp;
  candidate.settled = now_ms() * 1'000'000 - stamp.changed_ns > kSettledNs;
  auto copy = copy_library(path, config_.cache);
  if (copy) {
    candidate.copy = std::move(*copy);
  } else if (copy.error().kind == ErrorKind::kInvalid || copy.error().kind == ErrorKind::kBusy) {
    candidate.unfinished = copy.error().kind == ErrorKind::kBusy;
    candidate.reason = copy.error().message;
  } else {
    return copy.error();
  }
  return candidate;
}

bool PluginRegistry::forget_verdicts(bool patient, bool policy_changed) {
  bool any = false;
  for (auto& [sha256, verdict] : verdicts_) {
    const bool refused = !verdict.probed.reason.empty();
    const bool is_time = verdict.probed.timed_out && verdict.tries <= config_.probe_again.size() &&
                         Clock::now() >= verdict.again;
    if (refused && !patient) verdict.tries = 0;
    verdict.stale = policy_changed || is_time || (refused && !patient);
    any |= verdict.stale;
  }
  return any;
}

Result<const PluginRegistry::Verdict*> PluginRegistry::judge(HostClient& host,
                                                             const LibraryCopy& copy,
                                                             const Policy& policy) {
  Verdict& verdict = verdicts_[copy.sha256];
  verdict.used = true;
  if (!verdict.stale) return &verdict;
  auto probed = probe(host, copy.path, policy.allow, config_.probe_deadline);
  if (!probed) return probed.error();
  verdict.probed = std::move(*probed);
  verdict.stale = false;
  if (verdict.probed.type) verdict.probed.type->sha256 = copy.sha256;
  if (!verdict.probed.timed_out) {
    verdict.tries = 0;
  } else if (const std::size_t tries = ++verdict.tries; tries <= config_.probe_again.size()) {
    const auto wait = config_.probe_again[tries - 1];
    verdict.again = Clock::now() + wait;
    verdict.probed.reason +=
        fmt::format(" ({} of {} tries); it is tried again in {} s", tries,
                    config_.probe_again.size() + 1, std::chrono::duration<double>(wait).count());
  } else {
    verdict.probed.reason +=
        fmt::format(" ({} of {} tries): replace the library, or let the plugins be looked at again",
                    tries, tries);
  }
  return &verdict;
}

Result<std::shared_ptr<PluginRegistry::Snapshot>> PluginRegistry::load(
    const std::vector<Candidate>& candidates, const Policy& policy) {
  const auto before = snapshot();
  std::map<std::string, std::string> quarantined;
  {
    const std::lock_guard lock(mutex_);
    quarantined = quarantined_;
  }
  const auto host = std::make_shared<HostClient>(
      HostClient::Options{config_.host_command, config_.memory_limit, host_starts_});
  auto next = std::make_shared<Snapshot>();
  next->host = host;
  std::vector<std::pair<std::size_t, std::shared_ptr<Plugin>>> sound;  // with its index in infos
  for (auto& [sha256, verdict] : verdicts_) verdict.used = false;

  for (const Candidate& candidate : candidates) {
    PluginInfo info;
    info.path = candidate.path;
    info.sha256 = candidate.copy.sha256;
    info.reason = candidate.reason;
    if (info.reason.empty()) {
      info.reason = why_not_pinned(info.path.filename().string(), info.sha256, policy.pinned);
    }
    if (info.reason.empty()) {
      const auto verdict = judge(*host, candidate.copy, policy);
      if (!verdict) return verdict.error();
      const ProbeResult& probed = (*verdict)->probed;
      info.reason = probed.reason;
      info.abi = probed.abi;
      if (probed.type) {
        info.type = probed.type->type;
        info.version = probed.type->version;
        info.program = probed.type->program;
      }
      if (const auto bad = quarantined.find(info.sha256); bad != quarantined.end()) {
        info.reason = bad->second;
      }
      if (info.reason.empty()) {
        sound.emplace_back(next->infos.size(),
                           std::make_shared<Plugin>(
                               Plugin{*probed.type, *probed.schema, candidate.copy.path, host}));
      }
    }
    next->infos.push_back(std::move(info));
  }

  std::erase_if(verdicts_, [](const auto& known) { return !known.second.used; });

  // The newest version of a type is offered; of equal ones the first path.
  std::stable_sort(sound.begin(), sound.end(), [](const auto& a, const auto& b) {
    return parse_version(a.second->type.version) > parse_version(b.second->type.version);
  });
  for (auto& [index, found] : sound) {
    auto& plugin = found;  // clang 14 takes no structured binding into a lambda
    PluginInfo& info = next->infos[index];
    const auto& others = next->plugins;
    const auto same_type = std::find_if(others.begin(), others.end(), [&](const auto& other) {
      return other->type.type == plugin->type.type;
    });
    const auto same_slug = std::find_if(others.begin(), others.end(), [&](const auto& other) {
      return other->type.slug == plugin->type.slug;
    });
    if (same_type != others.end()) {
      info.state = PluginState::kSuperseded;
      info.reason =
          "another library offers '" + info.type + "' in version " + (*same_type)->type.version;
    } else if (same_slug != others.end()) {
      info.reason = "its slug '" + plugin->type.slug + "' is that of the type '" +
                    (*same_slug)->type.type + "': choose another";
    } else {
      info.state = PluginState::kLoaded;
      info.loaded_at = now_ms();
      next->plugins.push_back(std::move(plugin));
    }
  }
  std::sort(next->plugins.begin(), next->plugins.end(),
            [](const auto& a, const auto& b) { return a->type.type < b->type.type; });

  for (const PluginInfo& old : before->infos) {
    const auto now = std::find_if(next->infos.begin(), next->infos.end(),
                                  [&](const PluginInfo& info) { return info.path == old.path; });
    if (now == next->infos.end()) {
      next->infos.push_back(old);
      next->infos.back().state = PluginState::kRemoved;
      next->infos.back().reason = "its file has gone";
    } else if (now->state == PluginState::kLoaded && old.state == PluginState::kLoaded &&
               now->sha256 == old.sha256) {
      now->loaded_at = old.loaded_at;
    }
  }
  std::sort(next->infos.begin(), next->infos.end(),
            [](const PluginInfo& a, const PluginInfo& b) { return a.path < b.path; });
  return next;
}

std::vector<JobTypePtr> PluginRegistry::job_types() const {
  std::vector<JobTypePtr> out;
  for (const auto& plugin : snapshot()->plugins) out.emplace_back(plugin, &plugin->type);
  return out;
}

JobTypePtr PluginRegistry::find_slug(std::string_view slug) const {
  for (const auto& plugin : snapshot()->plugins) {
    if (plugin->type.slug == slug) return {plugin, &plugin->type};
  }
  return nullptr;
}

JobTypePtr PluginRegistry::find_type(std::string_view type) const {
  for (const auto& plugin : snapshot()->plugins) {
    if (plugin->type.type == type) return {plugin, &plugin->type};
  }
  return nullptr;
}

std::vector<PluginInfo> PluginRegistry::list() const { return snapshot()->infos; }

std::shared_ptr<const PluginRegistry::Plugin> PluginRegistry::plugin_of(const JobType& type) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_sha256_.find(type.sha256);
  return found == by_sha256_.end() ? nullptr : found->second.lock();
}

Result<> PluginRegistry::check_host() {
  const auto now = snapshot();
  if (now->plugins.empty()) return {};  // nobody needs it
  const auto& plugin = *now->plugins.front();
  const auto reply = plugin.host->describe(plugin.library, config_.call_deadline);
  if (reply && reply->status == HostReply::Status::kOk) return {};
  return make_error(ErrorKind::kUnavailable,
                    "the plugin '" + plugin.type.type + "' " +
                        (reply ? "cannot be asked: " + reply->text : reply.error().message));
}

Result<json::object> PluginRegistry::check(const JobType& type, json::object params,
                                           const Confinement& confinement) const {
  const auto plugin = plugin_of(type);
  if (!plugin) {
    return make_error(ErrorKind::kUnavailable, "the plugin of '" + type.type + "' has gone");
  }
  return plugin->schema.check(std::move(params), confinement);
}

Result<std::vector<std::string>> PluginRegistry::argv(const JobType& type,
                                                      const json::object& params) {
  const auto plugin = plugin_of(type);
  if (!plugin) {
    return make_error(ErrorKind::kUnavailable, "the plugin of '" + type.type + "' has gone");
  }
  const std::string name = "the plugin '" + type.type + "' ";
  {
    const std::lock_guard lock(mutex_);
    if (const auto bad = quarantined_.find(type.sha256); bad != quarantined_.end()) {
      return make_error(ErrorKind::kUnavailable, name + "is quarantined: " + bad->second);
    }
  }
  const std::string inputs = plain_json(params);
  const auto reply = plugin->host->argv(plugin->library, inputs, config_.call_deadline);
  if (!reply) {
    const HostFailure& failure = reply.error();
    const bool own_fault =
        failure.kind == HostFailure::Kind::kCrashed || failure.kind == HostFailure::Kind::kDeadline;
    if (own_fault) count_crash(*plugin, failure.message);
    return make_error(own_fault ? ErrorKind::kInternal : ErrorKind::kUnavailable,
                      name + failure.message);
  }
  switch (reply->status) {
    case HostReply::Status::kOk:
      return read_arguments(type, reply->text, inputs.size());
    case HostReply::Status::kInvalid:
      return read_invalid(type, reply->text);
    default:
      return make_error(ErrorKind::kInternal, name + "failed: " + ellipsize(reply->text, 1000));
  }
}

void PluginRegistry::count_crash(const Plugin& plugin, const std::string& message) {
  const std::string& sha256 = plugin.type.sha256;
  const std::lock_guard lock(mutex_);
  const int count = ++crashes_[sha256];
  spdlog::warn("the plugin '{}' {} ({} of {})", plugin.type.type, message, count,
               config_.crashes_until_quarantine);
  if (count < config_.crashes_until_quarantine || quarantined_.contains(sha256)) return;
  const std::string reason = "it failed " + std::to_string(count) + " times; the last time it " +
                             message + ": replace the library, or restart the server";
  quarantined_[sha256] = reason;
  auto next = std::make_shared<Snapshot>(*snapshot_);
  std::erase_if(next->plugins, [&](const auto& one) { return one->type.sha256 == sha256; });
  for (PluginInfo& info : next->infos) {
    if (info.sha256 != sha256 || info.state == PluginState::kRemoved) continue;
    info.state = PluginState::kQuarantined;
    info.reason = reason;
  }
  snapshot_ = std::move(next);
  reload_ = true;  // an older version may take its place
}

}  // namespace runyard
