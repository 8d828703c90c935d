#pragma once

#include <vector>

#include "api/http.h"
#include "api/stream_server.h"
#include "core/service/job_service.h"

namespace runyard {

// One function a resource, each in its file. Service and stream server must outlive the
// routes.
std::vector<Route> job_routes(JobService& service);
std::vector<Route> job_type_routes(JobService& service);
std::vector<Route> admin_routes(JobService& service);
std::vector<Route> registry_routes(JobService& service);
std::vector<Route> health_routes(JobService& service);

/// Every route of the server.
std::vector<Route> all_routes(JobService& service, StreamServer& streams);

}  // namespace runyard
