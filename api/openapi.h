#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "api/http.h"
#include "core/model/job_type.h"

namespace runyard {

/// The OpenAPI 3.1 document of a route table and the job types that are loaded. Owned by its route;
/// any thread once the routes are described.
class OpenApi {
 public:
  /// What the document is made of; once, at the start, as its own route is one of them.
  void describe(std::vector<Route> routes);

  /// JSON text. Made anew when the job types are others than at the call before.
  std::shared_ptr<const std::string> document(const std::vector<JobTypePtr>& types);

 private:
  std::string make(const std::vector<JobTypePtr>& types) const;

  std::vector<Route> routes_;  // without their handlers

  std::mutex mutex_;  // guards:
  std::vector<JobTypePtr> types_;
  std::shared_ptr<const std::string> document_;
};

/// The files of api/schemas: parts of the document's `components`.
const std::vector<std::string_view>& schema_files();

}  // namespace runyard
