#include "core/service/environment.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

namespace runyard {
namespace {

namespace fs = std::filesystem;

class Environment : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/runyard-environment-XXXXXX";
    folder_ = ::mkdtemp(name);
    path_ = ::getenv("PATH") ? ::getenv("PATH") : "";
  }
  void TearDown() override {
    fs::remove_all(folder_);
    ::setenv("PATH", path_.c_str(), 1);
  }
  void make_executable(const fs::path& path) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << "#!/bin/sh\n";
    fs::permissions(path, fs::perms::owner_all);
  }
  fs::path folder_;
  std::string path_;
};

std::string value_of(const std::vector<std::string>& env, const std::string& name) {
  for (const auto& entry : env) {
    if (entry.starts_with(name + "=")) return entry.substr(name.size() + 1);
  }
  return "(absent)";
}

Job job() {
  Job job;
  job.job_id = "job_20260101_000000__00000001";
  job.attempt = 2;
  job.gpu_ids = {3, 0};
  return job;
}

TEST_F(Environment, HidesTheServersOwnVariables) {
  ::setenv("RUNYARD_TOKEN", "secret", 1);
  ::setenv("RUNYARD_ATTEMPT", "of the job that this server runs in", 1);
  ::setenv("USERS_OWN", "kept", 1);
  const auto env =
      job_environment(job(), {{"EXTRA", "1"}, {"PYTHONUTF8", "0"}, {"RUNYARD_JOB_ID", "x"}}, false);
  for (const char* name : {"RUNYARD_TOKEN", "RUNYARD_ATTEMPT", "USERS_OWN"}) ::unsetenv(name);
  EXPECT_EQ(value_of(env, "RUNYARD_TOKEN"), "(absent)");
  EXPECT_EQ(value_of(env, "USERS_OWN"), "kept");
  EXPECT_EQ(value_of(env, "EXTRA"), "1");
  EXPECT_EQ(value_of(env, "PYTHONUTF8"), "0") << "the configuration has the last word";
  EXPECT_EQ(value_of(env, "PYTHONUNBUFFERED"), "1");
  EXPECT_EQ(value_of(env, "RUNYARD_JOB_ID"), "job_20260101_000000__00000001");
  EXPECT_EQ(value_of(env, "RUNYARD_ATTEMPT"), "job_20260101_000000__00000001.2");
}

TEST_F(Environment, NamesTheGpusOnlyWhenTheyAreManaged) {
  ::setenv("CUDA_VISIBLE_DEVICES", "7", 1);
  EXPECT_EQ(value_of(job_environment(job(), {}, false), "CUDA_VISIBLE_DEVICES"), "7");
  EXPECT_EQ(value_of(job_environment(job(), {}, true), "CUDA_VISIBLE_DEVICES"), "3,0");
  Job without = job();
  without.gpu_ids.clear();
  EXPECT_EQ(value_of(job_environment(without, {}, true), "CUDA_VISIBLE_DEVICES"), "");
  ::unsetenv("CUDA_VISIBLE_DEVICES");
}

TEST_F(Environment, FindsTheInterpreter) {
  const Program module{Program::Kind::kPythonModule, "scripts.x"};
  const auto interpreter = [&](const std::string& python) {
    const auto command = program_command(module, python, folder_);
    return command ? command->front() : "error: " + command.error().message;
  };
  make_executable(folder_ / "path/python3");
  ::setenv("PATH", ("relative:" + (folder_ / "path").string()).c_str(), 1);
  EXPECT_EQ(interpreter(""), (folder_ / "path/python3").string());
  make_executable(folder_ / ".venv/bin/python");
  EXPECT_EQ(interpreter(""), (folder_ / ".venv/bin/python").string());
  make_executable(folder_ / "tools/python");
  EXPECT_EQ(interpreter("tools/python"), (folder_ / "tools/python").string());
  EXPECT_EQ(interpreter("python3"), (folder_ / "path/python3").string());
  EXPECT_TRUE(interpreter("/no/such/python").starts_with("error: there is no Python"));
  EXPECT_EQ(*program_command(module, "", folder_),
            (std::vector<std::string>{(folder_ / ".venv/bin/python").string(), "-m", "scripts.x"}));
}

