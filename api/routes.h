#pragma once

#include <memory>
#include <vector>

#include "api/access.h"
#include "api/http.h"
#include "api/stream_server.h"
#include "core/service/job_service.h"

namespace runyard {

class OpenApi;

// One function a resource, each in its file. What they are given must outlive the routes.
std::vector<Route> job_routes(JobService& service);
std::vector<Route> log_routes(JobService& service, StreamServer& streams);
std::vector<Route> job_type_routes(JobService& service);
std::vector<Route> admin_routes(JobService& service);
std::vector<Route> registry_routes(JobService& service);
std::vector<Route> run_routes(JobService& service);
std::vector<Route> backtest_routes(JobService& service);
std::vector<Route> file_routes(JobService& service);
std::vector<Route> health_routes(JobService& service, StreamServer& streams);
std::vector<Route> session_routes(Access& access);
/// GET /api/openapi.json of `document`, which has to be told of all routes, and the pages over it.
std::vector<Route> docs_routes(JobService& service, std::shared_ptr<OpenApi> document);
std::vector<Route> event_routes(JobService& service, StreamServer& streams);

/// Every route of the server.
std::vector<Route> all_routes(JobService& service, Access& access, StreamServer& streams);

}  // namespace runyard
