#include "core/exec/local_executor.h"

#include <fmt/format.h>
#include <spawn.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstring>

#include "core/base/files.h"
#include "core/base/kill_point.h"
#include "core/base/open_files.h"
#include "core/base/run_program.h"
#include "core/exec/attempt.h"
#include "core/exec/cgroup.h"

namespace runyard {
namespace {

namespace asio = boost::asio;

constexpr int kClearEveryMs = 50;
constexpr int kQuietRounds = 2;  // /proc is no snapshot: once is not enough

/// Starts the shim with `input` as its standard input, our standard output and error, and no other
/// file of ours; 0 or errno. Not with Boost.Process: its launcher makes the engine's epoll anew in
/// a child that shares our memory (docs/decisions.md).
int spawn_shim(const std::string& program, std::vector<std::string> words,
               std::vector<std::string> variables, int input, pid_t* pid) {
  posix_spawn_file_actions_t files;
  if (const int error = ::posix_spawn_file_actions_init(&files); error != 0) return error;
  ::posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
  ::posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
  const int error = ::posix_spawn(pid, program.c_str(), &files, nullptr,
                                  exec_pointers(words).data(), exec_pointers(variables).data());
  ::posix_spawn_file_actions_destroy(&files);
  return error;
}

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
  bool held = false;          // prepared, and not yet to be run
  bool abandoned = false;     // ... and never will be
  UniqueFd release;           // of a shim that waits: a byte lets it go on, the end sends it away
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

LocalExecutor::Supervised& LocalExecutor::supervise(AttemptSpec spec) {
  auto attempt = std::make_unique<Supervised>(engine_);
  attempt->job_id = spec.job_id;
  attempt->attempt = spec.attempt;
  attempt->token = token_of(spec.job_id, spec.attempt);
  attempt->folder = folder_of(spec.job_id, spec.attempt);
  attempt->wanted = std::move(spec);
  return *(supervised_[attempt->token] = std::move(attempt));
}

void LocalExecutor::prepare(const AttemptSpec& spec) {
  Supervised& attempt = supervise(spec);
  attempt.held = true;
  RunRecord record;
  RunFolderError error;
  // Claimed by whomever: run() finds out what that means.
  if (read_record(attempt.folder, &record, &error) != RecordState::kAbsent) {
    return take_folder(attempt);
  }
  make_folder(attempt);
  if (!attempt.shim_error.empty()) return;
  asio::post(engine_, [this, token = attempt.token] {
    const auto found = supervised_.find(token);
    if (found != supervised_.end() && found->second->held) start_shim(*found->second);
  });
}

void LocalExecutor::run(AttemptSpec spec) {
  const std::string token = token_of(spec.job_id, spec.attempt);
  if (const auto prepared = supervised_.find(token); prepared != supervised_.end()) {
    Supervised& attempt = *prepared->second;
    attempt.held = false;
    let_go(attempt);
    if (attempt.pidfd.is_open()) return;
  } else {
    take_folder(supervise(std::move(spec)));
  }
  asio::post(engine_, [this, token] { look(token); });
}

void LocalExecutor::make_folder(Supervised& attempt) {
  RunFolderError error;
  attempt.spec = to_run_spec(attempt.wanted);
  if (auto done = make_private_folders(attempt.folder); !done) {
    attempt.shim_error = done.error().message;
  } else if (!write_spec(attempt.folder, attempt.spec, &error)) {
    attempt.shim_error = error.sentence;
  }
  kill_point("spec_written");
}

/// Makes the run folder, or takes the one of an earlier server as it is.
void LocalExecutor::take_folder(Supervised& attempt) {
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
  make_folder(attempt);
}

/// The one place that decides what an attempt's files and processes mean.
void LocalExecutor::look(const std::string& token) {
  const auto found = supervised_.find(token);
  if (found == supervised_.end()) return;
  Supervised& attempt = *found->second;
  if (attempt.held) {  // run() looks
    if (attempt.abandoned) supervised_.erase(found);
    return;
  }

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
      let_go(attempt);
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

/// Starts it; it waits for let_go() before it claims the attempt.
void LocalExecutor::start_shim(Supervised& attempt) {
  attempt.shim_started = true;
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    attempt.shim_error = std::string("no socket for it: ") + std::strerror(errno);
    return;
  }
  const UniqueFd input(ends[0]);
  attempt.release = UniqueFd(ends[1]);
  // The shim needs no environment: the command's is in the spec. Only the fault tests talk to it.
  std::vector<std::string> variables;
#ifdef RUNYARD_KILL_POINTS
  for (const char* name : {"RUNYARD_SHIM_KILL_POINT", "RUNYARD_SHIM_PAUSE_POINT"}) {
    if (const char* value = std::getenv(name)) {
      variables.push_back("RUNYARD_" + std::string(name).substr(sizeof "RUNYARD_SHIM_" - 1) + "=" +
                          value);
    }
  }
#endif
  pid_t pid = 0;
  if (const int error =
          spawn_shim(shim_.string(), {shim_.string(), attempt.folder.string(), "--hold"},
                     std::move(variables), input.get(), &pid);
      error != 0) {
    attempt.shim_error = shim_.string() + ": " + std::strerror(error);
    return;
  }
  restore_open_files(pid);
  kill_point("shim_spawned");
  if (const auto info = read_process(pid)) {
    watch(attempt, info->id);
  } else {
    attempt.shim_error = "its process cannot be seen in /proc";
  }
}

/// The shim may claim the attempt. One that has died meanwhile is seen by its pidfd.
void LocalExecutor::let_go(Supervised& attempt) {
  if (attempt.release) (void)::send(attempt.release.get(), "", 1, MSG_NOSIGNAL);
  attempt.release.reset();
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
  if (const auto found = supervised_.find(token_of(job_id, attempt)); found != supervised_.end()) {
    // It was prepared and never run: its shim gives up, and is reaped.
    Supervised& prepared = *found->second;
    prepared.abandoned = true;
    prepared.release.reset();
    if (!prepared.pidfd.is_open()) supervised_.erase(found);
  }
  asio::post(cleaner_, [folder = folder_of(job_id, attempt)] { remove_run_folder(folder); });
}

}  // namespace runyard
