#include <boost/json.hpp>
#include <chrono>
#include <memory>
#include <mutex>

#include "api/openapi.h"
#include "api/routes.h"
#include "api/web_files.h"
#include "core/base/version.h"

namespace runyard {
namespace {

/// Whether new work can be taken. Anybody may ask, so the parts are asked at most once a second.
class Readiness {
 public:
  explicit Readiness(JobService& service) : service_(service) {}

  Reply answer() {
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (!asked_at_ || now - *asked_at_ > std::chrono::seconds(1)) {
      obstacles_ = service_.obstacles();
      asked_at_ = now;
    }
    if (obstacles_.empty()) return json_reply({{"status", "ready"}});
    std::vector<FieldError> fields;
    for (const auto& obstacle : obstacles_) fields.push_back({"", obstacle});
    return problem(503, obstacles_.front(), fields);
  }

 private:
  JobService& service_;
  std::mutex mutex_;  // guards what follows
  std::optional<std::chrono::steady_clock::time_point> asked_at_;
  std::vector<std::string> obstacles_;
};

/// What the streams add to a scrape.
std::vector<prometheus::MetricFamily> measure_streams(const StreamServer& streams) {
  std::vector<prometheus::MetricFamily> families;
  families.push_back(std::move(
      MetricValues("runyard_http_streams", "Event streams that are open.").add(streams.streams())));
  families.push_back(std::move(
      MetricValues("runyard_http_stream_sockets", "Sockets of streams and of files being sent.")
          .add(streams.sockets())));
  return families;
}

Reply metrics_reply(const Metrics& metrics) {
  Reply reply;
  reply.content_type = Metrics::kContentType;
  reply.body = metrics.text();
  return reply;
}

}  // namespace

std::vector<Route> health_routes(JobService& service, StreamServer& streams) {
  const auto readiness = std::make_shared<Readiness>(service);
  const auto measured =
      service.metrics().add_source([&streams] { return measure_streams(streams); });
  return {
      {"GET", "/healthz", Role::kPublic, "200 while the server answers",
       [](const Call&) {
         return json_reply({{"status", "ok"}});
       },
       answers("Health")},
      {"GET", "/readyz", Role::kPublic,
       "200 while new jobs can be taken, else 503 with the reasons",
       [readiness](const Call&) { return readiness->answer(); }, answers("Readiness").fails({503})},
      {"GET", "/metrics", Role::kViewer, "Figures for Prometheus",
       [&service, measured](const Call&) { return metrics_reply(service.metrics()); },
       answers("", 200, std::string(Metrics::kContentType))},
      {"GET", "/api/version", Role::kViewer, "The server's version",
       [](const Call&) {
         return json_reply({{"version", kVersion}});
       },
       answers("Version")},
  };
}

std::vector<Route> all_routes(JobService& service, Access& access, StreamServer& streams) {
  std::vector<Route> all;
  const auto append = [&all](std::vector<Route> routes) {
    for (auto& route : routes) all.push_back(std::move(route));
  };
  for (auto* resource : {job_routes, job_type_routes, admin_routes, registry_routes, run_routes,
                         backtest_routes, file_routes}) {
    append(resource(service));
  }
  append(log_routes(service, streams));
  append(health_routes(service, streams));
  append(session_routes(access));
  append(event_routes(service, streams));
  const auto document = std::make_shared<OpenApi>();
  append(docs_routes(service, document));
  document->describe(all);
  append(web_routes(service.config().web_dir));  // pages, which the document does not describe
  return all;
}

}  // namespace runyard
