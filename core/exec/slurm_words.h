#pragma once

// What Slurm's states, reasons and words mean for a job, and in words for people.

#include <filesystem>
#include <string>

#include "core/exec/executor.h"
#include "core/exec/run_folder.h"
#include "core/exec/slurm_client.h"

namespace runyard {

bool is_waiting(const std::string& state);
bool is_over(const std::string& state);

/// Slurm's Reason for people; one that is not known is given as Slurm says it.
std::string reason_in_words(const std::string& reason);

/// What Slurm has written into the output file of its job: its errors, without their heads, in one
/// line; "" when there are none.
std::string slurms_words(const std::filesystem::path& folder);

/// True for an end that somebody beside the command and the server has brought about, so that
/// Slurm's state says why.
bool ended_by_others(const RunExit& exit);

/// The start slot of a record without an exit.
void take_start(const RunRecord& record, AttemptResult* result);

/// Why an attempt ended whose record does not say it: reason, signal and message. `job` is empty
/// when Slurm does not know it any more.
void explain_end(const SlurmJob& job, const std::string& words, std::int64_t memory_mb,
                 AttemptResult* result);

}  // namespace runyard
