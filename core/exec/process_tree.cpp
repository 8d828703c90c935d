#include "core/exec/process_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>

namespace runyard {
namespace {

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }

 private:
  int fd_;
};

// Room for a path below /proc: "<pid>/environ".
using ProcPath = std::array<char, 32>;

ProcPath proc_path(pid_t pid, std::string_view file) {
  ProcPath path{};
  char* end = std::to_chars(path.data(), path.data() + 16, pid).ptr;
  *end++ = '/';
  std::memcpy(end, file.data(), file.size());
  return path;
}

template <typename Int>
std::optional<Int> to_number(std::string_view text) {
  Int value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Parses /proc/<pid>/stat. The name in parentheses may hold anything, so fields are counted from
// the last ')'.
std::optional<ProcessInfo> parse_stat(pid_t pid, std::string_view text) {
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string_view::npos || name_end + 2 > text.size()) return std::nullopt;
  text.remove_prefix(name_end + 2);

  constexpr std::size_t kState = 3, kParent = 4, kThreads = 20, kStart = 22;
  std::array<std::string_view, kStart + 1> fields;
  for (std::size_t i = kState; i <= kStart; ++i) {
    const std::size_t space = text.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    fields[i] = text.substr(0, space);
    text.remove_prefix(space + 1);
  }
  const auto parent = to_number<pid_t>(fields[kParent]);
  const auto threads = to_number<int>(fields[kThreads]);
  const auto start = to_number<std::uint64_t>(fields[kStart]);
  if (!parent || !threads || !start) return std::nullopt;

  ProcessInfo info;
  info.id = {pid, *start};
  info.parent = *parent;
  // The main thread may have ended while others run on: a zombie with more than one thread lives.
  const bool ended = fields[kState] == "Z" || fields[kState] == "X";
  info.alive = !ended || *threads > 1;
  return info;
}

// `owner`, when given, receives the user the process runs as.
std::optional<ProcessInfo> read_process_at(int proc, pid_t pid, uid_t* owner) {
  const Fd fd(::openat(proc, proc_path(pid, "stat").data(), O_RDONLY | O_CLOEXEC));
  if (!fd.ok()) return std::nullopt;
  std::array<char, 1024> text;
  const ssize_t size = ::read(fd.get(), text.data(), text.size());
  if (size <= 0) return std::nullopt;
  if (owner != nullptr) {
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return std::nullopt;
    *owner = status.st_uid;
  }
  return parse_stat(pid, {text.data(), static_cast<std::size_t>(size)});
}

// True when the environment holds exactly this variable, "NAME=value" between two NULs.
bool environment_holds(int proc, pid_t pid, std::string_view variable) {
  const Fd fd(::openat(proc, proc_path(pid, "environ").data(), O_RDONLY | O_CLOEXEC));
  if (!fd.ok()) return false;

  std::array<char, 4096> chunk;
  std::size_t matched = 0;  // bytes of the current variable that agree so far
  bool differs = false;
  for (;;) {
    const ssize_t size = ::read(fd.get(), chunk.data(), chunk.size());
    if (size < 0) return false;
    if (size == 0) return !differs && matched == variable.size();
    const char* at = chunk.data();
    const char* const end = at + size;
    while (at < end) {
      if (differs) {
        at = static_cast<const char*>(std::memchr(at, '\0', static_cast<std::size_t>(end - at)));
        if (at == nullptr) break;
      }
      if (*at == '\0') {
        if (!differs && matched == variable.size()) return true;
        matched = 0;
        differs = false;
      } else if (matched < variable.size() && *at == variable[matched]) {
        ++matched;
      } else {
        differs = true;
      }
      ++at;
    }
  }
}

struct Candidate {
  ProcessInfo info;
  bool in_tree = false;
};

// All processes of the machine; those with the token and the members are marked.
std::vector<Candidate> scan(std::string_view token, const std::vector<pid_t>& members = {}) {
  std::vector<Candidate> all;
  DIR* const directory = ::opendir("/proc");
  if (directory == nullptr) return all;
  const int proc = ::dirfd(directory);
  const uid_t user = ::geteuid();
  std::string variable;
  if (!token.empty()) {
    variable.append(kTokenVariable).append("=").append(token);
  }

  while (const dirent* entry = ::readdir(directory)) {
    const auto pid = to_number<pid_t>(entry->d_name);
    if (!pid) continue;
    uid_t owner = 0;
    const auto info = read_process_at(proc, *pid, &owner);
    if (!info) continue;
    const bool member = std::find(members.begin(), members.end(), *pid) != members.end();
    const bool marked =
        info->alive &&
        (member || (!variable.empty() && owner == user && environment_holds(proc, *pid, variable)));
    all.push_back({*info, marked});
  }
  ::closedir(directory);
  return all;
}

