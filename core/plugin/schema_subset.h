#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/plugin/workspace_paths.h"

namespace runyard {

/// Keywords of the copy that valijson gets in the place of `pattern` and `format`, which it would
/// evaluate with std::regex (recursive: a long text overflows the stack).
inline constexpr const char* kPatternKeyword = "x-runyard-pattern";
inline constexpr const char* kFormatKeyword = "x-runyard-format";

/// Where in the inputs a path stands: names of members, and "*" for every element of an array or
/// every further member.
struct PathInput {
  std::vector<std::string> location;
  WorkspacePath rule;
};

/// A schema that was found to be in the supported subset of draft-07 (docs/plugin-guide.md).
struct SchemaSubset {
  boost::json::object prepared;  ///< the copy for valijson: keywords renamed, annotations left out
  std::vector<PathInput> paths;  ///< every input with `x-workspace-path`
};

/// kInvalid, with a sentence that names the place, for anything else: unknown keywords,
/// `patternProperties`, a `$ref` that is not to `#/definitions/...`, a regex that RE2 does not
/// take, and an input that by its name is a path but does not say so.
Result<SchemaSubset> check_subset(const boost::json::object& schema);

}  // namespace runyard
