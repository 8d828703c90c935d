#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <random>
#include <string>

#include "core/base/result.h"
#include "core/model/job_type.h"
#include "core/plugin/host_client.h"
#include "core/plugin/schema.h"

namespace runyard {

/// Inputs for a job type as a hostile client would send them: its own examples with members
/// replaced by values that the schema allows, by extreme ones and by nonsense. The same seed gives
/// the same inputs. Single-threaded.
class RandomInputs {
 public:
  /// `type` must outlive it.
  RandomInputs(const JobType& type, std::uint32_t seed) : type_(type), random_(seed) {}
  boost::json::object next();

 private:
  bool one_in(unsigned count) { return random_() % count == 0; }
  boost::json::value value_for(const boost::json::object& schema, int depth);
  boost::json::value nonsense();
  boost::json::string text();

  const JobType& type_;
  std::mt19937 random_;
};

/// What became of many random inputs.
struct TriesResult {
  std::int64_t planned = 0;  ///< became a command
  std::int64_t refused = 0;  ///< by the schema or by the plugin, with sentences
  std::string defect;        ///< what broke a promise of the plugin, and the inputs; "" for nothing
};

/// Asks a library for the commands of `count` random inputs; stops at the first defect: a crash, no
/// answer in time, a failure, an undeclared flag. kUnavailable when the host cannot be used.
Result<TriesResult> try_random_inputs(HostClient& host, const std::filesystem::path& library,
                                      const JobType& type, const InputSchema& schema,
                                      std::int64_t count, std::uint32_t seed,
                                      std::chrono::milliseconds deadline);

}  // namespace runyard