TEST_F(Environment, TakesOnlyWhatCanBeRunForAnInterpreter) {
  const Program module{Program::Kind::kPythonModule, "scripts.x"};
  fs::create_directories(folder_ / "a/python3");  // a folder
  fs::create_directories(folder_ / "b");
  std::ofstream(folder_ / "b/python3") << "not executable";
  make_executable(folder_ / "c/python3");
  ::setenv("PATH", fmt::format("::{0}/none:{0}/a:{0}/b:{0}/c", folder_.string()).c_str(), 1);
  EXPECT_EQ(program_command(module, "", folder_)->front(), (folder_ / "c/python3").string());
  // A virtual environment that was half made is passed over too; links are followed.
  fs::create_directories(folder_ / ".venv/bin");
  std::ofstream(folder_ / ".venv/bin/python") << "not executable";
  EXPECT_EQ(program_command(module, "", folder_)->front(), (folder_ / "c/python3").string());
  fs::remove(folder_ / ".venv/bin/python");
  fs::create_symlink("nowhere", folder_ / ".venv/bin/python");
  EXPECT_EQ(program_command(module, "", folder_)->front(), (folder_ / "c/python3").string());
  fs::remove(folder_ / ".venv/bin/python");
  fs::create_symlink(folder_ / "c/python3", folder_ / ".venv/bin/python");
  EXPECT_EQ(program_command(module, "", folder_)->front(), (folder_ / ".venv/bin/python").string());
  // What the configuration names is taken or said to be missing, never replaced.
  for (const char* python : {"tools/none", "no-such-python", "b/python3", "a/python3"}) {
    const auto refused = program_command(module, python, folder_);
    ASSERT_FALSE(refused) << python;
    EXPECT_EQ(refused.error().kind, ErrorKind::kUnavailable);
    EXPECT_NE(refused.error().message.find(python), std::string::npos);
  }
  fs::remove_all(folder_ / ".venv");
  // Relative entries of PATH would mean another program in each folder.
  const fs::path before = fs::current_path();
  fs::current_path(folder_ / "c");
  for (const char* path : {"", ":", ".", "../c"}) {
    ::setenv("PATH", path, 1);
    EXPECT_FALSE(program_command(module, "", folder_)) << path;
  }
  fs::current_path(before);
}

TEST_F(Environment, EveryVariableIsThereOnce) {
  ::setenv("PYTHONUTF8", "0", 1);
  ::setenv("EMPTY", "", 1);
  const auto env = job_environment(job(), {{"PATH", "/only"}, {"WITH", "a=b\nc"}}, true);
  ::unsetenv("PYTHONUTF8");
  ::unsetenv("EMPTY");
  EXPECT_EQ(value_of(env, "PATH"), "/only");
  EXPECT_EQ(value_of(env, "WITH"), "a=b\nc");
  EXPECT_EQ(value_of(env, "EMPTY"), "");
  EXPECT_EQ(value_of(env, "PYTHONUTF8"), "1");
  std::set<std::string> names;
  for (const auto& entry : env) {
    EXPECT_TRUE(names.insert(entry.substr(0, entry.find('='))).second) << entry;
  }
}

TEST_F(Environment, FindsExecutables) {
  make_executable(folder_ / "bin/tool");
  EXPECT_EQ(program_command({Program::Kind::kExecutable, "bin/tool"}, "", folder_)->front(),
            (folder_ / "bin/tool").string());
  EXPECT_EQ(program_command({Program::Kind::kExecutable, "/bin/sh"}, "", folder_)->front(),
            "/bin/sh");
  std::ofstream(folder_ / "plain") << "x";
  EXPECT_FALSE(program_command({Program::Kind::kExecutable, "./plain"}, "", folder_));
}

}  // namespace
}  // namespace runyard
