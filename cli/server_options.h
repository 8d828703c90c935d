#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/service/config.h"

namespace runyard::cli {

/// The options of `runyard serve`, and of the commands that look at a set-up without serving it:
/// which workspace, which configuration, and what is set on the command line.
class ServerOptions {
 public:
  /// The options that find the configuration: --workspace and --config.
  void declare_place(CLI::App& app);
  /// Where the server's own files are: --state-dir.
  void declare_state_dir(CLI::App& app);
  /// The settings that go before it: --host, --port, ..., with --state-dir.
  void declare_settings(CLI::App& app);

  /// Takes a configuration file that is not an option.
  void set_file(const std::string& file) { file_ = file; }
  /// The file that is read: what was given, else configs/runyard.yaml of the workspace; "" for
  /// none.
  std::filesystem::path file() const;
  std::filesystem::path workspace() const { return workspace_; }

  /// Defaults, file, environment, options, in this order. What is wrong is in its mistakes().
  Settings read() const;
  /// Gives what read() gives, whenever the file has changed since; a file with mistakes is told in
  /// the log, and does not count.
  std::function<std::optional<Config>()> rereader() const;

 private:
  std::string workspace_ = ".";
  std::string file_;
  std::string host_, state_dir_, web_dir_;
  std::optional<std::uint16_t> port_;
  std::optional<int> slots_;
  std::vector<std::string> plugin_dirs_;
};

/// The folder of this program's file; what is installed beside it is found from there.
std::filesystem::path program_folder();

}  // namespace runyard::cli
