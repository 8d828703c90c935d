#include "core/exec/shim/spawn.h"

#include <linux/sched.h>
#include <sched.h>
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
__attribute__((noinline)) pid_t start_within(int cgroup, const Plan& plan,
                                             volatile SpawnFailure* failure) {
  clone_args args{};
  args.flags = CLONE_VM | CLONE_VFORK | CLONE_INTO_CGROUP;
  args.exit_signal = SIGCHLD;
  args.cgroup = static_cast<std::uint64_t>(cgroup);
  long pid = -1;
  // Not by syscall(): the child, which is on the parent's stack, would write over the address to
  // which that function returns a second time.
#if defined(__x86_64__)
  asm volatile("syscall"
               : "=a"(pid)
               : "a"(SYS_clone3), "D"(&args), "S"(sizeof args)
               : "rcx", "r11", "memory");
#elif defined(__aarch64__)
  register long number asm("x8") = SYS_clone3;
  register long first asm("x0") = reinterpret_cast<long>(&args);
  register long second asm("x1") = sizeof args;
  asm volatile("svc 0" : "+r"(first) : "r"(number), "r"(second) : "memory");
  pid = first;
#endif
  if (pid == 0) run_child(plan, failure);
  return pid > 0 ? static_cast<pid_t>(pid) : -1;
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
