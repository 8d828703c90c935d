#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/model/job_type.h"
#include "core/plugin/host_client.h"
#include "core/plugin/schema.h"

namespace runyard {

/// What is asked of a library, in this order.
enum class ProbeRule {
  kAbi,          ///< it loads, and exports the table of this ABI
  kDescribe,     ///< describe() answers
  kDescriptor,   ///< the descriptor's fields, names and regexes
  kProgram,      ///< the configuration allows its program
  kSchema,       ///< the input schema, and that each path says so
  kExamples,     ///< the examples fit the input schema
  kArgv,         ///< argv() of each example answers
  kArguments,    ///< with arguments within the limits, and only declared flags
  kDeterminism,  ///< and with the same ones each time
  kNone,         ///< nothing is left
};

/// What a library turned out to be. `reason` is empty exactly when it may be offered; what was
/// learned before a defect showed is there too.
struct ProbeResult {
  std::string reason;
  ProbeRule broken = ProbeRule::kNone;  ///< the one that `reason` is about; those before it hold
  bool timed_out = false;  ///< a call did not answer in time: the machine may be at fault
  int abi = 0;
  std::optional<JobType> type;
  std::optional<InputSchema> schema;
};

/// Tries a library in the host: ABI, descriptor, allowed program, schema, and argv() of the
/// descriptor's own examples, twice each. `library` is its copy in the cache. An error only when
/// the host itself cannot be used (kUnavailable): that says nothing of the library. Without
/// `allow`, any program is allowed.
Result<ProbeResult> probe(HostClient& host, const std::filesystem::path& library,
                          const std::optional<std::vector<std::string>>& allow,
                          std::chrono::milliseconds deadline);

/// Why a program is not allowed, with the line of the configuration that would allow it.
std::string program_not_allowed(const Program& program, const std::vector<std::string>& allow);

}  // namespace runyard
