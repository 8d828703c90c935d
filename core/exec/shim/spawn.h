// Starting the command of an attempt.
#pragma once

#include <sys/types.h>

#include "core/exec/run_folder.h"

namespace runyard::shim {

// Why the command could not be started; stage kNone: it could.
struct SpawnFailure {
  SpawnStage stage = SpawnStage::kNone;
  int error = 0;
};

// Starts the command and returns its pid once its program runs, or -1 with `failure` filled; then
// no process of it is left. Standard input is the caller's (/dev/null), output and error are
// `log`; own process group, no blocked signal, environment and working directory of the spec.
// A program without '/' is looked up in the PATH of that environment; nothing ever goes through a
// shell, so a script needs its `#!` line. It begins within `cgroup` (a folder; -1: the caller's)
// where the kernel allows it, else in the caller's.
pid_t spawn_command(const RunSpec& spec, int log, int cgroup, SpawnFailure* failure);

}  // namespace runyard::shim
