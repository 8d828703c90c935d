#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/model/job_type.h"

namespace runyard {

/// Reads what a plugin's argv() emitted and holds it to the plugin's promises: no NUL, and nothing
/// that begins with '-' but the declared flags (`--flag`, or `--flag=value`). kInternal, with a
/// sentence that names the plugin, otherwise. So for more than 1024 arguments or 128 KiB, but
/// kInvalid when the inputs, of `input_bytes` as JSON, are large themselves.
Result<std::vector<std::string>> read_arguments(const JobType& type, std::string_view text,
                                                std::size_t input_bytes = 0);

/// Reads what argv() emitted with RUNYARD_INVALID: kInvalid with its fields, or kInternal when it
/// is not what runyard/plugin.h asks for.
Error read_invalid(const JobType& type, std::string_view text);

}  // namespace runyard
