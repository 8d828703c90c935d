#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <tuple>

#include "core/model/job.h"

namespace runyard {

/// Reads what git says of the workspace, for the jobs that start. Two runs of git cost more CPU
/// than the start of a job, so an answer serves the starts of the next 200 ms too, unless a commit,
/// a checkout or an `add` came between. One thread at a time; not the engine's, git takes
/// milliseconds.
class GitReader {
 public:
  explicit GitReader(std::filesystem::path workspace) : workspace_(std::move(workspace)) {}

  /// The commit, and whether tracked files differ from it; nullopt when the workspace is no git
  /// repository with a commit, or git is missing.
  std::optional<GitState> read();

 private:
  /// Inode, size and time of the files that git rewrites when HEAD moves or the index changes.
  using Marks = std::array<std::tuple<std::uint64_t, std::int64_t, std::int64_t, std::int64_t>, 3>;
  Marks marks() const;
  std::optional<GitState> ask_git();

  const std::filesystem::path workspace_;
  std::filesystem::path git_folder_;  ///< as git names it; "" without a repository
  std::optional<std::chrono::steady_clock::time_point> asked_at_;
  Marks marks_{};
  std::optional<GitState> state_;
};

}  // namespace runyard
