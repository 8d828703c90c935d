#include <boost/json.hpp>

#include "api/openapi.h"
#include "api/routes.h"
#include "core/base/version.h"

namespace runyard {

std::vector<Route> health_routes(JobService&) {
  return {
      {"GET", "/healthz", Role::kPublic, "200 while the server answers",
       [](const Call&) {
         return json_reply({{"status", "ok"}});
       },
       answers("Health")},
      {"GET", "/api/version", Role::kViewer, "The server's version",
       [](const Call&) {
         return json_reply({{"version", kVersion}});
       },
       answers("Version")},
  };
}

std::vector<Route> all_routes(JobService& service, StreamServer&) {
  std::vector<Route> all;
  const auto append = [&all](std::vector<Route> routes) {
    for (auto& route : routes) all.push_back(std::move(route));
  };
  for (auto* resource :
       {job_routes, log_routes, job_type_routes, admin_routes, registry_routes, health_routes}) {
    append(resource(service));
  }
  const auto document = std::make_shared<OpenApi>();
  append(docs_routes(service, document));
  document->describe(all);
  return all;
}

}  // namespace runyard
