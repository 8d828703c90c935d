#include "cli/interrupt.h"

#include <poll.h>

#include <algorithm>
#include <csignal>

namespace runyard::cli {
namespace {

volatile std::sig_atomic_t g_interrupted = 0;

void on_signal(int) { g_interrupted = 1; }

}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // and no SA_RESTART: sleeps and reads end
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() { return g_interrupted != 0; }

bool pause_for(std::chrono::milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (!interrupted()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    if (left.count() <= 0) return true;
    // A signal that comes just before the call is noticed at the latest after 100 ms.
    ::poll(nullptr, 0, static_cast<int>(std::min<long long>(left.count(), 100)));
  }
  return false;
}

}  // namespace runyard::cli
