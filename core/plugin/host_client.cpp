#include "core/plugin/host_client.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <system_error>

#include "core/base/run_program.h"
#include "core/plugin/frame.h"

namespace runyard {
namespace {

namespace json = boost::json;

constexpr int kStuckMs = 10'000;
constexpr auto kStartTime = std::chrono::seconds(20);

/// A plugin is a pure function: it needs no environment but for finding shared libraries. So none
/// of the server's secrets can be in it.
std::vector<std::string> host_environment() {
  std::vector<std::string> out;
  for (const char* name :
       {"LD_LIBRARY_PATH", "LANG", "LC_ALL", "ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"}) {
    if (const char* value = std::getenv(name)) out.push_back(std::string(name) + '=' + value);
  }
  return out;
}

void limit_memory([[maybe_unused]] pid_t pid, [[maybe_unused]] std::uint64_t bytes) {
  // A sanitizer reserves terabytes of addresses for its shadow.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  const rlimit limit{bytes, bytes};
  if (bytes > 0) ::prlimit(pid, RLIMIT_AS, &limit, nullptr);
#endif
}

/// The status of a child that was killed; nothing when it is stuck in the kernel (a library on a
/// network disk that has gone): nobody waits for that, it stays a zombie until this process ends.
std::optional<int> reap(pid_t pid) {
  const UniqueFd ended(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));
  pollfd entry{ended.get(), POLLIN, 0};
  while (ended && ::poll(&entry, 1, kStuckMs) < 0 && errno == EINTR) {
  }
  int status = 0;
  if (::waitpid(pid, &status, ended ? WNOHANG : 0) == pid) return status;
  spdlog::error("the plugin host with the process id {} does not react to SIGKILL", pid);
  return std::nullopt;
}

}  // namespace

void throw_exception_from_error(const HostFailure& failure, const boost::source_location& where) {
  throw std::logic_error("unchecked failure at " + std::string(where.file_name()) + ": " +
                         failure.message);
}

HostClient::HostClient(Options options) : options_(std::move(options)) {}

HostClient::~HostClient() { stop(); }

pid_t HostClient::pid() const {
  const std::lock_guard lock(mutex_);
  return pid_;
}

HostClient::Reply HostClient::describe(const std::filesystem::path& path,
                                       std::chrono::milliseconds deadline) {
  return call("describe", path, {}, deadline);
}

HostClient::Reply HostClient::argv(const std::filesystem::path& path, std::string_view params,
                                   std::chrono::milliseconds deadline) {
  return call("argv", path, params, deadline);
}

HostClient::Reply HostClient::call(const char* operation, const std::filesystem::path& path,
                                   std::string_view params, std::chrono::milliseconds deadline) {
  if (!enter(2 * deadline)) {
    return HostFailure{HostFailure::Kind::kBusy,
                       "is waiting for the plugin host, which is busy; try again"};
  }
  Reply reply = exchange(operation, path, params, deadline);
  leave();
  return reply;
}

bool HostClient::enter(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  const std::uint64_t ticket = next_ticket_++;
  waiting_.push_back(ticket);
  const bool mine =
      turn_.wait_for(lock, patience, [&] { return !busy_ && waiting_.front() == ticket; });
  std::erase(waiting_, ticket);
  if (mine) {
    busy_ = true;
  } else {
    turn_.notify_all();  // the next one may be first now
  }
  return mine;
}

void HostClient::leave() {
  std::unique_lock lock(mutex_);
  if (retired_) {
    lock.unlock();
    stop();
    lock.lock();
  }
  busy_ = false;
  turn_.notify_all();
}

void HostClient::retire() {
  {
    const std::lock_guard lock(mutex_);
    retired_ = true;
    if (busy_) return;  // whoever is in ends it
    busy_ = true;
  }
  leave();
}

