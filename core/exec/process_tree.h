// Processes by identity: which ones belong to a job, whether they live, and how to signal them
// without ever hitting a stranger that got a reused pid.
//
// Shared by the server and by runyard-shim, so it needs the C++ standard library and Linux only.
// All functions are stateless and may be called from any thread. None of them blocks, except for
// the time it takes to read /proc (about 10 microseconds for each process of the machine).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace runyard {

// The variable that marks every process of an attempt; its value is the attempt's token.
inline constexpr std::string_view kTokenVariable = "RUNYARD_ATTEMPT";

// A process for as long as the machine runs: a pid alone is reused, a pid with the time at which
// the process started is not. Only meaningful together with the boot id.
struct ProcessId {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;  // clock ticks since boot, field 22 of /proc/<pid>/stat

  friend bool operator==(const ProcessId&, const ProcessId&) = default;
};

struct ProcessInfo {
  ProcessId id;
  pid_t parent = 0;
  bool alive = false;  // false: a zombie, it only waits to be reaped
};

// The identity of this boot of this machine (36 characters), empty when /proc does not tell.
std::string boot_id();

// What /proc says of a pid right now; nullopt when there is no such process.
std::optional<ProcessInfo> read_process(pid_t pid);

// True when exactly this process exists and is not a zombie.
bool is_alive(const ProcessId& process);

// A pidfd (close-on-exec, owned by the caller) that is guaranteed to be of this very process, also
// when it is a zombie; -1 with errno set otherwise (ESRCH: it is gone).
int pidfd_open_checked(const ProcessId& process);

enum class SignalOutcome {
  kSent,
  kGone,     // the process no longer exists; a reused pid is never signalled
  kRefused,  // the kernel does not allow it: the process runs as another user
};
SignalOutcome send_signal(const ProcessId& process, int signal);

// All living processes of the calling user whose initial environment holds exactly
// RUNYARD_ATTEMPT=<token>, without the caller. Not seen: a process that overwrote its environment
// or that is not dumpable, and one that is in the middle of an exec at this instant.
std::vector<ProcessId> find_by_token(std::string_view token);

// The tree of an attempt: all living descendants of `root` (0: none), all processes found by the
// token (empty: none), those of `members` (its cgroup's), and the descendants of them all. Never
// contains `root` or the caller. /proc is no snapshot: what forks meanwhile may be missed, so
// callers repeat until nothing is found.
std::vector<ProcessId> find_tree(pid_t root, std::string_view token,
                                 const std::vector<pid_t>& members = {});

// What one signal round met.
struct SignalRound {
  int signalled = 0;
  int refused = 0;  // alive, but not ours to signal

  int found() const { return signalled + refused; }
};

// Sends the signal to each process, and SIGCONT behind it so that a stopped one acts on it.
SignalRound signal_all(const std::vector<ProcessId>& processes, int signal);

// One step of clearing what an attempt left when its shim is dead: finds its tree by the token and
// the members of its cgroup, and sends the signal to all of it. Does not wait. The tree is gone
// when two rounds, some milliseconds apart, have found nothing.
SignalRound kill_tree_by_token(std::string_view token, int signal,
                               const std::vector<pid_t>& members = {});

}  // namespace runyard
