#include "core/exec/slurm_executor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <charconv>
#include <csignal>
#include <utility>
#include <vector>

#include "core/base/files.h"
#include "core/base/kill_point.h"
#include "core/exec/slurm_words.h"

namespace runyard {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr int kSubmitters = 4;
constexpr milliseconds kFastestPoll{1000}, kSlowestPoll{15'000};
constexpr seconds kSilentPoll{2};  // a squeue without an answer takes ten seconds itself
// Another node's last writes come late.
constexpr int kPollsBeforeBelieving = 3;
constexpr seconds kResubmit{5}, kSlowestResubmit{60};
constexpr std::chrono::hours kWatchLost{7 * 24};
constexpr seconds kPatience{20};  // beyond the grace, with a shim that was told to end its job
constexpr const char* kIdFile = "slurm";

/// Of the shared log, as the server's machine sees it now.
std::uint64_t shared_size(const std::string& path) {
  // Opening it makes NFS ask again.
  struct stat info {};
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  return fd && ::fstat(fd.get(), &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

/// The result that a lost attempt has left by now.
std::optional<AttemptResult> late_result(const std::filesystem::path& folder) {
  RunFolderError error;
  RunRecord record;
  if (read_record(folder, &record, &error) != RecordState::kPresent || !record.exit) return {};
  const auto spec = read_spec(folder, &error);
  const auto control = read_control(folder, &error);
  return to_result(record, spec.value_or(RunSpec{}), control && control->cancel);
}

}  // namespace

struct SlurmExecutor::Supervised {
  std::string job_id;
  int attempt = 1;
  std::string token;
  int generation = 1;  // of the run folder: a withdrawn one is never used again
  std::filesystem::path folder;
  AttemptSpec wanted;
  RunSpec spec;
  RunControl control;
  Stage stage = Stage::kToSubmit;
  std::string id;                          // Slurm's; "" when not known
  std::string refused;                     // what sbatch said
  Clock::time_point since{};               // of `stage`: an older squeue says nothing about it
  std::optional<Clock::time_point> again;  // when it may be submitted once more
  int polls_without = 0;                   // in a row, that did not say how it ended
  std::optional<Clock::time_point> cancelled_at;  // when Slurm was told
  std::optional<State> said;
};

/// What a worker has seen of one attempt.
struct SlurmExecutor::Look {
  std::string name, id;  // by which Slurm's job is found
  std::filesystem::path folder;
  std::string log;

  std::optional<SlurmJob> job;
  RecordState state = RecordState::kAbsent;
  RunRecord record;
  bool log_is_behind = false;
  std::string words;  // what Slurm wrote about a job that it ended
};

struct SlurmExecutor::Round {
  std::map<std::string, Look> looks;                          // by token
  std::map<std::string, std::filesystem::path> lost;          // by token
  std::map<std::string, std::optional<AttemptResult>> found;  // of `lost`
  bool ask_slurm = true;
  Clock::time_point began, ended;
  Result<> slurm;

  void ask(const SlurmClient& client);
};

SlurmExecutor::SlurmExecutor(asio::io_context& engine, Setup setup, Ended ended, Changed changed)
    : engine_(engine),
      setup_(std::move(setup)),
      client_(setup_.options),
      ended_(std::move(ended)),
      changed_(std::move(changed)),
      timer_(engine) {}

SlurmExecutor::~SlurmExecutor() {
  // Calls on their way end by their own limit; what they have done is found at the next start.
  submitters_.stop();
  poller_.stop();
  submitters_.join();
  poller_.join();
}

std::filesystem::path SlurmExecutor::folder_of(const std::string& job_id, int attempt) const {
  const std::string token = token_of(job_id, attempt);
  std::filesystem::path newest = setup_.folder / token;
  std::error_code ignored;
  for (int generation = 2;; ++generation) {
    auto later = setup_.folder / fmt::format("{}~{}", token, generation);
    if (!std::filesystem::exists(later, ignored)) return newest;
    newest = std::move(later);
  }
}

/// Of a folder, not of an attempt: a job of a withdrawn folder is not taken for the next one's.
std::string SlurmExecutor::name_of(const Supervised& attempt) {
  return fmt::format("{}-{}-{}", attempt.job_id, attempt.attempt, attempt.generation);
}

// ---- Submitting ----

void SlurmExecutor::run(AttemptSpec spec) {
  auto owned = std::make_unique<Supervised>();
  Supervised& attempt = *owned;
  attempt.job_id = spec.job_id;
  attempt.attempt = spec.attempt;
  attempt.token = token_of(spec.job_id, spec.attempt);
  attempt.folder = folder_of(spec.job_id, spec.attempt);
  const std::string name = attempt.folder.filename().string();
  if (const auto mark = name.find('~'); mark != std::string::npos) {
    std::from_chars(name.data() + mark + 1, name.data() + name.size(), attempt.generation);
  }
  attempt.wanted = std::move(spec);
  attempt.since = Clock::now();
  RunFolderError error;
  if (auto known = read_spec(attempt.folder, &error)) {
    // An earlier server's, which may have called sbatch.
    attempt.spec = std::move(*known);
    if (auto control = read_control(attempt.folder, &error)) attempt.control = *control;
    if (auto id = read_file(attempt.folder / kIdFile, 64)) attempt.id = *id;
    attempt.stage = attempt.id.empty() ? Stage::kUnknown : Stage::kKnown;
    const auto wanted = static_cast<std::uint64_t>(attempt.wanted.timeout_sec) * 1000;
    if (attempt.control.timeout_ms.value_or(attempt.spec.timeout_ms) != wanted) {
      attempt.control.timeout_ms = wanted;
      tell(attempt);
    }
  } else {
    attempt.spec = to_run_spec(attempt.wanted);
    // What Slurm gives to this very allocation; what the server itself has of it means nothing
    // there.
    attempt.spec.inherit = {"SLURM_*", "CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES",
                            "GPU_DEVICE_ORDINAL"};
    std::erase_if(attempt.spec.env, [](const std::string& variable) {
      return variable.starts_with("SLURM_") || variable.starts_with("CUDA_VISIBLE_DEVICES=") ||
             variable.starts_with("ROCR_VISIBLE_DEVICES=") ||
             variable.starts_with("GPU_DEVICE_ORDINAL=");
    });
    to_submit_.push_back(attempt.token);
  }
  supervised_[attempt.token] = std::move(owned);
  submit_next();
  poll_soon();
}

void SlurmExecutor::submit_next() {
  while (answers_ && submitting_ < kSubmitters && !to_submit_.empty()) {
    const auto found = supervised_.find(to_submit_.front());
    to_submit_.pop_front();
    if (found == supervised_.end()) continue;
    Supervised& attempt = *found->second;
    if (attempt.stage != Stage::kToSubmit) continue;
    attempt.stage = Stage::kSubmitting;
    attempt.again.reset();
    ++submitting_;
    SlurmRequest request;
    request.name = name_of(attempt);
    request.folder = attempt.folder;
    request.shim = setup_.shim;
    request.cpus = attempt.wanted.slots;
    request.gpus = attempt.wanted.gpus;
    request.memory_mb = attempt.wanted.memory_mb;
    if (attempt.wanted.timeout_sec > 0) {
      // The shim ends it in time; Slurm only plans with it, so it gets a minute more.
      request.time_min = (attempt.wanted.timeout_sec + attempt.wanted.grace_ms / 1000) / 60 + 2;
    }
    asio::post(submitters_, [this, request, spec = attempt.spec, token = attempt.token] {
      RunFolderError error;
      Result<std::string> id = [&]() -> Result<std::string> {
        if (auto done = make_private_folders(request.folder); !done) return done.error();
        if (!write_spec(request.folder, spec, &error)) {
          return make_error(ErrorKind::kInvalid, error.sentence);
        }
        kill_point("slurm_spec_written");
        auto answer = client_.submit(request);
        kill_point("slurm_submitted");
        // Only to spare the next server a search by name.
        if (answer) (void)write_file_atomic(request.folder / kIdFile, *answer);
        return answer;
      }();
      asio::post(engine_, [this, token, id = std::move(id)] { submitted(token, id); });
    });
  }
}

void SlurmExecutor::submitted(const std::string& token, Result<std::string> id) {
  --submitting_;
  const auto found = supervised_.find(token);
  if (found != supervised_.end()) {
    Supervised& attempt = *found->second;
    attempt.since = Clock::now();
    attempt.polls_without = 0;
    attempt.stage = id ? Stage::kKnown : Stage::kUnknown;
    if (id) {
      attempt.id = *id;
    } else if (id.error().kind == ErrorKind::kUnavailable) {
      answers_ = false;  // until squeue answers
      spdlog::warn("{}: sbatch: {}", token, id.error().message);
      say_silence(attempt);
    } else {
      attempt.refused = id.error().message;
    }
    if (attempt.control.cancel || attempt.control.timeout_ms) tell(attempt);
  }
  submit_next();
  poll_soon();
}

// ---- Looking ----

void SlurmExecutor::poll_soon() {
  moved_ = Clock::now();
  poll_at(next_poll_);
}

void SlurmExecutor::poll_at(Clock::time_point at) {
  if (polling_ || (poll_planned_ && timer_.expiry() <= at)) return;
  poll_planned_ = true;
  timer_.expires_at(at);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    poll_planned_ = false;
    poll();
  });
}

/// One squeue for all attempts; then the records of those that do not only wait.
void SlurmExecutor::Round::ask(const SlurmClient& client) {
  began = Clock::now();
  std::multimap<std::string, SlurmJob> by_name;
  if (ask_slurm) {
    auto listed = client.list();
    if (!listed) slurm = listed.error();
    if (listed) {
      for (SlurmJob& job : *listed) by_name.emplace(job.name, std::move(job));
    }
  }
  for (auto& [token, look] : looks) {
    const auto [first, last] = by_name.equal_range(look.name);
    for (auto at = first; at != last; ++at) {
      // Ids are given again by a controller that lost its state, so both must be ours.
      const bool same =
          look.id.empty() ? !look.job || !is_over(at->second.state) : look.id == at->second.id;
      if (same) look.job = at->second;
    }
    if (look.job && is_waiting(look.job->state)) continue;
    RunFolderError error;
    look.state = read_record(look.folder, &look.record, &error);
    const auto& exit = look.record.exit;
    look.log_is_behind = exit && shared_size(look.log) < exit->log_end;
    if (exit ? ended_by_others(*exit) : look.job && is_over(look.job->state)) {
      look.words = slurms_words(look.folder);
    }
  }
  for (const auto& [token, folder] : lost) found[token] = late_result(folder);
  ended = Clock::now();
}

void SlurmExecutor::poll() {
  if (polling_ || (supervised_.empty() && lost_.empty())) return;
  polling_ = true;
  auto round = std::make_shared<Round>();
  round->ask_slurm = !supervised_.empty();
  for (const auto& [token, attempt] : supervised_) {
    if (attempt->stage != Stage::kUnknown && attempt->stage != Stage::kKnown) continue;
    Look& look = round->looks[token];
    look.name = name_of(*attempt);
    look.id = attempt->id;
    look.folder = attempt->folder;
    look.log = attempt->spec.log;
  }
  for (const auto& [token, lost] : lost_) round->lost[token] = lost.folder;
  asio::post(poller_, [this, round] {
    round->ask(client_);
    asio::post(engine_, [this, round] { polled(*round); });
  });
}

void SlurmExecutor::polled(const Round& round) {
  polling_ = false;
  const auto now = Clock::now();
  if (round.ask_slurm) {
    const bool answered = static_cast<bool>(round.slurm);
    if (answered && !answers_) spdlog::info("Slurm answers");
    if (!answered && answers_)
      spdlog::warn("Slurm does not answer: {}", round.slurm.error().message);
    answers_ = answered;
  }
  std::vector<std::string> tokens;
  for (const auto& [token, attempt] : supervised_) tokens.push_back(token);
  for (const std::string& token : tokens) {
    const auto found = supervised_.find(token);
    if (found == supervised_.end()) continue;
    Supervised& attempt = *found->second;
    if (attempt.stage == Stage::kToSubmit) {
      if (!answers_) say_silence(attempt);
      if (attempt.again && *attempt.again <= now) {
        attempt.again.reset();
        to_submit_.push_back(token);
      }
      continue;
    }
    const auto look = round.looks.find(token);
    if (look == round.looks.end() || attempt.since > round.began) continue;
    examine(attempt, look->second);
  }
  for (const auto& [token, result] : round.found) {
    const auto lost = lost_.find(token);
    if (lost == lost_.end() || (!result && lost->second.until > now)) continue;
    const Lost heard = std::move(lost->second);
    lost_.erase(lost);
    if (result && result->reason != EndReason::kLost) {
      spdlog::info("{}: it was lost and has left a result after all", token);
      ended_(heard.job_id, heard.attempt, *result);
    } else {
      remove_folders(token);
    }
  }
  submit_next();
  // The longer nothing has changed the rarer, and never more than a fifth of the time.
  const auto took = 4 * (round.ended - round.began);
  next_poll_ = now + (answers_ ? std::max<Clock::duration>(kFastestPoll, took) : kSilentPoll);
  if (!answers_) return poll_at(next_poll_);
  const auto quiet = std::min<Clock::duration>((now - moved_) / 10, kSlowestPoll);
  poll_at(std::max(next_poll_, now + quiet));
}

void SlurmExecutor::examine(Supervised& attempt, const Look& look) {
  if (look.state == RecordState::kUnreadable) return;  // the shared file system is away
  if (look.record.exit) {
    // Slurm's reason, or the end of the log, may come a moment after the record.
    const bool waits_for_slurm =
        answers_ && look.job && !is_over(look.job->state) && ended_by_others(*look.record.exit);
    if ((waits_for_slurm || look.log_is_behind) &&
        ++attempt.polls_without < kPollsBeforeBelieving) {
      moved_ = Clock::now();
      return;
    }
    AttemptResult result = to_result(look.record, attempt.spec, attempt.control.cancel);
    if (ended_by_others(*look.record.exit) && result.reason != EndReason::kCancelled) {
      explain_end(look.job ? *look.job : SlurmJob{}, look.words, attempt.wanted.memory_mb, &result);
    }
    return finish(attempt, std::move(result));
  }
  if (!answers_) {
    if (look.record.start) return say(attempt, {"", look.record.start->wall_ms});
    return say_silence(attempt);
  }
  if (!look.job) return absent(attempt, look);
  const SlurmJob& job = *look.job;
  if (attempt.stage == Stage::kUnknown) {
    attempt.stage = Stage::kKnown;
    attempt.id = job.id;
    moved_ = Clock::now();
  }
  if (attempt.control.cancel) {
    const auto patience = milliseconds(attempt.wanted.grace_ms) + kPatience;
    if (!attempt.cancelled_at) {
      tell(attempt);
    } else if (Clock::now() > *attempt.cancelled_at + patience) {
      tell(attempt, true);
    }
  }
  if (!is_over(job.state)) {
    attempt.polls_without = 0;
    State state;
    if (is_waiting(job.state)) state.waiting_for = reason_in_words(job.reason);
    if (look.record.start) state.began = look.record.start->wall_ms;
    return say(attempt, std::move(state));
  }
  moved_ = Clock::now();
  if (++attempt.polls_without >= kPollsBeforeBelieving) ended_without_record(attempt, look);
}

/// Makes sure that nothing of its folder can run any more; false when it began this instant.
bool SlurmExecutor::withdraw(Supervised& attempt) {
  RunFolderError error;
  const RunClaim claim{ProcessId{::getpid(), 0}, boot_id(), now_ms()};
  switch (withdraw_attempt(attempt.folder, claim, &error)) {
    case ClaimOutcome::kClaimed:
      return true;
    case ClaimOutcome::kTaken:
      attempt.polls_without = 0;
      return false;
    case ClaimOutcome::kFailed:
      spdlog::error("{}: {}", attempt.token, error.sentence);
      return false;
  }
  return false;
}

/// squeue does not know it: it was never accepted, or Slurm has forgotten it.
void SlurmExecutor::absent(Supervised& attempt, const Look& look) {
  moved_ = Clock::now();
  if (++attempt.polls_without < kPollsBeforeBelieving) return;
  AttemptResult result;
  result.at = now_ms();
  if (look.state == RecordState::kPresent) {
    explain_end({}, look.words, attempt.wanted.memory_mb, &result);
    take_start(look.record, &result);
    return finish(attempt, std::move(result));
  }
  if (!withdraw(attempt)) return;
  if (attempt.control.cancel) {
    result.reason = EndReason::kCancelled;
    return finish(attempt, std::move(result));
  }
  if (!attempt.refused.empty() || !attempt.id.empty()) {
    result.reason = EndReason::kSpawnError;
    result.message = attempt.refused.empty() ? "Slurm has lost this job before it began"
                                             : "Slurm refused the job: " + attempt.refused;
    return finish(attempt, std::move(result));
  }
  // sbatch did not come through. Nothing of that folder can run any more: a new one.
  attempt.again = Clock::now() +
                  std::min<Clock::duration>((attempt.generation - 1) * kResubmit, kSlowestResubmit);
  attempt.generation += 1;
  attempt.folder = setup_.folder / fmt::format("{}~{}", attempt.token, attempt.generation);
  attempt.stage = Stage::kToSubmit;
  attempt.polls_without = 0;
}

void SlurmExecutor::ended_without_record(Supervised& attempt, const Look& look) {
  AttemptResult result;
  result.at = now_ms();
  if (look.state == RecordState::kPresent) {
    take_start(look.record, &result);
    explain_end(*look.job, look.words, attempt.wanted.memory_mb, &result);
    if (attempt.control.cancel && result.reason == EndReason::kLost) {
      result.message = "it was cancelled, and " + result.message;
    }
    return finish(attempt, std::move(result));
  }
  if (!withdraw(attempt)) return;
  if (attempt.control.cancel || look.job->state == "CANCELLED") {
    result.reason = EndReason::kCancelled;
    if (!attempt.control.cancel) result.message = "it was cancelled in Slurm before it began";
  } else {
    result.reason = EndReason::kSpawnError;
    result.message = fmt::format("Slurm ended the job before it began ({}, {}): {}",
                                 look.job->state, look.job->reason,
                                 look.words.empty() ? "is runyard-shim there on the node, and the "
                                                      "run folder?"
                                                    : look.words);
  }
  finish(attempt, std::move(result));
}

// ---- Telling ----

/// Writes the control file. For a cancel, takes the job out of Slurm's queue or, when it runs,
/// wakes the shim, which ends the tree; a TERM of Slurm's to the whole of it would look as if the
/// command had ended by itself. `hard`: that as well, because the shim does not answer.
void SlurmExecutor::tell(Supervised& attempt, bool hard) {
  const bool cancel = attempt.control.cancel && !attempt.id.empty();
  if (cancel) attempt.cancelled_at = Clock::now();
  asio::post(submitters_, [this, token = attempt.token, folder = attempt.folder, id = attempt.id,
                           name = name_of(attempt), control = attempt.control, cancel, hard] {
    RunFolderError error;
    const bool written = write_control(folder, control, &error) || error.code == ENOENT;
    if (!written) spdlog::error("{}: {}", token, error.sentence);
    Result<> sent;
    if (cancel) {
      using Cancel = SlurmClient::Cancel;
      sent = client_.cancel(id, name, hard ? Cancel::kAll : Cancel::kWaiting);
      RunRecord record;
      // A shim that has not claimed the attempt reads the control file before it starts anything.
      if (sent && read_record(folder, &record, &error) == RecordState::kPresent && !record.exit) {
        sent = client_.cancel(id, name, Cancel::kSupervisor);
      }
    }
    if (!sent) spdlog::debug("{}: scancel: {}", token, sent.error().message);
    asio::post(engine_, [this, token, again = !written || !sent] {
      const auto found = supervised_.find(token);
      if (again && found != supervised_.end()) found->second->cancelled_at.reset();
      poll_soon();
    });
  });
}

void SlurmExecutor::say(Supervised& attempt, State state) {
  if (attempt.said == state) return;
  moved_ = Clock::now();
  attempt.said = state;
  changed_(attempt.job_id, attempt.attempt, state);
}

/// Of an attempt that is not known to run.
void SlurmExecutor::say_silence(Supervised& attempt) {
  if (attempt.said && attempt.said->waiting_for.empty()) return;
  say(attempt, {"Slurm does not answer", {}});
}

void SlurmExecutor::finish(Supervised& attempt, AttemptResult result) {
  moved_ = Clock::now();
  const auto found = supervised_.find(attempt.token);
  const auto owned = std::move(found->second);
  supervised_.erase(found);
  kill_point("end_seen");
  ended_(owned->job_id, owned->attempt, result);
}

void SlurmExecutor::cancel(const std::string& job_id, int attempt) {
  const auto found = supervised_.find(token_of(job_id, attempt));
  if (found == supervised_.end() || found->second->control.cancel) return;
  found->second->control.cancel = true;
  if (found->second->stage == Stage::kToSubmit) {
    // On a turn of its own: never from inside a call of the engine.
    asio::post(engine_, [this, token = found->first] {
      const auto still = supervised_.find(token);
      if (still == supervised_.end() || still->second->stage != Stage::kToSubmit) return;
      AttemptResult result;
      result.reason = EndReason::kCancelled;
      result.at = now_ms();
      finish(*still->second, std::move(result));
    });
  } else if (found->second->stage != Stage::kSubmitting) {
    tell(*found->second);
  }
}

void SlurmExecutor::set_timeout(const std::string& job_id, int attempt, std::int64_t timeout_sec) {
  const auto found = supervised_.find(token_of(job_id, attempt));
  if (found == supervised_.end()) return;
  Supervised& changed = *found->second;
  const auto timeout_ms = static_cast<std::uint64_t>(timeout_sec) * 1000;
  changed.wanted.timeout_sec = timeout_sec;
  if (changed.stage == Stage::kToSubmit) {
    changed.spec.timeout_ms = timeout_ms;
    return;
  }
  changed.control.timeout_ms = timeout_ms;
  if (changed.stage != Stage::kSubmitting) tell(changed);
}

// ---- Afterwards ----

void SlurmExecutor::clean_up(const std::string& job_id, int attempt, EndReason reason) {
  const std::string token = token_of(job_id, attempt);
  if (reason != EndReason::kLost) return remove_folders(token);
  lost_[token] = {job_id, attempt, folder_of(job_id, attempt), Clock::now() + kWatchLost};
  poll_soon();
}

void SlurmExecutor::remove_folders(const std::string& token) {
  asio::post(submitters_, [folder = setup_.folder, token] {
    std::error_code ignored;
    for (int generation = 1;; ++generation) {
      const auto path =
          folder / (generation == 1 ? token : fmt::format("{}~{}", token, generation));
      if (!std::filesystem::exists(path, ignored) && generation > 1) return;
      remove_run_folder(path);
    }
  });
}

}  // namespace runyard
