#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace runyard {

/// The executable of that name on the server's PATH (absolute folders only); empty when there is
/// none.
std::filesystem::path find_on_path(const std::string& name);

/// The texts as exec and posix_spawn take them, with the null pointer at the end; they point into
/// `texts`.
std::vector<char*> exec_pointers(std::vector<std::string>& texts);

struct ProgramOutput {
  int exit_code = 0;  ///< 128 + the signal when it was killed by one
  std::string output;
  std::string errors;  ///< its standard error
};

struct ProgramOptions {
  std::chrono::milliseconds limit{15'000};  ///< then it is killed, with all its process group
  std::size_t max_output = 16u << 20;       ///< what is beyond is read and dropped
  std::vector<std::string> env = {};        ///< NAME=value; empty: the server's
  std::filesystem::path folder = {};        ///< where it runs; empty: where the server does
};

/// Runs a short helper program (git, nvidia-smi, the commands of Slurm) and waits for its end: any
/// thread but the engine's. A program without '/' is looked up on PATH. Standard input is empty.
/// kNotFound when it cannot be started, kUnavailable when it did not end in time; how it ended is
/// the caller's to judge.
Result<ProgramOutput> run_program(std::vector<std::string> argv,
                                  const ProgramOptions& options = {});

}  // namespace runyard
