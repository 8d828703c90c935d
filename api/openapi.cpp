#include "api/openapi.h"

#include <algorithm>
#include <boost/json.hpp>
#include <set>

#include "api/routes.h"
#include "api/schema_2020.h"
#include "core/base/version.h"

namespace runyard {
namespace {

namespace json = boost::json;

constexpr const char* kDescription =
    "Jobs of a workspace: submit, follow, look at what they made. Generated from this server's "
    "routes and the job types that it has loaded. Fields and calls are only ever added, so a "
    "client ignores fields that it does not know.";

struct Tag {
  const char *name, *description;
};
/// In the order of the document; what has no tag of its own belongs to the last one.
constexpr Tag kTags[] = {{"jobs", "Submit jobs and see what becomes of them"},
                         {"job-types", "What can be submitted"},
                         {"events", "Changes, as they happen"},
                         {"registry", "Trained models and how good they are"},
                         {"runs", "Training runs"},
                         {"backtests", "Backtests"},
                         {"files", "Files of the workspace"},
                         {"session", "Signing in"},
                         {"admin", "Plugins and the queue"},
                         {"server", "The server itself"}};

std::string tag_of(std::string_view path) {
  constexpr std::string_view kApi = "/api/";
  if (path.starts_with(kApi)) {
    path.remove_prefix(kApi.size());
    path = path.substr(0, path.find('/'));
    for (const Tag& tag : kTags) {
      if (path == tag.name) return tag.name;
    }
  }
  return std::rbegin(kTags)->name;
}

const char* to_text(Role role) {
  switch (role) {
    case Role::kPublic:
      return "public";
    case Role::kViewer:
      return "viewer";
    case Role::kOperator:
      return "operator";
    case Role::kAdmin:
      break;
  }
  return "admin";
}

json::object reference(std::string_view kind, std::string_view name) {
  return {{"$ref", "#/components/" + std::string(kind) + "/" + std::string(name)}};
}

/// `Job` or `Job[]`.
json::object schema_of(std::string_view name) {
  constexpr std::string_view kList = "[]";
  if (!name.ends_with(kList)) return reference("schemas", name);
  name.remove_suffix(kList.size());
  return {{"type", "array"}, {"items", reference("schemas", name)}};
}

/// All files of api/schemas in one object, and `errors`: the descriptions of problem documents.
json::object read_components() {
  json::object components;
  for (const std::string_view file : schema_files()) {
    json::value part = json::parse(file);
    for (auto& [kind, entries] : part.as_object()) {
      auto& target = components[kind];
      if (!target.is_object()) target.emplace_object();
      for (auto& [name, entry] : entries.as_object()) target.as_object()[name] = std::move(entry);
    }
  }
  for (auto& [status, response] : components.at("responses").as_object()) {
    response.as_object()["content"] =
        json::object{{"application/problem+json", {{"schema", reference("schemas", "Problem")}}}};
  }
  components["securitySchemes"] =
      json::object{{"bearer",
                    {{"type", "http"},
                     {"scheme", "bearer"},
                     {"description",
                      "A token of `runyard token add`. On loopback without tokens none is asked "
                      "for."}}},
                   {"cookie",
                    {{"type", "apiKey"},
                     {"in", "cookie"},
                     {"name", "runyard_token"},
                     {"description", "Set by POST /api/session."}}}};
  return components;
}

/// `/api/jobs/:id` with `{id}` or a value in the place of each placeholder.
struct Path {
  std::string text, id;  ///< `id`: of the operation, without the method
  std::vector<std::string> names;
};
Path path_of(const Route& route, const JobType* type) {
  Path path;
  for (std::size_t at = 1; at <= route.path.size();) {
    const std::size_t end = std::min(route.path.find('/', at), route.path.size());
    std::string segment = route.path.substr(at, end - at);
    if (segment == ":slug" && type) {
      segment = type->slug;
    } else if (segment.starts_with(':')) {
      path.names.push_back(segment.substr(1));
      segment = "{" + path.names.back() + "}";
    }
    path.text += "/" + segment;
    std::string word;
    for (const char c : segment) {
      if (c != '{' && c != '}') word += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
    }
    if (word != "api") path.id += "_" + word;
    at = end + 1;
  }
  return path;
}

json::array parameters_of(const RouteDoc& doc, const Path& path, const json::object& known) {
  json::array parameters;
  for (const std::string& name : path.names) {
    if (known.contains(name)) {
      parameters.push_back(reference("parameters", name));
    } else {
      parameters.push_back(json::object{
          {"name", name}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}});
    }
  }
  for (const auto& query : doc.parameters) {
    json::object parameter{{"name", query.name}, {"in", "query"}, {"schema", query.schema}};
    if (!query.description.empty()) parameter["description"] = query.description;
    parameters.push_back(std::move(parameter));
  }
  for (const std::string& name : doc.headers) parameters.push_back(reference("parameters", name));
  return parameters;
}

json::object responses_of(const Route& route, bool has_path_names, bool has_body) {
  json::object responses;
  for (const auto& answer : route.doc.successes) {
    auto& slot = responses[std::to_string(answer.status)];
    if (!slot.is_object()) {
      json::object headers;
      for (const std::string& name : answer.headers) headers[name] = reference("headers", name);
      slot = {{"description", answer.status == 204   ? "Done"
                              : answer.status == 304 ? "Nothing has changed"
                                                     : "Success"}};
      if (!headers.empty()) slot.as_object()["headers"] = std::move(headers);
    }
    if (answer.status == 204 || answer.status == 304) continue;
    auto& content = slot.as_object()["content"];
    if (!content.is_object()) content.emplace_object();
    content.as_object()[answer.content_type] =
        json::object{{"schema", answer.schema.empty() ? json::object{{"type", "string"}}
                                                      : schema_of(answer.schema)}};
  }
  std::set<int> failures(route.doc.failures.begin(), route.doc.failures.end());
  failures.insert({400, 403, 421, 500});
  if (route.role != Role::kPublic) failures.insert(401);
  if (has_path_names) failures.insert(404);
  if (has_body) failures.insert({413, 415, 422});
  if (!route.doc.parameters.empty()) failures.insert(422);
  for (const int status : failures) {
    responses[std::to_string(status)] = reference("responses", std::to_string(status));
  }
  responses["default"] = reference("responses", "default");
  return responses;
}

std::string inputs_name(const JobType& type) { return "Inputs." + type.type; }
std::string submit_name(const JobType& type) { return "Submit." + type.type; }

json::object examples_of(const JobType& type, const std::string& member) {
  json::object examples;
  for (const auto& example : type.examples) {
    examples["example " + std::to_string(examples.size() + 1)] = json::object{
        {"value", member.empty() ? example : json::value(json::object{{member, example}})}};
  }
  return examples;
}

json::object body_of(const Route& route, const JobType* type, const json::object& schemas) {
  json::object media;
  bool is_required = false;
  if (type) {
    const std::string& member = route.doc.inputs_member;
    if (member.empty()) {
      media["schema"] = reference("schemas", submit_name(*type));
    } else {
      media["schema"] = {{"type", "object"},
                         {"additionalProperties", false},
                         {"properties",
                          {{member, reference("schemas", inputs_name(*type))},
                           {"_job", reference("schemas", "JobOptions")}}}};
    }
    media["examples"] = examples_of(*type, member);
    is_required = type->input_schema.contains("required");
  } else {
    media["schema"] = schema_of(route.doc.body);
    const auto* schema = schemas.if_contains(route.doc.body);
    is_required = schema && schema->is_object() && schema->as_object().contains("required");
  }
  return {{"required", is_required}, {"content", {{"application/json", std::move(media)}}}};
}

json::object operation_of(const Route& route, const Path& path, const JobType* type,
                          const json::object& components) {
  std::string method = route.method;
  for (char& c : method) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  json::object operation{{"operationId", method + path.id},
                         {"tags", json::array{tag_of(path.text)}},
                         {"summary", type ? route.summary + ": " + type->title : route.summary},
                         {"x-role", to_text(route.role)}};
  if (type && !type->description.empty()) operation["description"] = type->description;
  if (route.role == Role::kPublic) {
    operation["security"] = json::array();
  }
  auto parameters = parameters_of(route.doc, path, components.at("parameters").as_object());
  if (!parameters.empty()) operation["parameters"] = std::move(parameters);
  const bool has_body = type || !route.doc.body.empty();
  if (has_body) {
    operation["requestBody"] = body_of(route, type, components.at("schemas").as_object());
  }
  operation["responses"] = responses_of(route, !path.names.empty(), has_body);
  return operation;
}

/// The inputs of a job type, alone and with `_job` beside them.
void add_inputs(const JobType& type, json::object& schemas) {
  json::object inputs =
      to_schema_2020(type.input_schema, "#/components/schemas/" + inputs_name(type));
  inputs["title"] = type.title;
  json::object submit = inputs;
  submit.erase("$defs");
  auto& properties = submit["properties"];
  if (!properties.is_object()) properties.emplace_object();
  properties.as_object()["_job"] = reference("schemas", "JobOptions");
  schemas[inputs_name(type)] = std::move(inputs);
  schemas[submit_name(type)] = std::move(submit);
}

}  // namespace

