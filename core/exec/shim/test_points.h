// Named steps of the shim's life at which a test can kill or pause it (docs/run-folder.md lists
// them). Nothing of this is compiled in unless RUNYARD_KILL_POINTS is defined.
#pragma once

namespace runyard::shim {

// RUNYARD_KILL_POINT=<step> in the shim's own environment: it dies here as by kill -9.
// RUNYARD_PAUSE_POINT=<step>: it stops here until SIGCONT.
#ifdef RUNYARD_KILL_POINTS
void test_point(const char* step);
#else
inline void test_point(const char*) {}
#endif

}  // namespace runyard::shim
