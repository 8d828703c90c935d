#include "core/exec/shim/spawn.h"

#include <linux/sched.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace runyard::shim {
namespace {

constexpr std::string_view kDefaultPath = "/usr/local/bin:/usr/bin:/bin";

// The files that may be the program, in the order in which they are tried.
std::vector<std::string> program_files(const RunSpec& spec) {
  const std::string& program = spec.args[0];
  if (program.find('/') != std::string::npos) return {program};
  std::string_view path = kDefaultPath;
  constexpr std::string_view kName = "PATH=";
  for (const std::string& variable : spec.env) {
    if (std::string_view(variable).substr(0, kName.size()) != kName) continue;
    path = std::string_view(variable).substr(kName.size());
    break;
  }
  std::vector<std::string> files;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find(':'), path.size());
    // Relative folders, the empty one too, would make the program depend on the working directory.
    if (path[0] == '/') files.push_back(std::string(path.substr(0, end)) + "/" + program);
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return files;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> all;
  all.reserve(texts.size() + 1);
  for (const std::string& text : texts) all.push_back(const_cast<char*>(text.c_str()));
  all.push_back(nullptr);
  return all;
}

struct Plan {
  const char* cwd = nullptr;
  std::vector<std::string> files;
  std::vector<char*> args;
  std::vector<char*> env;
  int log = -1;
};

[[noreturn]] void fail(volatile SpawnFailure* failure, SpawnStage stage, int error) {
  failure->stage = stage;
  failure->error = error;
  ::_exit(127);
}

// Runs in the child of a vfork, on the parent's memory: system calls only, nothing allocated.
// `failure` is how it answers; the parent sleeps until the exec or the _exit.
[[noreturn]] void run_child(const Plan& plan, volatile SpawnFailure* failure) {
  ::setpgid(0, 0);
  if (::dup2(plan.log, STDOUT_FILENO) < 0 || ::dup2(plan.log, STDERR_FILENO) < 0) {
    fail(failure, SpawnStage::kLog, errno);
  }
  if (::chdir(plan.cwd) != 0) fail(failure, SpawnStage::kChdir, errno);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);

  int error = ENOENT;
  for (const std::string& file : plan.files) {
    ::execve(file.c_str(), plan.args.data(), plan.env.data());
    // As every shell does: "not allowed" says more than the "not found" of the folders behind it.
    if (errno == ENOENT || errno == ENOTDIR) continue;
    error = errno;
    if (error != EACCES) break;
  }
  fail(failure, SpawnStage::kExec, error);
}

__attribute__((noinline)) pid_t start(const Plan& plan, volatile SpawnFailure* failure) {
  const pid_t pid = ::vfork();
  if (pid == 0) run_child(plan, failure);
  return pid;
}

// The same, with the child born in the cgroup: moving it there later would wait for all processors
// of the machine, milliseconds. -1: not on this kernel, or not allowed, and no child was made.
pid_t start_within(int cgroup, const Plan& plan, volatile SpawnFailure* failure) {
  // A copy of the parent's memory, which is small: on shared memory the two would also share the
  // stack on which this system call returns twice. What the child answers is shared.
  void* const shared = ::mmap(nullptr, sizeof(SpawnFailure), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return -1;
  auto* const answer = static_cast<volatile SpawnFailure*>(shared);
  answer->stage = SpawnStage::kNone;
  clone_args args{};
  args.flags = CLONE_VFORK | CLONE_INTO_CGROUP;
  args.exit_signal = SIGCHLD;
  args.cgroup = static_cast<std::uint64_t>(cgroup);
  const auto pid = static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof args));
  if (pid == 0) run_child(plan, answer);
  failure->stage = answer->stage;
  failure->error = answer->error;
  ::munmap(shared, sizeof(SpawnFailure));
  return pid;
}

}  // namespace

pid_t spawn_command(const RunSpec& spec, int log, int cgroup, SpawnFailure* failure) {
  const Plan plan{spec.cwd.c_str(), program_files(spec), pointers(spec.args), pointers(spec.env),
                  log};
  volatile SpawnFailure answer;
  answer.stage = SpawnStage::kNone;
  answer.error = 0;
  pid_t pid = cgroup < 0 ? -1 : start_within(cgroup, plan, &answer);
  if (pid < 0) pid = start(plan, &answer);
  if (pid < 0) {
    *failure = {SpawnStage::kFork, errno};
    return -1;
  }
  if (answer.stage == SpawnStage::kNone) return pid;
  *failure = {answer.stage, answer.error};
  ::waitpid(pid, nullptr, 0);
  return -1;
}

}  // namespace runyard::shim