void OpenApi::describe(std::vector<Route> routes) {
  routes_ = std::move(routes);
  for (Route& route : routes_) route.handler = nullptr;  // one of them owns this object
}

std::shared_ptr<const std::string> OpenApi::document(const std::vector<JobTypePtr>& types) {
  const std::lock_guard lock(mutex_);
  if (!document_ || types != types_) {
    document_ = std::make_shared<const std::string>(make(types));
    types_ = types;
  }
  return document_;
}

std::string OpenApi::make(const std::vector<JobTypePtr>& types) const {
  json::object components = read_components();
  for (const auto& type : types) add_inputs(*type, components.at("schemas").as_object());

  json::object paths;
  const auto add = [&](const Route& route, const JobType* type) {
    const Path path = path_of(route, type);
    auto& item = paths[path.text];
    if (!item.is_object()) item.emplace_object();
    json::object operation = operation_of(route, path, type, components);
    std::string method = operation.at("operationId").as_string().c_str();
    item.as_object()[method.substr(0, method.find('_'))] = std::move(operation);
  };
  for (const Route& route : routes_) {
    if (!route.doc.for_each_job_type)
      add(route, nullptr);
    else
      for (const auto& type : types) add(route, type.get());
  }

  json::array tags;
  for (const Tag& tag : kTags) {
    tags.push_back(json::object{{"name", tag.name}, {"description", tag.description}});
  }
  const json::object document{
      {"openapi", "3.1.0"},
      {"info",
       {{"title", "Runyard"},
        {"version", kVersion},
        {"description", kDescription},
        {"license", {{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}}}},
      {"servers", json::array{json::object{{"url", "/"}}}},
      {"security", json::array{json::object{{"bearer", json::array()}},
                               json::object{{"cookie", json::array()}}}},
      {"tags", std::move(tags)},
      {"paths", std::move(paths)},
      {"components", std::move(components)}};
  return json::serialize(document);
}

}  // namespace runyard
