#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/model/job.h"
#include "core/model/job_type.h"

namespace runyard {

/// The program's part of a command: the interpreter with `-m module`, or the executable. The
/// interpreter is `python` when given, else the workspace's .venv/bin/python, else the first
/// python3 on PATH. kInvalid, with what to do, when there is none.
Result<std::vector<std::string>> program_command(const Program& program, const std::string& python,
                                                 const std::filesystem::path& workspace);

/// A job's whole environment: the server's without RUNYARD_* (its secrets and settings), plus
/// `extra`, RUNYARD_JOB_ID, RUNYARD_ATTEMPT (the token that marks the job's processes),
/// PYTHONUNBUFFERED=1 and PYTHONUTF8=1. With `gpus_managed`, CUDA_VISIBLE_DEVICES names exactly the
/// assigned GPUs, so that a job without one sees none.
std::vector<std::string> job_environment(const Job& job,
                                         const std::map<std::string, std::string>& extra,
                                         bool gpus_managed);

}  // namespace runyard