HostClient::Reply HostClient::exchange(const char* operation, const std::filesystem::path& path,
                                       std::string_view params,
                                       std::chrono::milliseconds deadline) {
  const std::uint64_t id = next_id_++;
  const std::string request = json::serialize(
      json::object{{"id", id}, {"op", operation}, {"path", path.native()}, {"params", params}});
  FrameResult sent = FrameResult::kClosed;
  Clock::time_point until;
  // A child that died between two calls (killed from outside, say) is found here: a new one is
  // started, once.
  for (int attempt = 0; attempt < 2 && sent == FrameResult::kClosed; ++attempt) {
    if (attempt > 0) stop();
    if (const int code = start(); code != 0) {
      return HostFailure{HostFailure::Kind::kCannotStart,
                         "cannot be asked: the plugin host did not start: " +
                             std::generic_category().message(code)};
    }
    until = Clock::now() + deadline;
    sent = send_frame(socket_.get(), request, until);
  }
  std::string message;
  const FrameResult got =
      sent == FrameResult::kDone ? receive_frame(socket_.get(), message, until) : sent;
  if (got == FrameResult::kTimeout) {
    stop();
    return HostFailure{HostFailure::Kind::kDeadline, "did not answer within its time limit"};
  }
  if (got == FrameResult::kDone) {
    boost::system::error_code error;
    const json::value value = json::parse(message, error);
    const json::object* reply = error ? nullptr : value.if_object();
    if (reply) {
      const auto* reply_id = reply->if_contains("id");
      const auto* status = reply->if_contains("status");
      const auto* text = reply->if_contains("text");
      const auto* abi = reply->if_contains("abi");
      if (reply_id && *reply_id == id && status && status->is_int64() && text &&
          text->is_string() && abi && abi->is_int64() && status->get_int64() >= 0 &&
          status->get_int64() <= kStatusNotLoaded) {
        return HostReply{static_cast<HostReply::Status>(status->get_int64()),
                         std::string(text->get_string()), static_cast<int>(abi->get_int64())};
      }
    }
  }
  return HostFailure{HostFailure::Kind::kCrashed, stop()};
}

int HostClient::start() {
  if (socket_) return 0;
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return errno;
  UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);

  std::vector<std::string> command = options_.command;
  std::vector<std::string> environment = host_environment();
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  if (const int code = ::posix_spawn_file_actions_init(&actions); code != 0) return code;
  if (const int code = ::posix_spawnattr_init(&attributes); code != 0) {
    ::posix_spawn_file_actions_destroy(&actions);
    return code;
  }
  // What a plugin prints is nobody's: its results go through `emit`.
  ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), kPluginHostFd);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, kPluginHostFd + 1);
  sigset_t none;
  sigset_t all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  // A group of its own: Ctrl-C in the server's terminal is not for it.
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(
      &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  pid_t pid = 0;
  const int code = ::posix_spawn(&pid, command.front().c_str(), &actions, &attributes,
                                 exec_pointers(command).data(), exec_pointers(environment).data());
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (code != 0) return code;
  limit_memory(pid, options_.memory_limit);
  if (options_.starts) ++*options_.starts;
  {
    const std::lock_guard lock(mutex_);
    pid_ = pid;
  }
  theirs.reset();
  std::string hello;
  const FrameResult got = receive_frame(ours.get(), hello, Clock::now() + kStartTime);
  if (got != FrameResult::kDone) {
    stop();
    return got == FrameResult::kTimeout ? ETIMEDOUT : ECONNRESET;
  }
  socket_ = std::move(ours);
  return 0;
}

std::string HostClient::stop() {
  pid_t pid = 0;
  {
    const std::lock_guard lock(mutex_);
    pid = std::exchange(pid_, 0);
  }
  socket_.reset();
  if (pid == 0) return {};
  // Not heard by one that has ended already: its status stays what it was.
  ::kill(pid, SIGKILL);
  const auto status = reap(pid);
  if (!status) return "cannot be ended: its process does not react to SIGKILL";
  if (WIFEXITED(*status) && WEXITSTATUS(*status) == kExitOutOfMemory) {
    return "needed more memory than the plugin host may have (" +
           std::to_string(options_.memory_limit >> 20) + " MiB)";
  }
  if (WIFEXITED(*status)) {
    return "ended the plugin host (exit code " + std::to_string(WEXITSTATUS(*status)) + ")";
  }
  return std::string("crashed (") + ::strsignal(WTERMSIG(*status)) + ")";
}

}  // namespace runyard
