#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/model/job.h"

namespace runyard {

/// Every setting of the server, as configs/runyard.yaml documents them. A plain value.
struct Config {
  // Where things are.
  std::filesystem::path workspace = ".";
  std::vector<std::filesystem::path> roots;  ///< further folders that links may lead to
  std::filesystem::path state_dir;           ///< empty: <workspace>/.runyard
  std::string python;                        ///< empty: .venv/bin/python, else python3
  std::vector<std::filesystem::path> plugin_dirs;
  std::vector<std::string> allow = {"scripts.*"};

  // Who may reach it.
  std::string host = "127.0.0.1";
  std::uint16_t port = 8000;
  int http_threads = 8;
  std::vector<std::string> allowed_hosts;  ///< names for this server, beside loopback
  std::vector<std::string> allowed_origins = {"http://localhost:5173", "http://127.0.0.1:5173"};

  // What may run.
  int slots = 0;  ///< 0: half of the cores, at least 1
  std::map<std::string, int> group_slots;
  std::vector<int> gpus;
  int jobs_per_gpu = 1;
  int max_queued = 100'000;
  std::int64_t ageing_sec = 600;  ///< 0: none

  // How it runs.
  std::map<std::string, std::string> env;  ///< added to every job's environment
  std::int64_t grace_sec = 10;
  std::int64_t log_max_bytes = 0;      ///< 0: none
  std::int64_t retry_backoff_sec = 5;  ///< doubled with each retry, at most 5 minutes

  // What is kept.
  std::int64_t keep_days = 0;  ///< 0: for ever
  std::int64_t keep_jobs = 0;  ///< 0: all
};

/// Reads a configuration file over the defaults. kInvalid with one sentence (line, key, what is
/// expected; for an unknown key the nearest known one); kNotFound when there is no such file.
Result<Config> load_config(const std::filesystem::path& file, Config defaults = {});

/// The known name nearest to a mistyped one; "" when none is near.
std::string nearest_name(const std::string& name, const std::vector<std::string>& known);

}  // namespace runyard
