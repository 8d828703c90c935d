#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace runyard {

/// What changes a job from outside while it waits or runs.
struct JobEdit {
  std::optional<int> priority;
  std::optional<std::int64_t> timeout_sec;
  std::optional<std::vector<std::string>> tags;
  std::optional<std::string> note;
  /// Inputs that were checked again, with the command they give; of a queued job only.
  struct Plan {
    boost::json::object params;
    std::vector<std::string> command;
    bool dry_run = false;
  };
  std::optional<Plan> plan;
};

}  // namespace runyard
