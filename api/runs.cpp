#include <boost/json.hpp>

#include "api/pages.h"
#include "api/routes.h"
#include "core/workspace/workspace.h"

namespace runyard {
namespace {

constexpr std::int64_t kMaxPage = 5000;

Reply recent(JobService& service, const Call& call) {
  const auto query = read_page(call, kMaxPage);
  if (!query) return problem(query.error());
  const auto page = service.workspace().runs.recent(*query);
  return page ? page_reply(*page) : problem(page.error());
}

Reply run(JobService& service, const Call& call) {
  const std::string& id = call.path.at("run_id");
  auto document = service.workspace().runs.find(id);
  if (!document) return problem(document.error());
  const auto jobs = service.jobs_of(id);
  if (!jobs) return problem(jobs.error());
  (*document)["jobs"] = to_json(*jobs);
  return json_reply(*document);
}

Reply checkpoints(JobService& service, const Call& call) {
  std::string mode = read_text(call, "mode");
  if (mode.empty()) mode = "base";
  if (mode != "base" && mode != "finetuned") {
    return problem(400, "'mode' is base or finetuned");
  }
  const auto names = service.workspace().runs.checkpoints(
      call.path.at("run_id"), mode == "finetuned", read_text(call, "ticker"));
  return names ? json_reply(*names) : problem(names.error());
}

}  // namespace

std::vector<Route> run_routes(JobService& service) {
  const auto bind = [&service](Reply (*handler)(JobService&, const Call&)) {
    return [&service, handler](const Call& call) { return handler(service, call); };
  };
  return {
      {"GET", "/api/runs/recent", Role::kViewer, "Training runs, newest first", bind(recent),
       answers("RunSummary[]")
           .sends("X-Total-Count")
           .query(query_integer("limit", 1, kMaxPage, 30))
           .query(query_integer("offset", 0, INT32_MAX, 0))
           .query(query_text("ticker"))},
      {"GET", "/api/runs/:run_id", Role::kViewer, "One training run", bind(run),
       answers("Run").fails({422})},
      {"GET", "/api/runs/:run_id/checkpoints", Role::kViewer,
       "Checkpoints in the order of their steps", bind(checkpoints),
       answers("FileNames")
           .query(query_choice("mode", {"base", "finetuned"}))
           .query(query_text("ticker", "Needed with finetuned"))},
  };
}

}  // namespace runyard
