#include "core/base/open_files.h"

#include <sys/resource.h>

#include <algorithm>

namespace runyard {
namespace {

constexpr rlim_t kEnough = 65536;
rlimit g_found{0, 0};

}  // namespace

void raise_open_files() {
  if (::getrlimit(RLIMIT_NOFILE, &g_found) != 0) return;
  rlimit raised = g_found;
  raised.rlim_cur = std::max(g_found.rlim_cur, std::min(g_found.rlim_max, kEnough));
  (void)::setrlimit(RLIMIT_NOFILE, &raised);
}

void restore_open_files(pid_t child) {
  if (g_found.rlim_max != 0) (void)::prlimit(child, RLIMIT_NOFILE, &g_found, nullptr);
}

}  // namespace runyard
