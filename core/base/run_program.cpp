#include "core/base/run_program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "core/base/files.h"

extern char** environ;

namespace runyard {
namespace {

using Clock = std::chrono::steady_clock;

struct Pipe {
  UniqueFd read, write;
  bool open() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return false;
    read = UniqueFd(ends[0]);
    write = UniqueFd(ends[1]);
    return true;
  }
};

/// Starts it in a process group of its own, with no signal blocked; 0 or errno.
int spawn(std::vector<std::string>& argv, std::vector<std::string>& env,
          const std::filesystem::path& folder, int out, int err, pid_t* pid) {
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&files, err, STDERR_FILENO);
  if (!folder.empty()) ::posix_spawn_file_actions_addchdir_np(&files, folder.c_str());
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  sigset_t pipe;
  ::sigemptyset(&pipe);
  ::sigaddset(&pipe, SIGPIPE);
  ::posix_spawnattr_setsigdefault(&attributes, &pipe);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(
      &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  auto arguments = exec_pointers(argv);
  auto variables = exec_pointers(env);
  const int error = ::posix_spawnp(pid, arguments[0], &files, &attributes, arguments.data(),
                                   env.empty() ? environ : variables.data());
  ::posix_spawn_file_actions_destroy(&files);
  ::posix_spawnattr_destroy(&attributes);
  return error;
}

}  // namespace

std::vector<char*> exec_pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

std::filesystem::path find_on_path(const std::string& name) {
  const char* variable = std::getenv("PATH");
  const std::string path = variable ? variable : "/usr/local/bin:/usr/bin:/bin";
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find(':', at), path.size());
    const auto candidate = std::filesystem::path(path.substr(at, end - at)) / name;
    std::error_code ignored;
    if (candidate.is_absolute() && std::filesystem::is_regular_file(candidate, ignored) &&
        ::access(candidate.c_str(), X_OK) == 0) {
      return candidate;
    }
    at = end + 1;
  }
  return {};
}

Result<ProgramOutput> run_program(std::vector<std::string> argv, const ProgramOptions& options) {
  const std::string name = argv.at(0);
  Pipe out, err;
  if (!out.open() || !err.open()) return errno_error(errno, "cannot start " + name);
  std::vector<std::string> env = options.env;
  pid_t pid = 0;
  if (const int error = spawn(argv, env, options.folder, out.write.get(), err.write.get(), &pid);
      error != 0) {
    return make_error(ErrorKind::kNotFound,
                      fmt::format("{} cannot be started: {}", name, std::strerror(error)));
  }
  out.write.reset();
  err.write.reset();
  const UniqueFd ended(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));
  const auto deadline = Clock::now() + options.limit;

  ProgramOutput result;
  std::array<pollfd, 3> events{pollfd{out.read.get(), POLLIN, 0}, pollfd{err.read.get(), POLLIN, 0},
                               pollfd{ended.get(), POLLIN, 0}};
  const std::array<std::string*, 2> texts{&result.output, &result.errors};
  bool in_time = true;
  // Over when the program itself has ended and its output is read; a child that it left behind may
  // hold the pipes open for ever, so its end alone is enough once they are silent.
  for (;;) {
    const bool over = events[2].fd < 0;
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (over && events[0].fd < 0 && events[1].fd < 0) break;
    if (!over && left <= 0) {
      in_time = false;
      break;
    }
    const int ready = ::poll(events.data(), events.size(), over ? 0 : static_cast<int>(left) + 1);
    if (ready < 0 && errno != EINTR) break;
    if (ready == 0 && over) break;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (events[i].fd < 0 || events[i].revents == 0) continue;
      std::array<char, 16384> chunk;
      const ssize_t size = ::read(events[i].fd, chunk.data(), chunk.size());
      if (size <= 0) {
        events[i].fd = -1;
      } else if (texts[i]->size() < options.max_output) {
        texts[i]->append(chunk.data(), static_cast<std::size_t>(size));
      }
    }
    if (events[2].revents != 0) events[2].fd = -1;
  }
  if (!in_time) ::kill(-pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!in_time) {
    return make_error(ErrorKind::kUnavailable,
                      fmt::format("{} did not answer within {} s", name,
                                  std::chrono::duration<double>(options.limit).count()));
  }
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace runyard
