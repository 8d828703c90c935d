#pragma once

#include <string_view>

#include "core/base/result.h"
#include "core/model/job_type.h"

namespace runyard {

/// Reads and checks a plugin's descriptor (docs/plugin-guide.md is its reference). Everything in it
/// is checked but its input schema, which InputSchema::compile() looks at: unknown fields, types,
/// ranges, names that refer to each other, regexes (RE2) and their groups. kInvalid with one
/// sentence for the plugin's author about the first defect. `sha256` of the result is empty.
Result<JobType> parse_descriptor(std::string_view text);

/// `eval-metrics` for `eval_metrics`.
std::string default_slug(std::string_view type);

/// True for what the API has at the place of a slug.
bool is_reserved_slug(std::string_view slug);

/// True when the configuration's list allows the program: an entry names it, or ends with `*` and
/// the program begins with what stands before it. An executable has a `/` in its name and a module
/// has none, so an entry for the one never allows the other by accident.
bool is_allowed(const Program& program, const std::vector<std::string>& allow);

}  // namespace runyard
