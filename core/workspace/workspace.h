#pragma once

#include "core/base/confined_path.h"
#include "core/workspace/backtests.h"
#include "core/workspace/model_registry.h"
#include "core/workspace/runs.h"

namespace runyard {

/// The read-only views of the workspace. Owned by the service, which owns the confinement too; any
/// thread.
struct Workspace {
  explicit Workspace(const Confinement& confinement)
      : registry(confinement), runs(confinement), backtests(confinement) {}
  ModelRegistry registry;
  Runs runs;
  Backtests backtests;
};

}  // namespace runyard
