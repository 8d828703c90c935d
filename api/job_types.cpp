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
                                      {"memory_mb", type.defaults.memory_mb},
                                      {"max_retries", type.defaults.max_retries}};
  document["singleton"] = type.singleton;
  return document;
}

Reply no_such_type(const std::string& slug) {
  return problem(404, "there is no job type '" + slug + "'");
}

/// {params, _job} as far as a submit would get before it queues anything.
Reply preview(JobService& service, const Call& call) {
  Submission submission;
  submission.type = service.find_slug(call.path.at("slug"));
  if (!submission.type) return no_such_type(call.path.at("slug"));
  auto body = read_object(call);
  if (!body) return problem(body.error());
  json::value options;
  std::vector<FieldError> mistakes;
  for (auto& [name, value] : *body) {
    if (name == "params" && value.is_object()) {
      submission.params = std::move(value.get_object());
    } else if (name == "_job") {
      options = std::move(value);
    } else {
      mistakes.push_back({"/" + std::string(name), "is not expected here"});
    }
  }
  if (!mistakes.empty()) return problem(422, "a preview takes {params: {...}, _job}", mistakes);
  auto read = service.read_options(*submission.type, &options);
  if (!read) return problem(read.error());
  submission.options = std::move(*read);
  auto plan = service.preview(submission);
  if (!plan) return problem(plan.error());
  json::array command(plan->command.begin(), plan->command.end());
  return json_reply({{"params", std::move(plan->params)}, {"command", std::move(command)}});
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
         return type ? json_reply(to_document(*type)) : no_such_type(call.path.at("slug"));
       },
       answers("JobType")},
      {"POST", "/api/job-types/:slug/preview", Role::kViewer, "What a job would run",
       [&service](const Call& call) { return preview(service, call); },
       answers("Preview").of_each_job_type("params").fails({503})},
  };
}

}  // namespace runyard
