#pragma once

#ifdef RUNYARD_KILL_POINTS
#include <csignal>
#include <cstdlib>
#include <cstring>
#endif

namespace runyard {

/// A named step at which the fault tests kill this process: in builds with RUNYARD_KILL_POINTS, the
/// environment variable RUNYARD_KILL_POINT=<step> makes it die there by SIGKILL. Nothing otherwise.
/// The steps are listed in docs/recovery.md.
inline void kill_point([[maybe_unused]] const char* step) {
#ifdef RUNYARD_KILL_POINTS
  const char* wanted = std::getenv("RUNYARD_KILL_POINT");
  if (wanted && std::strcmp(wanted, step) == 0) ::raise(SIGKILL);
#endif
}

}  // namespace runyard
