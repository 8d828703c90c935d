#include "core/exec/local_executor.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/process/v2/posix/vfork_launcher.hpp>
#include <boost/process/v2/process.hpp>
#include <cstring>

#include "core/base/files.h"
#include "core/base/kill_point.h"
#include "core/base/open_files.h"
#include "core/exec/attempt.h"
#include "core/exec/cgroup.h"

namespace runyard {
namespace {

namespace asio = boost::asio;
namespace process = boost::process::v2;

constexpr int kClearEveryMs = 50;
constexpr int kQuietRounds = 2;  // /proc is no snapshot: once is not enough

/// What a shim and its job do not inherit from this process.
struct OwnLimits {
  template <class Launcher, class Path>
  boost::system::error_code on_exec_setup(Launcher&, const Path&, const char* const*&) {
    restore_open_files();
    return {};
  }
};

std::optional<std::int64_t> size_of(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  return static_cast<std::int64_t>(info.st_size);
}

}  // namespace

struct LocalExecutor::Supervised {
  explicit Supervised(asio::io_context& engine)
      : pidfd(engine), timer(engine), tell_again(engine) {}

  std::string job_id;
  int attempt = 1;
  std::string token;
  std::filesystem::path folder;
  AttemptSpec wanted;
  RunSpec spec;  // what is in the folder, which may be an earlier server's
  RunControl control;
  ProcessId shim;             // pid 0: not known
  bool shim_started = false;  // by this server
  std::string shim_error;
  asio::posix::stream_descriptor pidfd;
  asio::steady_timer timer;
  asio::steady_timer tell_again;
  std::string cgroup;  // of the claim; "" when there is none, or it was made before a reboot
  int quiet_rounds = 0;
  TimeMs kill_at = 0;
};

LocalExecutor::LocalExecutor(asio::io_context& engine, std::filesystem::path attempts,
                             std::filesystem::path shim, Ended ended)
    : engine_(engine),
      attempts_(std::move(attempts)),
      shim_(std::move(shim)),
      ended_(std::move(ended)) {}

LocalExecutor::~LocalExecutor() { cleaner_.join(); }

std::filesystem::path LocalExecutor::folder_of(const std::string& job_id, int attempt) const {
  return attempts_ / token_of(job_id, attempt);
}

void LocalExecutor::run(AttemptSpec spec) {
  auto attempt = std::make_unique<Supervised>(engine_);
  attempt->job_id = spec.job_id;
  attempt->attempt = spec.attempt;
  attempt->token = token_of(spec.job_id, spec.attempt);
  attempt->folder = folder_of(spec.job_id, spec.attempt);
  attempt->wanted = std::move(spec);
  const std::string token = attempt->token;
  Supervised& supervised = *(supervised_[token] = std::move(attempt));
  prepare(supervised);
  asio::post(engine_, [this, token] { look(token); });
}

/// Makes the run folder, or takes the one of an earlier server as it is.
void LocalExecutor::prepare(Supervised& attempt) {
  RunFolderError error;
  if (auto known = read_spec(attempt.folder, &error)) {
    attempt.spec = std::move(*known);
    if (auto control = read_control(attempt.folder, &error)) attempt.control = *control;
    // Changed, and the server died before it could say so to the shim.
    const auto wanted = static_cast<std::uint64_t>(attempt.wanted.timeout_sec) * 1000;
    if (attempt.control.timeout_ms.value_or(attempt.spec.timeout_ms) != wanted) {
      attempt.control.timeout_ms = wanted;
      tell_shim(attempt);
    }
    return;
  }
  attempt.spec = to_run_spec(attempt.wanted);
  if (auto done = make_private_folders(attempt.folder); !done) {
    attempt.shim_error = done.error().message;
  } else if (!write_spec(attempt.folder, attempt.spec, &error)) {
    attempt.shim_error = error.sentence;
  }
  kill_point("spec_written");
}

/// The one place that decides what an attempt's files and processes mean.
void LocalExecutor::look(const std::string& token) {
  const auto found = supervised_.find(token);
  if (found == supervised_.end()) return;
  Supervised& attempt = *found->second;

  AttemptResult failed;
  failed.reason = EndReason::kSpawnError;
  failed.at = now_ms();

  RunRecord record;
  RunFolderError error;
  const RecordState state = read_record(attempt.folder, &record, &error);
  if (record.claim && record.claim->boot_id == boot_id()) attempt.cgroup = record.claim->cgroup;
  if (state == RecordState::kPresent && record.exit) {
    return finish(token, to_result(record, attempt.spec, attempt.control.cancel));
  }
  if (state == RecordState::kUnreadable) {
    // Nobody can know whether it runs: try until somebody mends the folder.
    spdlog::error("{}: {}", token, error.sentence);
    return after(attempt, 1000, &LocalExecutor::look);
  }
  if (state == RecordState::kAbsent) {
    if (!attempt.shim_started && attempt.shim_error.empty()) {
      start_shim(attempt);
      if (attempt.shim.pid != 0) return;
    } else if (attempt.shim.pid != 0 && is_alive(attempt.shim)) {
      return after(attempt, 1000, &LocalExecutor::look);
    }
    // The shim could not start or died before its claim. Nobody may claim it behind our back.
    failed.message = "the job's supervisor could not be started: " +
                     (attempt.shim_error.empty() ? "it ended at once" : attempt.shim_error);
    const RunClaim claim{ProcessId{::getpid(), 0}, boot_id(), now_ms()};
    if (withdraw_attempt(attempt.folder, claim, &error) == ClaimOutcome::kTaken) {
      return after(attempt, 10, &LocalExecutor::look);
    }
    return finish(token, std::move(failed));
  }
  // Claimed and not ended: the claim's shim decides.
  if (record.claim && record.claim->boot_id == boot_id() && is_alive(record.claim->shim)) {
    if (record.claim->shim != attempt.shim || !attempt.pidfd.is_open()) {
      watch(attempt, record.claim->shim);
    }
    return;
  }
  // Read once more: the exit may have been written between the two looks.
  if (read_record(attempt.folder, &record, &error) == RecordState::kPresent && record.exit) {
    return finish(token, to_result(record, attempt.spec, attempt.control.cancel));
  }
  attempt.quiet_rounds = 0;
  attempt.kill_at = now_ms() + static_cast<TimeMs>(attempt.spec.grace_ms);
  clear_tree(token);
}

void LocalExecutor::start_shim(Supervised& attempt) {
  attempt.shim_started = true;
  // The shim needs no environment: the command's is in the spec. Only the fault tests talk to it.
  std::vector<std::string> variables;
  std::vector<const char*> env;
#ifdef RUNYARD_KILL_POINTS
  for (const char* name : {"RUNYARD_SHIM_KILL_POINT", "RUNYARD_SHIM_PAUSE_POINT"}) {
    if (const char* value = std::getenv(name)) {
      variables.push_back("RUNYARD_" + std::string(name).substr(sizeof "RUNYARD_SHIM_" - 1) + "=" +
                          value);
    }
  }
#endif
  for (const auto& variable : variables) env.push_back(variable.c_str());
  env.push_back(nullptr);
  process::posix::vfork_launcher launcher;
  launcher.env = env.data();
  boost::system::error_code error;
  auto child = launcher(engine_, error, shim_.string(),
                        std::vector<std::string>{attempt.folder.string()}, OwnLimits{});
  if (error) {
    attempt.shim_error = shim_.string() + ": " + error.message();
    return;
  }
  const auto pid = child.id();
  child.detach();  // it must outlive us, and we watch it ourselves
  kill_point("shim_spawned");
  if (const auto info = read_process(pid)) {
    watch(attempt, info->id);
  } else {
    attempt.shim_error = "its process cannot be seen in /proc";
  }
}

void LocalExecutor::watch(Supervised& attempt, const ProcessId& shim) {
  attempt.shim = shim;
  boost::system::error_code ignored;
  attempt.pidfd.close(ignored);
  const int fd = pidfd_open_checked(shim);
  if (fd < 0) return after(attempt, 0, &LocalExecutor::look);
  attempt.pidfd.assign(fd);
  attempt.pidfd.async_wait(
      asio::posix::stream_descriptor::wait_read,
      [this, token = attempt.token, pid = shim.pid](const boost::system::error_code& error) {
        if (error) return;
        int status = 0;
        ::waitpid(pid, &status, WNOHANG);  // ECHILD for an adopted one
        const auto found = supervised_.find(token);
        if (found == supervised_.end()) return;
        boost::system::error_code closed;
        found->second->pidfd.close(closed);
        look(token);
      });
  if (attempt.control.cancel) tell_shim(attempt);
}

void LocalExecutor::after(Supervised& attempt, int delay_ms,
                          void (LocalExecutor::*step)(const std::string&)) {
  attempt.timer.expires_after(std::chrono::milliseconds(delay_ms));
  attempt.timer.async_wait(
      [this, step, token = attempt.token](const boost::system::error_code& error) {
        if (!error) (this->*step)(token);
      });
}

/// The shim is dead: its tree must not outlive it, or a GPU stays taken.
void LocalExecutor::clear_tree(const std::string& token) {
  const auto found = supervised_.find(token);
  if (found == supervised_.end()) return;
  Supervised& attempt = *found->second;
  const int signal = now_ms() >= attempt.kill_at ? SIGKILL : SIGTERM;
  const Cgroup cgroup = Cgroup::open(attempt.cgroup, token);
  const SignalRound round = kill_tree_by_token(token, signal, cgroup.processes());
  const bool fenced = signal == SIGKILL && cgroup.kill() && cgroup.is_populated();
  attempt.quiet_rounds = round.signalled > 0 || fenced ? 0 : attempt.quiet_rounds + 1;
  if (attempt.quiet_rounds < kQuietRounds) {
    return after(attempt, kClearEveryMs, &LocalExecutor::clear_tree);
  }
  AttemptResult result;
  result.reason = EndReason::kLost;
  result.message = "the job's supervisor was killed, or the machine went down under it";
  result.at = now_ms();
  result.log_end = size_of(attempt.spec.log);
  RunRecord record;
  RunFolderError error;
  if (read_record(attempt.folder, &record, &error) == RecordState::kPresent && record.start) {
    result.started_at = record.start->wall_ms;
    result.log_start = static_cast<std::int64_t>(record.start->log_start);
  }
  finish(token, std::move(result));
}

void LocalExecutor::finish(const std::string& token, AttemptResult result) {
  const auto found = supervised_.find(token);
  const auto attempt = std::move(found->second);
  supervised_.erase(found);
  Cgroup::open(attempt->cgroup, token).remove();  // left by a shim that was killed
  kill_point("end_seen");
  ended_(attempt->job_id, attempt->attempt, result);
}

void LocalExecutor::tell_shim(Supervised& attempt) {
  RunFolderError error;
  if (!write_control(attempt.folder, attempt.control, &error)) {
    spdlog::error("{}: {}", attempt.token, error.sentence);
    if (attempt.control.cancel && attempt.shim.pid != 0) {
      // No room for the file: SIGTERM says the same, only less exactly.
      send_signal(attempt.shim, SIGTERM);
    }
    attempt.tell_again.expires_after(std::chrono::seconds(1));
    attempt.tell_again.async_wait(
        [this, token = attempt.token](const boost::system::error_code& stopped) {
          const auto found = supervised_.find(token);
          if (!stopped && found != supervised_.end()) tell_shim(*found->second);
        });
    return;
  }
  kill_point("control_written");
  // Before its claim the shim reads the file anyway, and the signal could kill it.
  RunRecord record;
  if (attempt.shim.pid != 0 &&
      read_record(attempt.folder, &record, &error) == RecordState::kPresent && record.claim) {
    send_signal(record.claim->shim, SIGUSR1);
  }
}

void LocalExecutor::cancel(const std::string& job_id, int attempt) {
  const auto found = supervised_.find(token_of(job_id, attempt));
  if (found == supervised_.end() || found->second->control.cancel) return;
  found->second->control.cancel = true;
  tell_shim(*found->second);
}

void LocalExecutor::set_timeout(const std::string& job_id, int attempt, std::int64_t timeout_sec) {
  const auto found = supervised_.find(token_of(job_id, attempt));
  if (found == supervised_.end()) return;
  found->second->control.timeout_ms = static_cast<std::uint64_t>(timeout_sec) * 1000;
  tell_shim(*found->second);
}

void LocalExecutor::clean_up(const std::string& job_id, int attempt, EndReason) {
  asio::post(cleaner_, [folder = folder_of(job_id, attempt)] {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  });
}

}  // namespace runyard
