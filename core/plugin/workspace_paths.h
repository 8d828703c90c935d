#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include "core/base/confined_path.h"
#include "core/base/result.h"

namespace runyard {

/// What the schema keyword `x-workspace-path` says of an input: it is a path of the workspace.
struct WorkspacePath {
  bool is_folder = false;
  bool must_exist = true;
  std::string under;  ///< the folder that it must be in; "" for anywhere
  /// The value is the name of an entry of this folder and not a path; "" for a path.
  std::string base;
};

/// Reads the keyword's value; kInvalid with a sentence for the plugin's author.
Result<WorkspacePath> parse_workspace_path(const boost::json::value& keyword);

/// Checks a value and returns what the plugin gets: the workspace-relative normal form with forward
/// slashes (backslashes, as in files written on Windows, are turned), or for `base` the value as it
/// is. Without a confinement only the spelling is checked. kInvalid, with the end of a sentence
/// that the input's name begins. Any thread.
Result<std::string> confine(const WorkspacePath& rule, std::string_view value,
                            const Confinement* confinement);

}  // namespace runyard
