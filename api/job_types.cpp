#include <boost/json.hpp>

#include "api/routes.h"

namespace runyard {
namespace {

namespace json = boost::json;

json::object to_document(const JobType& type) {
  json::object document = type.descriptor;
  document["type"] = type.type;
  document["slug"] = type.slug;
  document["version"] = type.version;
  document["title"] = type.title;
  document["description"] = type.description;
  document["input_schema"] = type.input_schema;
  document["ui_schema"] = type.ui_schema;
  document["examples"] = type.examples;
  document["defaults"] = json::object{{"timeout_sec", type.defaults.timeout_sec},
                                      {"slots", type.defaults.slots},
                                      {"gpus", type.defaults.gpus},
                                      {"max_retries", type.defaults.max_retries}};
  document["singleton"] = type.singleton;
  return document;
}

}  // namespace

std::vector<Route> job_type_routes(JobService& service) {
  return {
      {"GET", "/api/job-types", Role::kViewer, "The loaded job types",
       [&service](const Call&) {
         json::array all;
         for (const auto& type : service.job_types()) all.push_back(to_document(*type));
         return json_reply(all);
       },
       answers("JobType[]")},
      {"GET", "/api/job-types/:slug", Role::kViewer, "One job type",
       [&service](const Call& call) {
         const auto type = service.find_slug(call.path.at("slug"));
         return type ? json_reply(to_document(*type))
                     : problem(404, "there is no job type '" + call.path.at("slug") + "'");
       },
       answers("JobType")},
  };
}

}  // namespace runyard
