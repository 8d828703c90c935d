#include "core/exec/shim/test_points.h"

#ifdef RUNYARD_KILL_POINTS
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace runyard::shim {

void test_point(const char* step) {
  const char* const kill_at = std::getenv("RUNYARD_KILL_POINT");
  if (kill_at != nullptr && std::strcmp(kill_at, step) == 0) ::raise(SIGKILL);
  const char* const pause_at = std::getenv("RUNYARD_PAUSE_POINT");
  if (pause_at != nullptr && std::strcmp(pause_at, step) == 0) ::raise(SIGSTOP);
}

}  // namespace runyard::shim
#endif
