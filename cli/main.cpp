#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/serve.h"
#include "core/base/version.h"
#include "core/plugin/frame.h"
#include "core/plugin/host/plugin_host.h"

namespace runyard::cli {
namespace {

struct Entry {
  std::string_view name;
  std::string_view summary;  ///< "" hides it
  int (*run)(const Args&);
};

int run_host(const Args& args);

constexpr Entry kCommands[] = {
    {"serve", "Run the server on a workspace", run_serve},
    {"submit", "Submit a job, or a chain of jobs", run_submit},
    {"ls", "List jobs", run_ls},
    {"show", "Show everything about one job", run_show},
    {"log", "Print or follow the log of a job", run_log},
    {"wait", "Wait until jobs have ended", run_wait},
    {"cancel", "Cancel queued or running jobs", run_cancel},
    {"rerun", "Submit a job again, with the same or changed inputs", run_rerun},
    {"delete", "Delete jobs that have ended", run_delete},
    {"group", "Show the groups, the jobs of one, or cancel them", run_group},
    {"top", "Watch the queue", run_top},
    {"pause", "Start no more jobs; new ones wait", run_pause},
    {"resume", "Accept and start jobs again", run_resume},
    {"drain", "Accept no more jobs; what runs goes on", run_drain},
    {"plugins", "List the plugin libraries", run_plugins},
    {"plugin", "Write a new plugin, or check one", run_plugin},
    {"config", "Check the configuration, show the settings in use", run_config},
    {"doctor", "Say what is wrong with a set-up", run_doctor},
    {"token", "Make, list and revoke tokens", run_token},
    {"plugin-host", "", run_host},
};

constexpr std::string_view kFooter =
    "\n`runyard COMMAND --help` shows the options of a command. Options come after the command.\n"
    "\n"
    "A job is named by its id, by the beginning or the end of its id or of the id's last eight\n"
    "characters if only one of the newest 500 jobs has it, or by @ (or last) for the newest.\n"
    "\n"
    "Environment:\n"
    "  RUNYARD_SERVER  address of the server, when --server is not given\n"
    "                  [default: http://127.0.0.1:8000]\n"
    "  RUNYARD_TOKEN   token for a server that asks for one\n"
    "                  [default: the file ~/.config/runyard/token, which nobody else may read]\n"
    "  RUNYARD_<SECTION>__<KEY>  a setting of the server, e.g. RUNYARD_SERVER__PORT=9000\n"
    "  NO_COLOR        no colours\n"
    "\n"
    "Exit codes:\n"
    "  0  ok\n"
    "  1  the job or the command failed\n"
    "  2  wrong usage, or inputs that the server refuses\n"
    "  3  the server cannot be reached, or takes no work now\n"
    "  4  no such job or job type\n"
    "  With --follow, and for wait, the job's own: its exit code, 128 + n for signal n, 130 when\n"
    "  it was cancelled. 130 also when Ctrl-C ends the following; the job goes on.\n";

void print_help() {
  print("Runyard runs the batch jobs of a repository.\n\nUsage: runyard COMMAND [options]\n\n");
  for (const Entry& entry : kCommands) {
    if (!entry.summary.empty()) print(fmt::format("  {:<10} {}\n", entry.name, entry.summary));
  }
  print(kFooter);
}

/// How the server starts the process that loads the plugins: with its end of a socket pair.
int run_host(const Args& args) {
  struct stat info {};
  if (!args.empty() || ::fstat(kPluginHostFd, &info) != 0 || !S_ISSOCK(info.st_mode)) {
    fmt::print(stderr, "error: plugin-host is started by the server\n");
    return kUsage;
  }
  return run_plugin_host(kPluginHostFd);
}

/// A result that was not written, onto a full disk for instance, is no success.
int check_output(int code) {
  errno = 0;
  const bool is_flushed = std::fflush(stdout) == 0;
  if (is_flushed && std::ferror(stdout) == 0) return code;
  fmt::print(stderr, "error: the output could not be written{}{}\n", errno == 0 ? "" : ": ",
             errno == 0 ? "" : std::strerror(errno));
  return code == kOk ? kFailed : code;
}

int dispatch(const Args& words) {
  if (words.empty() || words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    print_help();
    return words.empty() ? kUsage : kOk;
  }
  if (words[0] == "--version") {
    print(fmt::format("runyard {}\n", kVersion));
    return kOk;
  }
  for (const Entry& entry : kCommands) {
    if (words[0] != entry.name) continue;
    const int code = entry.run(Args(words.begin() + 1, words.end()));
    // What a server has said at its start is no result.
    return entry.run == run_serve || entry.run == run_host ? code : check_output(code);
  }
  const bool option = words[0].starts_with("-");
  fmt::print(
      stderr, "error: {} '{}'; see runyard --help\n",
      option ? "options come after the command, which is missing before" : "there is no command",
      words[0]);
  return kUsage;
}

}  // namespace
}  // namespace runyard::cli

int main(int argc, char** argv) {
  try {
    return runyard::cli::dispatch(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return runyard::cli::kFailed;
  }
}
