#include "core/base/open_files.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace runyard {
namespace {

rlim_t limit() {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  return files.rlim_cur;
}

// In a process of its own: the limits are of the whole process.
TEST(OpenFiles, AreRaisedToTheHardLimitAndPutBack) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit low{100, 200};
    ::setrlimit(RLIMIT_NOFILE, &low);
    restore_open_files(0);  // nothing was raised yet
    if (limit() != 100) ::_exit(1);
    raise_open_files();
    if (limit() != 200) ::_exit(2);
    restore_open_files(0);
    ::_exit(limit() == 100 ? 0 : 3);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace runyard
