// A log in pieces of any size, for a job type with hints, progress and curves of all kinds: what is
// found must not depend on the pieces. The first byte says how long these are.
#include "core/log/log_scanner.h"

#include <algorithm>
#include <boost/json.hpp>

#include "tests/fuzz/input.h"

namespace {

using namespace runyard;
using runyard::fuzz::require;
namespace json = boost::json;

JobTypePtr job_type() {
  JobType type;
  type.type = "fuzzed";
  type.hints = {{"run_id", R"((?:^|[^_[:word:]])run_id\s*[:=]\s*(\w+))", "", "/runs/{value}", true},
                {"any", "^(.*)x$", "", "", false}};
  type.progress = {{R"(\|\s*(\d+)/(\d+) \[)", 1, 2, 0, "", ""}, {R"((\d+)%)", 1, 0, 100, "", ""}};
  type.series = {{"a", R"(a=(\S+))", "x", R"(x=(\S+))", "^-+$"}, {"b", R"(b=(\S+))", "", "", ""}};
  return std::make_shared<const JobType>(std::move(type));
}

json::value scan(std::string_view log, std::size_t piece) {
  // One for all: its patterns take longer to compile than most logs to scan.
  static const auto scanner = LogScanner::make(
      job_type(), {}, [](const std::string&, const std::string&) { return std::nullopt; });
  require(scanner.has_value());
  LogScanner& scan = **scanner;
  scan.begin_attempt();
  for (; !log.empty(); log.remove_prefix(std::min(piece, log.size()))) {
    scan.feed(log.substr(0, piece), 1000);
    require(scan.pending() >= 0);
  }
  scan.finish(1000);
  json::array links, warnings;
  for (const Link& link : scan.links()) links.push_back({link.name, link.value, link.href});
  for (const auto& warning : scan.warnings(true)) warnings.emplace_back(warning);
  return {scan.artifacts(),
          links,
          warnings,
          scan.status_text(),
          scan.progress() ? json::value{scan.progress()->current, scan.progress()->total} : nullptr,
          to_json(scan.series().all())};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view log = fuzz::to_text(data + 1, size - 1);
  // As text: what is given to clients must be JSON.
  const std::string whole = json::serialize(scan(log, log.size() + 1));
  require(whole == json::serialize(scan(log, std::size_t{1} + data[0])));
  json::error_code error;
  json::parse(whole, error);
  require(!error);
  return 0;
}
