#include "core/exec/slurm_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <map>

#include "core/base/files.h"
#include "core/base/text.h"

namespace runyard {
namespace {

constexpr std::size_t kMaxWords = 500;

bool speaks_of_memory(const std::string& words) {
  for (const char* sign : {"memory limit", "oom_kill", "oom-kill", "Out Of Memory"}) {
    if (words.find(sign) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

bool is_waiting(const std::string& state) {
  return state == "PENDING" || state == "REQUEUED" || state == "REQUEUE_HOLD" ||
         state == "SPECIAL_EXIT" || state == "CONFIGURING";
}

bool is_over(const std::string& state) {
  constexpr std::array kOver = {"BOOT_FAIL", "CANCELLED",     "COMPLETED", "DEADLINE", "FAILED",
                                "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "REVOKED",  "TIMEOUT"};
  return std::find(kOver.begin(), kOver.end(), state) != kOver.end();
}

std::string reason_in_words(const std::string& reason) {
  static const std::map<std::string, std::string> kWords = {
      {"None", "Slurm has not looked at it yet"},
      {"Priority", "Slurm: jobs with a higher priority are before it"},
      {"Resources", "Slurm: no node has what it asks for free"},
      {"BeginTime", "Slurm: its begin time has not come"},
      {"PartitionDown", "Slurm: its partition is down"},
      {"PartitionInactive", "Slurm: its partition is inactive"},
      {"JobHeldAdmin", "Slurm: an administrator holds it"},
      {"JobHeldUser", "Slurm: it is held"},
      {"ReqNodeNotAvail", "Slurm: a node that it needs is not available"}};
  const auto found = kWords.find(reason);
  if (found != kWords.end()) return found->second;
  return "Slurm: " + (reason.empty() ? std::string("it waits") : reason);
}

std::string slurms_words(const std::filesystem::path& folder) {
  const auto text = read_file(folder / SlurmRequest::kOutput, 1u << 20);
  if (!text) return "";
  std::string words;
  for (std::string_view rest = *text; !rest.empty() && words.size() < kMaxWords;) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = trim(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (const auto head = line.find("error: "); head != line.npos) line.remove_prefix(head + 7);
    if (line.empty() || words.find(line) != std::string::npos) continue;
    words += fmt::format("{}{}", words.empty() ? "" : "; ", line);
  }
  return ellipsize(words, kMaxWords);
}

bool ended_by_others(const RunExit& exit) {
  return exit.reason == RunEnd::kTerminated ||
         (exit.reason == RunEnd::kExited && (exit.signal == SIGKILL || exit.signal == SIGTERM));
}

void take_start(const RunRecord& record, AttemptResult* result) {
  if (!record.start) return;
  result->started_at = record.start->wall_ms;
  result->log_start = static_cast<std::int64_t>(record.start->log_start);
}

void explain_end(const SlurmJob& job, const std::string& words, std::int64_t memory_mb,
                 AttemptResult* result) {
  const bool has_record = result->reason != EndReason::kNone;
  const std::string said = words.empty() ? "" : fmt::format(" (Slurm: {})", words);
  const auto say = [result](EndReason reason, std::string message) {
    result->reason = reason;
    result->message = std::move(message);
  };
  if (job.state == "OUT_OF_MEMORY" || speaks_of_memory(words)) {
    const std::string asked =
        memory_mb > 0 ? fmt::format("the {} MB that it had asked for", memory_mb) : "it was given";
    result->signal = SIGKILL;
    say(EndReason::kSignal,
        fmt::format("the job used more memory than {}, and was killed{}", asked, said));
  } else if (job.state == "TIMEOUT" || job.state == "DEADLINE") {
    say(EndReason::kTimeout, "Slurm ended the job at its time limit");
  } else if (!has_record) {
    say(EndReason::kLost,
        fmt::format(
            "{}, and the job has left no result{}: its processes may go on until the node "
            "is back; a result that comes then is taken",
            job.state.empty() ? "Slurm does not know this job any more" : "Slurm says " + job.state,
            said));
  } else if (job.state == "CANCELLED") {
    say(EndReason::kCancelled, "it was cancelled in Slurm");
  } else if (result->reason == EndReason::kLost || job.state == "PREEMPTED" ||
             job.state == "NODE_FAIL") {
    say(EndReason::kLost,
        fmt::format("Slurm ended the job ({}){}",
                    job.state.empty() ? "it does not know it any more" : job.state, said));
  }
}

}  // namespace runyard
