// runyard-shim <run folder> [--hold]: runs the command of one attempt and writes what became of it.
//
// It needs the server for nothing: everything it must know is in the run folder before it starts,
// everything it has to say is in the run folder when it ends. docs/run-folder.md is the contract.

#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/exec/cgroup.h"
#include "core/exec/process_tree.h"
#include "core/exec/run_folder.h"
#include "core/exec/shim/command_line.h"
#include "core/exec/shim/spawn.h"
#include "core/exec/shim/supervisor.h"
#include "core/exec/shim/test_points.h"

namespace runyard::shim {
namespace {

// Exit codes; how the command itself ended is in the record only.
constexpr int kRecorded = 0;
constexpr int kUsage = 2;
constexpr int kTakenBySomebodyElse = 3;
constexpr int kNoRecord = 4;
constexpr int kNotReleased = 5;

// An attempt of less than this is not worth a flush of its exit record.
constexpr std::int64_t kQuickMs = 1000;

void say(std::string_view sentence) {
  const std::string line = "runyard-shim: " + std::string(sentence) + "\n";
  // Nobody has to listen.
  [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, line.data(), line.size());
}

// Whatever the parent had blocked or ignored must reach neither the shim nor the command.
void take_over_signals() {
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &standard, nullptr);
  // All but the faults are blocked: a stray SIGQUIT or SIGXFSZ must not end the supervisor.
  sigset_t blocked;
  ::sigfillset(&blocked);
  for (const int fault : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT}) ::sigdelset(&blocked, fault);
  ::sigprocmask(SIG_SETMASK, &blocked, nullptr);
}

// Leaves standard input, output and error open, on /dev/null if need be, and nothing else.
void close_inherited_files() {
  if (::syscall(SYS_close_range, 3U, ~0U, 0U) != 0) {
    // A kernel before 5.9.
    if (DIR* const directory = ::opendir("/proc/self/fd")) {
      while (const dirent* entry = ::readdir(directory)) {
        const int fd = std::atoi(entry->d_name);
        if (fd > STDERR_FILENO && fd != ::dirfd(directory)) ::close(fd);
      }
      ::closedir(directory);
    }
  }
  int fd = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  while (fd >= 0 && fd <= STDERR_FILENO) fd = ::dup(fd);
  if (fd >= 0) ::close(fd);
}

void detach_standard_files() {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return;
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null, fd);
  ::close(null);
}

