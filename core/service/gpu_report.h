#pragma once

#include <boost/json/value.hpp>
#include <chrono>
#include <mutex>

namespace runyard {

/// What nvidia-smi says of this machine's GPUs, for people: which GPUs jobs get is configured, and
/// nothing here decides about it. Owned by the service; any thread but the engine's.
class GpuReport {
 public:
  /// `{gpus: [{index, name, memory_used_mib, memory_total_mib}], error}`; null where there is no
  /// nvidia-smi. Asks at most every 10 seconds, and waits for it at most 3; while one caller
  /// does, the others get what was known before.
  boost::json::value read();

  /// Reads what `nvidia-smi --query-gpu=index,name,memory.used,memory.total
  /// --format=csv,noheader,nounits` prints; a line that is none is left out.
  static boost::json::array parse(std::string_view csv);

 private:
  using Clock = std::chrono::steady_clock;
  std::mutex asking_;  // held while nvidia-smi runs
  std::mutex mutex_;   // guards what follows
  boost::json::value known_;
  Clock::time_point asked_{};
};

}  // namespace runyard
