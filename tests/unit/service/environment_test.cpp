#include "core/service/environment.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

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

TEST_F(Environment, FindsExecutables) {
  make_executable(folder_ / "bin/tool");
  EXPECT_EQ(program_command({Program::Kind::kExecutable, "bin/tool"}, "", folder_)->front(),
            (folder_ / "bin/tool").string());
  EXPECT_EQ(program_command({Program::Kind::kExecutable, "/bin/sh"}, "", folder_)->front(),
            "/bin/sh");
  std::ofstream(folder_ / "plain") << "x";
  EXPECT_FALSE(program_command({Program::Kind::kExecutable, "./plain"}, "", folder_));
}

TEST_F(Environment, ReadsTheStateOfGit) {
  EXPECT_FALSE(read_git_state(folder_));
  const std::string git = "git -c user.name=t -c user.email=t@t -C " + folder_.string() + " ";
  std::ofstream(folder_ / "file") << "1";
  ASSERT_EQ(std::system((git + "init -q && " + git + "add . && " + git + "commit -qm x").c_str()),
            0);
  const auto clean = read_git_state(folder_);
  ASSERT_TRUE(clean);
  EXPECT_EQ(clean->commit.size(), 40u);
  EXPECT_FALSE(clean->dirty);
  std::ofstream(folder_ / "untracked") << "1";
  EXPECT_FALSE(read_git_state(folder_)->dirty);
  std::ofstream(folder_ / "file") << "2";
  EXPECT_TRUE(read_git_state(folder_)->dirty);
}

}  // namespace
}  // namespace runyard
