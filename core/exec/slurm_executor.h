#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/exec/attempt.h"
#include "core/exec/slurm_client.h"

namespace runyard {

/// Runs attempts in Slurm's allocations, each under a runyard-shim of its own, from a run folder on
/// a file system that all nodes share (docs/slurm.md). Engine thread only; Slurm's commands and the
/// records are waited for on worker threads.
///
/// What decides is the shim's exit record; Slurm's state stands in only where there is none. An
/// attempt is found again by its name, which is on disk before sbatch is called. As sbatch may
/// fail and the job exist all the same, "not there" is believed only after squeue has said so, and
/// then the attempt is withdrawn (docs/run-folder.md), so that a late job runs nothing. The folder
/// of a lost attempt is kept and looked at: its node may come back with the result.
class SlurmExecutor final : public Executor {
 public:
  struct Setup {
    std::filesystem::path folder;  ///< of run folders, shared by server and nodes
    std::filesystem::path shim;    ///< as the nodes see it
    SlurmOptions options;
  };
  /// What is new of an attempt that has not ended: why it waits in Slurm's queue ("": it does not),
  /// and when its command was started.
  struct State {
    std::string waiting_for;
    std::optional<TimeMs> began;
    bool operator==(const State&) const = default;
  };
  using Changed = std::function<void(const std::string& job_id, int attempt, const State&)>;

  SlurmExecutor(boost::asio::io_context& engine, Setup setup, Ended ended, Changed changed);
  ~SlurmExecutor() override;

  void run(AttemptSpec spec) override;
  void cancel(const std::string& job_id, int attempt) override;
  void set_timeout(const std::string& job_id, int attempt, std::int64_t timeout_sec) override;
  void clean_up(const std::string& job_id, int attempt, EndReason reason) override;
  std::filesystem::path folder_of(const std::string& job_id, int attempt) const override;

 private:
  using Clock = std::chrono::steady_clock;
  enum class Stage {
    kToSubmit,    ///< waits for a submitter
    kSubmitting,  ///< sbatch runs
    kUnknown,     ///< sbatch failed, or an earlier server called it: squeue must say
    kKnown,       ///< squeue has shown it, or sbatch its id
  };
  struct Supervised;
  /// An attempt whose job has ended as lost, while its processes may go on.
  struct Lost {
    std::string job_id;
    int attempt = 1;
    std::filesystem::path folder;
    Clock::time_point until{};
  };
  struct Look;
  struct Round;

  static std::string name_of(const Supervised& attempt);
  void submit_next();
  void submitted(const std::string& token, Result<std::string> id);
  void poll_soon();
  void poll_at(Clock::time_point at);
  void poll();
  void polled(const Round& round);
  void examine(Supervised& attempt, const Look& look);
  void absent(Supervised& attempt, const Look& look);
  void ended_without_record(Supervised& attempt, const Look& look);
  bool withdraw(Supervised& attempt);
  void tell(Supervised& attempt, bool hard = false);
  void say(Supervised& attempt, State state);
  void say_silence(Supervised& attempt);
  void finish(Supervised& attempt, AttemptResult result);
  void remove_folders(const std::string& token);

  boost::asio::io_context& engine_;
  const Setup setup_;
  const SlurmClient client_;
  const Ended ended_;
  const Changed changed_;
  std::map<std::string, std::unique_ptr<Supervised>> supervised_;  // by token
  std::map<std::string, Lost> lost_;                               // by token
  std::deque<std::string> to_submit_;                              // tokens
  int submitting_ = 0;
  bool answers_ = false;  // the last squeue did
  bool polling_ = false, poll_planned_ = false;
  Clock::time_point moved_{};      // when an attempt last changed its state
  Clock::time_point next_poll_{};  // not before
  boost::asio::steady_timer timer_;
  boost::asio::thread_pool submitters_{4}, poller_{1};
};

}  // namespace runyard
