#pragma once

#include <string>
#include <vector>

#include "core/base/confined_path.h"

namespace runyard {

/// What a list of the workspace's files is narrowed to.
struct FileQuery {
  std::string under;     ///< a folder; "" is the workspace
  bool folders = false;  ///< folders in place of files
  std::string text;      ///< contained in the path; upper and lower case are the same
  std::size_t limit = 500;
  std::size_t most_looked_at = 50'000;  ///< entries, wanted or not
};

struct FileList {
  std::vector<std::string> paths;  ///< relative to the workspace, in alphabetical order
  std::size_t total = 0;           ///< that were found, also beyond `limit`
  bool is_complete = true;         ///< false: the folder is so large that not all was looked at
};

/// The files below a folder, at any depth, for somebody to choose from. Without what begins with a
/// dot and `__pycache__`; links are followed where the confinement allows it. What lies near the
/// top is looked at first. A folder that does not exist is empty.
/// kInvalid for a path that is refused. Any thread.
Result<FileList> list_files(const Confinement& confinement, const FileQuery& query);

}  // namespace runyard
