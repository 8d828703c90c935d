#pragma once

// What the executors share: between an AttemptSpec, the run folder, and an AttemptResult.

#include <filesystem>
#include <string>

#include "core/exec/executor.h"
#include "core/exec/run_folder.h"

namespace runyard {

/// `<job_id>.<attempt>`: the value of RUNYARD_ATTEMPT and the name of the run folder.
std::string token_of(const std::string& job_id, int attempt);

RunSpec to_run_spec(const AttemptSpec& spec);

/// What a record with an exit slot says. `cancelled`: the server has asked for the end, so that a
/// supervisor that was only told to stop has done what was wanted.
AttemptResult to_result(const RunRecord& record, const RunSpec& spec, bool cancelled);

/// Removes a run folder, the spec first: a late shim that claims what is being removed sees that,
/// and runs nothing. Waits for the disk.
void remove_run_folder(const std::filesystem::path& folder);

}  // namespace runyard
