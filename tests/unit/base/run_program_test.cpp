#include "core/base/run_program.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/unit/base/temp_folder.h"

namespace runyard {
namespace {

using std::chrono::milliseconds;

Result<ProgramOutput> shell(const std::string& script, ProgramOptions options = {}) {
  return run_program({"/bin/sh", "-c", script}, options);
}

TEST(RunProgram, GivesOutputErrorsAndExitCode) {
  const auto told = shell("echo out; echo err >&2; cat; exit 3");
  ASSERT_TRUE(told);
  EXPECT_EQ(told->output, "out\n");
  EXPECT_EQ(told->errors, "err\n");
  EXPECT_EQ(told->exit_code, 3);
  EXPECT_EQ(shell("kill -9 $$")->exit_code, 128 + 9);
}

TEST(RunProgram, TakesMoreThanAPipeHolds) {
  const auto told = shell("head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2");
  ASSERT_TRUE(told);
  EXPECT_EQ(told->output.size(), 3'000'000u);
  EXPECT_EQ(told->errors.size(), 3'000'000u);
  const auto cut = shell("head -c 3000000 /dev/zero; exit 4", {.max_output = 1000});
  ASSERT_TRUE(cut);
  EXPECT_LT(cut->output.size(), 100'000u);
  EXPECT_EQ(cut->exit_code, 4);
}

TEST(RunProgram, EndsWhatDoesNotEnd) {
  const auto late = shell("sleep 300 & sleep 300", {.limit = milliseconds(100)});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind, ErrorKind::kUnavailable);
  EXPECT_EQ(late.error().message, "/bin/sh did not answer within 0.1 s");
}

TEST(RunProgram, DoesNotWaitForWhatWasLeftBehind) {
  // The child holds the pipes open.
  const auto told = shell("echo begun; sleep 3 & exit 5");
  ASSERT_TRUE(told);
  EXPECT_EQ(told->output, "begun\n");
  EXPECT_EQ(told->exit_code, 5);
}

TEST(RunProgram, RunsWhereItIsToldTo) {
  TempFolder folder;
  const auto told = run_program({"pwd"}, {.folder = folder.path()});
  ASSERT_TRUE(told);
  EXPECT_EQ(told->output, folder.path().string() + "\n");
}

TEST(RunProgram, TakesAnEnvironment) {
  const auto told = run_program({"/usr/bin/env"}, {.env = {"A=1", "B=x y"}});
  ASSERT_TRUE(told);
  EXPECT_EQ(told->output, "A=1\nB=x y\n");
}

TEST(RunProgram, SaysThatThereIsNoSuchProgram) {
  const auto none = run_program({"/nowhere/program"});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(run_program({"no-program-of-this-name"}).error().kind, ErrorKind::kNotFound);
  EXPECT_TRUE(find_on_path("no-program-of-this-name").empty());
  EXPECT_EQ(find_on_path("sh").filename(), "sh");
}

}  // namespace
}  // namespace runyard
