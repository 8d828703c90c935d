#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/model/job.h"

namespace runyard {

/// Every setting of the server, as configs/runyard.yaml documents them. A plain value. A new one
/// needs a line here, in the table of setting_table.cpp, and in configs/runyard.yaml.
struct Config {
  // Where things are.
  std::filesystem::path workspace = ".";
  std::vector<std::filesystem::path> roots;  ///< further folders that links may lead to
  std::filesystem::path state_dir;           ///< empty: default_state_dir()
  std::string python;                        ///< empty: .venv/bin/python, else python3
  std::vector<std::filesystem::path> plugin_dirs;
  std::vector<std::string> allow = {"scripts.*"};
  std::map<std::string, std::string> pinned;  ///< SHA-256 by file name; empty: any
  bool watch_plugins = true;                  ///< false: only `runyard plugins --rescan` looks

  // Who may reach it.
  std::string host = "127.0.0.1";
  std::uint16_t port = 8000;
  int http_threads = 8;
  int max_streams = 5000;                    ///< event streams at once
  int max_streams_per_client = 500;          ///< of one token or address; on loopback: no limit
  std::filesystem::path web_dir;             ///< empty: beside the program
  std::string auth = "auto";                 ///< auto: tokens beyond loopback; required: always
  std::vector<std::string> allowed_hosts;    ///< names for this server, beside loopback
  std::vector<std::string> trusted_proxies;  ///< addresses and networks
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

  // Where it runs: local, slurm.
  std::string executor = "local";
  std::map<std::string, std::string> group_executors;  ///< by group
  std::map<std::string, std::string> type_executors;   ///< by job type; before the group's
  std::filesystem::path slurm_folder;  ///< of run folders; empty: <workspace>/.runyard/slurm
  std::filesystem::path slurm_shim;    ///< empty: the server's
  int slurm_slots = 1000;              ///< of the jobs that Slurm has at once
  std::string slurm_partition, slurm_account, slurm_qos;
  std::vector<std::string> slurm_flags;  ///< further options of sbatch
  int slurm_command_timeout_sec = 15;    ///< of each call of sbatch, squeue and scancel

  // Its own log.
  std::string log_level = "info";          ///< debug, info, warn, error
  std::string log_format = "text";         ///< text, json
  bool log_access = false;                 ///< a line for each request, at info instead of debug
  std::filesystem::path log_file;          ///< empty: standard error
  std::int64_t log_file_bytes = 50 << 20;  ///< the file is rotated above it
  int log_file_keep = 5;                   ///< rotated files that are kept

  // What is kept.
  std::int64_t keep_days = 0;  ///< 0: for ever
  std::int64_t keep_jobs = 0;  ///< 0: all
};

/// The names of all settings, `server.port`, in the order of the documentation.
const std::vector<std::string>& setting_names();

/// The configuration while it is put together: the defaults, then a file, the environment and the
/// command line, each over the one before it. Mistakes are collected, so that a user sees all of
/// them at once. A plain value.
class Settings {
 public:
  explicit Settings(Config defaults = {}) : config_(std::move(defaults)) {}

  /// YAML with sections, as configs/runyard.yaml.
  void read_file(const std::filesystem::path& file);
  /// `NAME=value` entries up to a null, such as `environ`. A setting is `RUNYARD_<SECTION>__<KEY>`;
  /// a name
  /// of that form that is none is a mistake. Other names that begin with RUNYARD_ are not settings.
  void read_environment(const char* const* entries);
  /// One setting as it would stand in the file; the outer brackets of lists may be left out.
  /// `origin` is told with a mistake and by to_yaml().
  void set(std::string_view name, const std::string& text, const std::string& origin);
  /// For what is a default, but not a fixed one: takes the place of an empty value.
  void set_default(std::string_view name, const std::string& text, const std::string& why);
  /// Takes the workspace, to which relative paths of the file and the environment belong, and
  /// checks what concerns several settings. The last of the calls.
  void finish(const std::filesystem::path& workspace);

  /// Sentences with file and line, or variable, or option; empty exactly when config() may be used.
  const std::vector<std::string>& mistakes() const { return mistakes_; }
  /// What works but is hardly meant so.
  const std::vector<std::string>& warnings() const { return warnings_; }
  /// kInvalid with all mistakes.
  Result<Config> config() const;
  /// What could be read, mistakes or not.
  const Config& values() const { return config_; }

  /// Every setting as a configuration file that can be read again; the comments say where each
  /// value comes from.
  std::string to_yaml() const;
  /// {"server.port": {"value": 8000, "from": "default"}, ...}
  boost::json::object to_json() const;

 private:
  std::string origin_of(const std::string& name) const;

  Config config_;
  std::map<std::string, std::string> origins_;  // by name; what is not there is a default
  std::vector<std::string> mistakes_, warnings_;
};

/// Reads a configuration file over the defaults. kInvalid with what is wrong (line, key, what is
/// expected; for an unknown key the nearest known one); kNotFound when there is no such file.
Result<Config> load_config(const std::filesystem::path& file, Config defaults = {});

}  // namespace runyard
