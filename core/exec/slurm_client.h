#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace runyard {

/// What an administrator sets for all jobs that go to Slurm (configs/runyard.yaml).
struct SlurmOptions {
  std::string partition, account, qos;
  std::vector<std::string> flags;            ///< further options of sbatch
  std::chrono::seconds command_timeout{15};  ///< of each call of a command of Slurm
};

/// One submission. All of it but the options is ours: nothing of a user reaches sbatch.
struct SlurmRequest {
  static constexpr const char* kOutput = "slurm.out";  ///< in `folder`: what Slurm itself says

  std::string name;  ///< [A-Za-z0-9_-], by which the job is found again
  std::filesystem::path folder;
  std::filesystem::path shim;
  int cpus = 1, gpus = 0;
  std::int64_t memory_mb = 0;  ///< 0: what the partition gives
  std::int64_t time_min = 0;   ///< 0: the partition's limit
};

/// One line of squeue.
struct SlurmJob {
  std::string id, name, state, reason;
  int wait_status = 0;  ///< as of wait(2)
};

/// Slurm's commands, each with a time limit of ours. Blocking: called on worker threads. An error
/// of submit() means "unknown": the job may exist all the same.
class SlurmClient {
 public:
  explicit SlurmClient(SlurmOptions options) : options_(std::move(options)) {}

  /// The id of the new job. kInvalid when Slurm refused it, in its words; kUnavailable when nobody
  /// can know.
  Result<std::string> submit(const SlurmRequest& request) const;
  /// All jobs of this user that Slurm knows, ended ones for some minutes too.
  Result<std::vector<SlurmJob>> list() const;
  enum class Cancel {
    kWaiting,     ///< a job that has not begun, and no other
    kSupervisor,  ///< tells the batch process alone, which is the shim
    kAll,         ///< every process: TERM, then KILL
  };
  /// The name as well as the id: a controller that lost its state gives the same ids again.
  Result<> cancel(const std::string& id, const std::string& name, Cancel what) const;

  /// The lines of `squeue -O JobID:|,Name:|,State:|,Reason:|,exit_code:|`.
  static std::vector<SlurmJob> parse(std::string_view text);

 private:
  const SlurmOptions options_;
};

}  // namespace runyard