std::vector<ProcessId> living(const std::vector<Candidate>& all, pid_t root) {
  std::vector<ProcessId> found;
  const pid_t self = ::getpid();
  for (const Candidate& one : all) {
    const pid_t pid = one.info.id.pid;
    if (one.in_tree && one.info.alive && pid != self && pid != root) found.push_back(one.info.id);
  }
  return found;
}

int open_pidfd(pid_t pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)); }

SignalOutcome outcome_of(int result) {
  if (result == 0) return SignalOutcome::kSent;
  return errno == EPERM ? SignalOutcome::kRefused : SignalOutcome::kGone;
}

}  // namespace

std::string boot_id() {
  const Fd fd(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  std::array<char, 64> text;
  const ssize_t size = fd.ok() ? ::read(fd.get(), text.data(), text.size()) : 0;
  if (size <= 0) return {};
  const std::string_view line(text.data(), static_cast<std::size_t>(size));
  return std::string(line.substr(0, line.find('\n')));
}

std::optional<ProcessInfo> read_process(pid_t pid) {
  if (pid <= 0) return std::nullopt;
  const Fd proc(::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!proc.ok()) return std::nullopt;
  return read_process_at(proc.get(), pid, nullptr);
}

bool is_alive(const ProcessId& process) {
  const auto info = read_process(process.pid);
  return info && info->id == process && info->alive;
}

int pidfd_open_checked(const ProcessId& process) {
  if (process.pid <= 0) {
    errno = ESRCH;
    return -1;
  }
  const int fd = open_pidfd(process.pid);
  if (fd < 0) return -1;
  // The order matters: whoever has this pid *after* the open started at the right time, so the
  // pidfd, which was opened before, can be of no other process.
  const auto info = read_process(process.pid);
  if (info && info->id == process) return fd;
  ::close(fd);
  errno = ESRCH;
  return -1;
}

SignalOutcome send_signal(const ProcessId& process, int signal) {
  const Fd fd(pidfd_open_checked(process));
  if (fd.ok()) {
    return outcome_of(
        static_cast<int>(::syscall(SYS_pidfd_send_signal, fd.get(), signal, nullptr, 0U)));
  }
  if (errno == ESRCH) return SignalOutcome::kGone;
  // No pidfd to be had: a kernel before 5.3 (seen on cluster nodes), or no descriptor left. A
  // check and a signal right behind it is the next best.
  const auto info = read_process(process.pid);
  if (!info || info->id != process) return SignalOutcome::kGone;
  return outcome_of(::kill(process.pid, signal));
}

std::vector<ProcessId> find_by_token(std::string_view token) {
  if (token.empty()) return {};
  return living(scan(token), 0);
}

std::vector<ProcessId> find_tree(pid_t root, std::string_view token,
                                 const std::vector<pid_t>& members) {
  std::vector<Candidate> all = scan(token, members);
  const pid_t self = ::getpid();
  std::vector<pid_t> parents;  // whose children belong to the tree
  if (root > 0) parents.push_back(root);
  for (const Candidate& one : all) {
    if (one.in_tree && one.info.id.pid != self) parents.push_back(one.info.id.pid);
  }
  // Children by parent, so that a machine with very many processes costs a search, not a square.
  std::sort(all.begin(), all.end(),
            [](const Candidate& a, const Candidate& b) { return a.info.parent < b.info.parent; });
  while (!parents.empty()) {
    const pid_t parent = parents.back();
    parents.pop_back();
    auto child =
        std::lower_bound(all.begin(), all.end(), parent,
                         [](const Candidate& one, pid_t pid) { return one.info.parent < pid; });
    for (; child != all.end() && child->info.parent == parent; ++child) {
      if (child->in_tree || child->info.id.pid == self) continue;
      child->in_tree = true;
      parents.push_back(child->info.id.pid);
    }
  }
  return living(all, root);
}

SignalRound signal_all(const std::vector<ProcessId>& processes, int signal) {
  SignalRound round;
  for (const ProcessId& process : processes) {
    switch (send_signal(process, signal)) {
      case SignalOutcome::kSent:
        ++round.signalled;
        if (signal != SIGKILL) send_signal(process, SIGCONT);
        break;
      case SignalOutcome::kRefused:
        ++round.refused;
        break;
      case SignalOutcome::kGone:
        break;
    }
  }
  return round;
}

SignalRound kill_tree_by_token(std::string_view token, int signal,
                               const std::vector<pid_t>& members) {
  if (token.empty()) return {};
  return signal_all(find_tree(0, token, members), signal);
}

}  // namespace runyard
