#pragma once

#include <chrono>

namespace runyard::cli {

/// From here on Ctrl-C (SIGINT) and SIGTERM set a flag instead of ending the program, so that a
/// follower can say how to go on. A second Ctrl-C ends it at once. Main thread.
void catch_interrupts();
/// True once a signal of catch_interrupts() has come. Any thread.
bool interrupted();
/// Sleeps; returns early (false) when interrupted.
bool pause_for(std::chrono::milliseconds time);

}  // namespace runyard::cli
