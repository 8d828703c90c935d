#include "core/exec/attempt.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstring>

namespace runyard {
namespace {

std::string signal_name(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name ? fmt::format("SIG{}", name) : fmt::format("signal {}", signal);
}

std::string spawn_message(const RunExit& exit, const RunSpec& spec) {
  const std::string why = std::strerror(exit.error);
  switch (exit.stage) {
    case SpawnStage::kChdir:
      return fmt::format("the folder {} cannot be entered: {}", spec.cwd, why);
    case SpawnStage::kExec:
      return fmt::format("{} cannot be executed: {}", spec.args.empty() ? "" : spec.args[0], why);
    case SpawnStage::kLog:
      return fmt::format("the log {} cannot be opened: {}", spec.log, why);
    default:
      return fmt::format("the command could not be started ({}): {}", to_string(exit.stage), why);
  }
}

}  // namespace

std::string token_of(const std::string& job_id, int attempt) {
  return fmt::format("{}.{}", job_id, attempt);
}

RunSpec to_run_spec(const AttemptSpec& spec) {
  RunSpec run;
  run.token = token_of(spec.job_id, spec.attempt);
  run.cwd = spec.cwd;
  run.log = spec.log;
  run.timeout_ms = static_cast<std::uint64_t>(spec.timeout_sec) * 1000;
  run.grace_ms = static_cast<std::uint64_t>(spec.grace_ms);
  run.log_max_bytes = static_cast<std::uint64_t>(spec.log_max_bytes);
  run.args = spec.argv;
  run.env = spec.env;
  return run;
}

void remove_run_folder(const std::filesystem::path& folder) {
  for (const char* name : {"spec", "record"}) ::unlink((folder / name).c_str());
  std::error_code ignored;
  if (::rmdir(folder.c_str()) != 0) std::filesystem::remove_all(folder, ignored);
}

AttemptResult to_result(const RunRecord& record, const RunSpec& spec, bool cancelled) {
  AttemptResult result;
  if (record.start) {
    result.started_at = record.start->wall_ms;
    result.log_start = static_cast<std::int64_t>(record.start->log_start);
  }
  const RunExit& exit = *record.exit;
  result.at = exit.wall_ms;
  result.exit_code = exit.exit_code;
  result.signal = exit.signal;
  result.log_end = static_cast<std::int64_t>(exit.log_end);
  if (exit.exit_code || exit.signal) {
    result.usage =
        Usage{static_cast<double>(exit.user_us) / 1e6, static_cast<double>(exit.system_us) / 1e6,
              static_cast<std::int64_t>(exit.max_rss_kb)};
  }
  switch (exit.reason) {
    case RunEnd::kExited:
      if (exit.signal) {
        result.reason = EndReason::kSignal;
        result.message = fmt::format("the command was killed by {}", signal_name(*exit.signal));
      } else if (exit.exit_code.value_or(0) != 0) {
        result.reason = EndReason::kExitCode;  // the log says why
      }
      break;
    case RunEnd::kCancelled:
      result.reason = EndReason::kCancelled;
      break;
    case RunEnd::kTimeout:
      result.reason = EndReason::kTimeout;
      result.message = "the command ran longer than its timeout and was ended";
      break;
    case RunEnd::kLogLimit:
      result.reason = EndReason::kLogLimit;
      result.message = fmt::format(
          "the log grew above log_max_bytes ({}) and the command was ended", spec.log_max_bytes);
      break;
    case RunEnd::kTerminated:
      if (cancelled) {  // tell_shim() had no room for the control file
        result.reason = EndReason::kCancelled;
        break;
      }
      result.reason = EndReason::kLost;
      result.message = "the job's supervisor was told to stop, as at a shutdown of the machine";
      break;
    case RunEnd::kSpawnError:
      result.reason = EndReason::kSpawnError;
      result.message = spawn_message(exit, spec);
      break;
    case RunEnd::kWithdrawn:
      result.reason = EndReason::kSpawnError;
      result.message = "the job's supervisor could not be started";
      break;
  }
  if (exit.left > 0) {
    result.message += fmt::format("{}{} process(es) of another user could not be ended",
                                  result.message.empty() ? "" : "; ", exit.left);
  }
  return result;
}

}  // namespace runyard