std::uint64_t size_of(int fd) {
  struct stat status {};
  return fd >= 0 && ::fstat(fd, &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

// Opens the log for appending; -1 with errno. Follows no link in its last part and accepts a
// regular file only: a pipe there would stop the job when nobody reads.
int open_log(const std::string& path) {
  const int fd = ::open(path.c_str(),
                        O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
  if (fd < 0) return -1;
  struct stat status {};
  if (::fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
    ::fcntl(fd, F_SETFL, O_APPEND);
    return fd;
  }
  ::close(fd);
  errno = EINVAL;
  return -1;
}

// Writes what fits: a full disk costs this line, not the job.
void append(int log, std::string_view text) {
  while (!text.empty()) {
    const ssize_t size = ::write(log, text.data(), text.size());
    if (size <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(size));
  }
}

// Writes the attempt's first line and returns where it begins. An earlier attempt that was killed
// may have left half a line, which is ended first.
std::uint64_t begin_log(int log, const RunSpec& spec) {
  if (const std::uint64_t size = size_of(log); size > 0) {
    char last = '\n';
    const int reader = ::open(spec.log.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (reader >= 0) {
      if (::pread(reader, &last, 1, static_cast<off_t>(size - 1)) == 1 && last != '\n') {
        append(log, "\n");
      }
      ::close(reader);
    }
  }
  const std::uint64_t start = size_of(log);
  append(log, "$ " + command_line(spec.args) + "\n");
  return start;
}

// The reason not to start at all, if there is one by now.
std::optional<RunEnd> reason_not_to_start(ControlFile* control) {
  control->refresh();
  if (control->current().cancel) return RunEnd::kCancelled;
  sigset_t pending;
  ::sigpending(&pending);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    if (::sigismember(&pending, signal) == 1) return RunEnd::kTerminated;
  }
  return std::nullopt;
}

RunExit never_ran(RunEnd reason, SpawnStage stage = SpawnStage::kNone, int error = 0) {
  RunExit exit;
  exit.reason = reason;
  exit.stage = stage;
  exit.error = error;
  return exit;
}

// Takes over what the spec names of the environment that was given to the shim itself.
void inherit_variables(RunSpec* spec) {
  for (char** entry = environ; !spec->inherit.empty() && *entry != nullptr; ++entry) {
    const std::string_view variable(*entry);
    const std::string_view name = variable.substr(0, variable.find('='));
    bool wanted = false;
    for (const std::string& pattern : spec->inherit) {
      const std::string_view text(pattern);
      wanted = wanted || text == name ||
               (text.ends_with('*') && name.starts_with(text.substr(0, text.size() - 1)));
    }
    if (!wanted || name.size() == variable.size()) continue;
    std::erase_if(spec->env, [name](const std::string& known) {
      return known.size() > name.size() && known[name.size()] == '=' && known.starts_with(name);
    });
    spec->env.emplace_back(variable);
  }
}

// From the claim to the end of the tree. The spec is a parameter by value, and dropped here, for
// its memory: it may be megabytes, and the job may run for weeks.
RunExit run_attempt(RunSpec spec, int record, const std::string& cgroup_path, Cgroup* cgroup,
                    int* log) {
  ControlFile control;
  if (const auto reason = reason_not_to_start(&control)) return never_ran(*reason);

  *log = open_log(spec.log);
  if (*log < 0) return never_ran(RunEnd::kSpawnError, SpawnStage::kLog, errno);
  RunStart start;
  start.log_start = begin_log(*log, spec);
  test_point("log_opened");

  inherit_variables(&spec);
  *cgroup = Cgroup::make(cgroup_path);
  test_point("fenced");
  SpawnFailure failure;
  start.command.pid = spawn_command(spec, *log, cgroup->fd(), &failure);
  if (start.command.pid < 0) return never_ran(RunEnd::kSpawnError, failure.stage, failure.error);
  test_point("spawned");

  start.wall_ms = wall_clock_ms();
  Limits limits{spec.token, spec.timeout_ms, spec.grace_ms, spec.log_max_bytes};
  Supervisor supervisor(std::move(limits), &control, cgroup, start.command.pid, *log);
  // Still there, even if it has ended already: nobody but the supervisor reaps it.
  if (const auto process = read_process(start.command.pid)) start.command = process->id;
  write_start(record, start);
  spec = {};
  ::malloc_trim(0);
  test_point("start_recorded");
  return supervisor.run();
}

// Waits for a byte in standard input. False: there will be none, for who was to write it is gone.
bool is_released() {
  char byte = 0;
  ssize_t size = -1;
  while ((size = ::read(STDIN_FILENO, &byte, 1)) < 0 && errno == EINTR) {
  }
  return size == 1;
}

int run(const char* folder, bool hold) {
  test_point("shim_start");
  // Refused only to the leader of a process group, that is, when a person starts it by hand in a
  // terminal; then ^C ends the job as SIGTERM does.
  ::setsid();
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  if (::chdir(folder) != 0) {
    say("cannot enter the run folder " + std::string(folder));
    return kNoRecord;
  }

  RunFolderError error;
  std::optional<RunSpec> spec = read_spec(".", &error);
  const int spec_error = spec ? 0 : error.code;
  if (!spec) say(error.sentence);

  RunClaim claim;
  claim.shim.pid = ::getpid();
  if (const auto self = read_process(claim.shim.pid)) claim.shim = self->id;
  claim.boot_id = boot_id();
  if (spec) claim.cgroup = Cgroup::plan(spec->token);
  test_point("ready");
  if (hold && !is_released()) return kNotReleased;
  claim.wall_ms = wall_clock_ms();
  int record = -1;
  switch (claim_attempt(".", claim, &record, &error)) {
    case ClaimOutcome::kClaimed:
      break;
    case ClaimOutcome::kTaken:
      say("this attempt has been claimed before; nothing was run");
      return kTakenBySomebodyElse;
    case ClaimOutcome::kFailed:
      say(error.sentence);
      return kNoRecord;
  }
  if (spec && ::access("spec", F_OK) != 0) {
    // The attempt is over: another shim had it, and its folder, claim included, is being removed.
    ::unlink("record");
    ::rmdir(folder);
    return kTakenBySomebodyElse;
  }
  detach_standard_files();
  test_point("claimed");

  int log = -1;
  Cgroup cgroup;
  RunExit exit = spec ? run_attempt(std::move(*spec), record, claim.cgroup, &cgroup, &log)
                      : never_ran(RunEnd::kSpawnError, SpawnStage::kSpec, spec_error);
  exit.wall_ms = wall_clock_ms();
  exit.log_end = size_of(log);
  // A flush costs as much as a quick command itself, and saves its result only from a power cut
  // within seconds; docs/run-folder.md weighs the two. A clock that was set back counts as long.
  const bool quick = exit.wall_ms >= claim.wall_ms && exit.wall_ms < claim.wall_ms + kQuickMs;
  const bool recorded = write_exit(record, exit, !quick);
  test_point("exit_recorded");
  cgroup.remove();
  return recorded ? kRecorded : kNoRecord;
}

}  // namespace
}  // namespace runyard::shim

int main(int argc, char** argv) {
  runyard::shim::take_over_signals();
  runyard::shim::close_inherited_files();
  const bool hold = argc == 3 && std::string_view(argv[2]) == "--hold";
  if ((argc != 2 && !hold) || argv[1][0] == '-') {
    runyard::shim::say("usage: runyard-shim <run folder> [--hold]");
    return runyard::shim::kUsage;
  }
  return runyard::shim::run(argv[1], hold);
}
