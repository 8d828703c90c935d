#include <boost/json.hpp>

#include "api/routes.h"

namespace runyard {
namespace {

namespace json = boost::json;

Reply plugins(JobService& service) {
  json::array all;
  for (const auto& info : service.plugins()) {
    json::object document = to_json(info);
    const auto count = info.type.empty() ? Result<std::int64_t>(0) : service.count_jobs(info.type);
    document["jobs_run"] = count ? json::value(*count) : nullptr;
    all.push_back(std::move(document));
  }
  return json_reply(all);
}

Reply answer(const Result<json::object>& document) {
  return document ? json_reply(*document) : problem(document.error());
}

}  // namespace

std::vector<Route> admin_routes(JobService& service) {
  using Mode = JobService::QueueMode;
  const auto set_mode = [&service](Mode mode) {
    return [&service, mode](const Call&) { return answer(service.set_queue_mode(mode)); };
  };
  return {
      {"GET", "/api/admin/plugins", Role::kViewer, "Every library seen, with its state",
       [&service](const Call&) { return plugins(service); }, answers("PluginInfo[]")},
      {"POST", "/api/admin/plugins/rescan", Role::kAdmin, "Look at the plugin folders again",
       [&service](const Call&) {
         const auto done = service.rescan_plugins();
         return done ? plugins(service) : problem(done.error());
       },
       answers("PluginInfo[]").fails({503, 507})},
      {"GET", "/api/admin/queue", Role::kViewer, "Slots, GPUs, what runs, what waits and why",
       [&service](const Call&) { return answer(service.queue()); }, answers("Queue")},
      {"POST", "/api/admin/queue/pause", Role::kAdmin, "Start no more jobs",
       set_mode(Mode::kPaused), answers("Queue").fails({507})},
      {"POST", "/api/admin/queue/resume", Role::kAdmin, "Start jobs again", set_mode(Mode::kOpen),
       answers("Queue").fails({507})},
      {"POST", "/api/admin/queue/drain", Role::kAdmin, "Accept and start no more jobs",
       set_mode(Mode::kDraining), answers("Queue").fails({507})},
  };
}

}  // namespace runyard
