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

/// What a library turned out to be. `reason` is empty exactly when it may be offered; what was
/// learned before a defect showed is there too.
struct ProbeResult {
  std::string reason;
  int abi = 0;
  std::optional<JobType> type;
  std::optional<InputSchema> schema;
};

/// Tries a library in the host: ABI, descriptor, allowed program, schema, and argv() of the
/// descriptor's own examples, twice each. `library` is its copy in the cache. An error only when
/// the host itself cannot be used (kUnavailable): that says nothing of the library.
Result<ProbeResult> probe(HostClient& host, const std::filesystem::path& library,
                          const std::vector<std::string>& allow,
                          std::chrono::milliseconds deadline);

}  // namespace runyard
