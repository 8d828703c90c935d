#include "core/service/git_reader.h"

#include <sys/stat.h>

#include "core/base/run_program.h"
#include "core/base/text.h"

namespace runyard {
namespace {

constexpr auto kHolds = std::chrono::milliseconds(200);

/// What a command printed; nullopt unless it ended with 0.
std::optional<std::string> output_of(std::vector<std::string> argv) {
  auto told = run_program(std::move(argv));
  if (!told || told->exit_code != 0) return std::nullopt;
  return std::move(told->output);
}

}  // namespace

std::optional<GitState> GitReader::read() {
  const auto now = std::chrono::steady_clock::now();
  const Marks before = marks();
  if (asked_at_ && now - *asked_at_ < kHolds && before == marks_) return state_;
  marks_ = before;
  asked_at_ = now;
  state_ = ask_git();
  return state_;
}

GitReader::Marks GitReader::marks() const {
  Marks marks{};
  if (git_folder_.empty()) return marks;
  constexpr std::array kFiles{"HEAD", "logs/HEAD", "index"};
  for (std::size_t i = 0; i < kFiles.size(); ++i) {
    struct stat info {};
    if (::stat((git_folder_ / kFiles[i]).c_str(), &info) != 0) continue;
    marks[i] = {info.st_ino, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec};
  }
  return marks;
}

std::optional<GitState> GitReader::ask_git() {
  const std::string folder = workspace_.string();
  const auto told = output_of({"git", "-C", folder, "rev-parse", "HEAD", "--absolute-git-dir"});
  const auto end = told ? told->find('\n') : std::string::npos;
  if (end == std::string::npos) {
    git_folder_.clear();
    return std::nullopt;
  }
  git_folder_ = std::string(trim(std::string_view(*told).substr(end)));
  // Without the optional locks, git status never gets in the way of the user's own git.
  const auto changes = output_of({"git", "--no-optional-locks", "-C", folder, "status",
                                  "--porcelain", "--untracked-files=no"});
  return GitState{told->substr(0, end), changes && !trim(*changes).empty()};
}

}  // namespace runyard
