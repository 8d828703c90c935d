#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/files.h"
#include "core/base/result.h"

namespace runyard {

/// The one way to open a path that came from outside (a request, a job's JSON). Owned by the
/// service; immutable after open(), so any thread may call it.
///
/// A path is opened beneath the workspace with openat2(RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS):
/// the kernel checks every step, also when a symbolic link is swapped meanwhile. A link that leaves
/// the workspace is followed only into one of the configured further roots, and what it leads to is
/// opened beneath that root in the same way.
class Confinement {
 public:
  enum class Kind { kFile, kFolder };

  /// The workspace first, then `workspace.roots`. kInvalid when one is not a folder.
  static Result<Confinement> open(const std::filesystem::path& workspace,
                                  const std::vector<std::filesystem::path>& roots);

  /// Opens an existing file or folder for reading. `path` is relative, with forward slashes.
  /// kInvalid, with a sentence, for an absolute path, an empty one, one with NUL or a control
  /// character or `..`, one that leaves the roots, and one that is of the other kind; kNotFound
  /// when it is missing.
  Result<UniqueFd> open_beneath(std::string_view path, Kind kind) const;

  /// The workspace-relative normal form (`./a//b` -> `a/b`); refuses what open_beneath refuses by
  /// its spelling alone. Touches no file.
  static Result<std::string> normalize(std::string_view path);

  /// The workspace's real, absolute path.
  const std::filesystem::path& workspace() const { return roots_.front().path; }

 private:
  struct Root {
    std::filesystem::path path;
    UniqueFd fd;
  };
  std::vector<Root> roots_;
};

}  // namespace runyard
