#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "cli/doctor/checks.h"
#include "core/base/clock.h"
#include "core/base/files.h"
#include "core/base/run_program.h"
#include "core/base/text.h"

namespace runyard::cli {
namespace {

constexpr auto kDeadline = std::chrono::seconds(10);
/// Each connection is a descriptor, each running job takes three or so.
constexpr rlim_t kFewFiles = 4096;
/// One for each log that is followed; editors and file managers take from the same number.
constexpr long kFewWatches = 8192;

long number_in(const char* path) {
  const auto text = read_file(path, 64);
  return text ? std::atol(text->c_str()) : -1;
}

}  // namespace

Finding check_kernel() {
  utsname name{};
  ::uname(&name);
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH;
  const UniqueFd folder(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof how)));
  const UniqueFd self(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  const char* mend = "use Linux 5.6 or newer, and a container profile that allows the call";
  if (!folder) return bad("kernel", fmt::format("Linux {} has no openat2", name.release), mend);
  if (!self) return bad("kernel", fmt::format("Linux {} has no pidfd_open", name.release), mend);
  return good("kernel", fmt::format("Linux {} with openat2 and pidfd", name.release));
}

Finding check_open_files() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const std::string text = fmt::format("{} may be open at once", limit.rlim_cur);
  if (limit.rlim_cur >= kFewFiles) return good("open files", text);
  return warning("open files", text + ", which is few for many clients",
                 limit.rlim_max >= kFewFiles ? "ulimit -n 65536 before the server is started"
                                             : "LimitNOFILE=65536 in the systemd unit");
}

Finding check_inotify() {
  const long watches = number_in("/proc/sys/fs/inotify/max_user_watches");
  const long instances = number_in("/proc/sys/fs/inotify/max_user_instances");
  const UniqueFd fd(::inotify_init1(IN_CLOEXEC));
  if (!fd || ::inotify_add_watch(fd.get(), "/", IN_CREATE) < 0) {
    return bad(
        "inotify",
        fmt::format("this user has no watch left ({} instances, {} watches)", instances, watches),
        "sysctl fs.inotify.max_user_instances=1024 fs.inotify.max_user_watches=524288");
  }
  const std::string text = fmt::format("{} watches, {} instances", watches, instances);
  if (watches >= kFewWatches) return good("inotify", text);
  return warning("inotify", text + ", which is few for many running jobs",
                 "sysctl fs.inotify.max_user_watches=524288");
}

Finding check_clock() {
  constexpr TimeMs kNotBefore = 1'700'000'000'000;  // November 2023: this program is younger
  const TimeMs now = now_ms();
  if (now < kNotBefore) {
    return bad("clock", "it is set to " + format_time(now) + ", which is long past",
               "set the clock; job ids and schedules go by it");
  }
  timex state{};
  const bool synchronised = ::adjtimex(&state) >= 0 && (state.status & STA_UNSYNC) == 0;
  if (!synchronised) {
    return note("clock", format_time(now) + "; nothing keeps it in step",
                "with several machines: install chrony or enable systemd-timesyncd");
  }
  return good("clock", format_time(now) + ", kept in step");
}

Finding check_cgroup() {
  const auto own = read_file("/proc/self/cgroup", 4096);
  const auto at = own ? own->find("0::") : std::string::npos;
  std::error_code ignored;
  if (at == std::string::npos ||
      !std::filesystem::exists("/sys/fs/cgroup/cgroup.controllers", ignored)) {
    return note("cgroup", "there is no cgroup v2; jobs are ended by their processes, which works");
  }
  const std::string name = own->substr(at + 3, own->find('\n', at) - at - 3);
  const auto folder = "/sys/fs/cgroup" + name;
  const bool delegated = ::access((folder + "/cgroup.subtree_control").c_str(), W_OK) == 0 &&
                         ::access((folder + "/cgroup.procs").c_str(), W_OK) == 0;
  return note("cgroup", fmt::format("version 2, {} is {}delegated to this user", name,
                                    delegated ? "" : "not "));
}

Finding check_gpus(const Config& config) {
  const auto listed = run_program({"nvidia-smi", "--query-gpu=index,name", "--format=csv,noheader"},
                                  {.limit = kDeadline});
  const std::string ids = fmt::format("{}", fmt::join(config.gpus, ", "));
  if (!listed || listed->exit_code != 0) {
    const std::string why = !listed && listed.error().kind == ErrorKind::kNotFound
                                ? "there is no nvidia-smi"
                                : "nvidia-smi does not answer";
    if (config.gpus.empty()) return note("gpu", why + "; none is configured");
    return warning("gpu", fmt::format("{}, and 'queue.gpus' names {}", why, ids),
                   "install the driver, or take the ids out of 'queue.gpus'");
  }
  std::vector<int> seen;
  std::istringstream lines(listed->output);
  for (std::string line; std::getline(lines, line);) seen.push_back(std::atoi(line.c_str()));
  for (const int id : config.gpus) {
    if (std::find(seen.begin(), seen.end(), id) != seen.end()) continue;
    return bad("gpu", fmt::format("'queue.gpus' names {}, and nvidia-smi sees no such one", id),
               fmt::format("set queue.gpus: [{}]", fmt::join(seen, ", ")));
  }
  if (config.gpus.empty() && !seen.empty()) {
    return note("gpu", fmt::format("nvidia-smi sees {}; none is handed out", seen.size()),
                fmt::format("to give jobs one each: queue.gpus: [{}]", fmt::join(seen, ", ")));
  }
  return good("gpu", fmt::format("nvidia-smi sees {}; handed out: {}", seen.size(), ids));
}

}  // namespace runyard::cli
