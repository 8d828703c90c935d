#include "core/service/gpu_report.h"

#include <boost/json.hpp>
#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include "core/base/run_program.h"
#include "core/base/text.h"

namespace runyard {
namespace {

namespace json = boost::json;

constexpr auto kEvery = std::chrono::seconds(10);
constexpr auto kLimit = std::chrono::seconds(3);

/// "[N/A]", as some GPUs say of their memory, is null.
json::value number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return nullptr;
  return value;
}

}  // namespace

json::array GpuReport::parse(std::string_view csv) {
  json::array gpus;
  while (!csv.empty()) {
    const std::size_t end = std::min(csv.find('\n'), csv.size());
    const std::string_view line = csv.substr(0, end);
    csv.remove_prefix(std::min(end + 1, csv.size()));
    // A name may hold a comma, a number cannot: the name is what stands between the numbers.
    const std::size_t first = line.find(','), last = line.rfind(',');
    if (first == std::string_view::npos || last == 0) continue;
    const std::size_t third = line.rfind(',', last - 1);
    if (third == std::string_view::npos || third <= first) continue;
    const json::value index = number(trim(line.substr(0, first)));
    if (index.is_null()) continue;
    gpus.push_back(
        json::object{{"index", index},
                     {"name", trim(line.substr(first + 1, third - first - 1))},
                     {"memory_used_mib", number(trim(line.substr(third + 1, last - third - 1)))},
                     {"memory_total_mib", number(trim(line.substr(last + 1)))}});
  }
  return gpus;
}

json::value GpuReport::read() {
  const std::unique_lock one(asking_, std::try_to_lock);
  {
    const std::lock_guard lock(mutex_);
    if (!one || (asked_ != Clock::time_point{} && Clock::now() - asked_ < kEvery)) return known_;
  }
  json::value report;
  if (!find_on_path("nvidia-smi").empty()) {
    const auto told = run_program({"nvidia-smi", "--query-gpu=index,name,memory.used,memory.total",
                                   "--format=csv,noheader,nounits"},
                                  {.limit = kLimit, .max_output = 64u << 10});
    json::object document{{"gpus", json::array()}, {"error", nullptr}};
    if (!told) {
      document["error"] = told.error().message;
    } else if (told->exit_code != 0) {
      const std::string& words = told->errors.empty() ? told->output : told->errors;
      document["error"] = "nvidia-smi failed: " + std::string(trim(words));
    } else {
      document["gpus"] = parse(told->output);
    }
    report = std::move(document);
  }
  const std::lock_guard lock(mutex_);
  asked_ = Clock::now();
  return known_ = std::move(report);
}

}  // namespace runyard
