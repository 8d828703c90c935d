#include "api/openapi.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <set>

#include "api/routes.h"
#include "api/schema_2020.h"
#include "core/service/job_service.h"
#include "tests/unit/base/temp_folder.h"

namespace runyard {
namespace {

namespace json = boost::json;

JobTypePtr job_type(const std::string& type, const std::string& slug) {
  auto made = std::make_shared<JobType>();
  made->type = type;
  made->slug = slug;
  made->title = "Title of " + type;
  made->input_schema = {{"type", "object"},
                        {"required", json::array{"year"}},
                        {"properties", {{"year", {{"type", "integer"}}}}}};
  made->examples = {json::object{{"year", 2024}}};
  return made;
}

json::value document_of(const std::vector<Route>& routes, const std::vector<JobTypePtr>& types) {
  OpenApi api;
  api.describe(routes);
  return json::parse(*api.document(types));
}

Route route(std::string method, std::string path, Role role, RouteDoc doc) {
  return {std::move(method), std::move(path), role, "Summary", nullptr, std::move(doc)};
}

TEST(OpenApi, SaysOfARouteWhatItsLineSays) {
  const auto document = document_of({route("PATCH", "/api/jobs/:id", Role::kOperator,
                                           answers("Job")
                                               .sends("Link")
                                               .takes("JobChange")
                                               .header("Range")
                                               .fails({409})
                                               .query(query_integer("limit", 1, 5, 2, "So many")))},
                                    {});
  const auto& item = document.at("paths").at("/api/jobs/{id}").at("patch");
  EXPECT_EQ(item.at("operationId"), "patch_jobs_id");
  EXPECT_EQ(item.at("x-role"), "operator");
  EXPECT_EQ(item.at("tags"), json::array{"jobs"});
  EXPECT_FALSE(item.as_object().contains("security"));
  EXPECT_EQ(item.at("parameters"), json::parse(R"([{"$ref": "#/components/parameters/id"},
                {"name": "limit", "in": "query", "description": "So many",
                 "schema": {"type": "integer", "minimum": 1, "maximum": 5, "default": 2}},
                {"$ref": "#/components/parameters/Range"}])"));
  EXPECT_EQ(item.at_pointer("/requestBody/content/application~1json/schema/$ref"),
            "#/components/schemas/JobChange");
  EXPECT_EQ(item.at_pointer("/responses/200/content/application~1json/schema/$ref"),
            "#/components/schemas/Job");
  EXPECT_EQ(item.at_pointer("/responses/200/headers/Link/$ref"), "#/components/headers/Link");
  std::set<std::string> statuses;
  for (const auto& [status, answer] : item.at("responses").as_object()) statuses.emplace(status);
  EXPECT_EQ(statuses, (std::set<std::string>{"200", "400", "401", "403", "404", "409", "413", "415",
                                             "421", "422", "500", "default"}));
}

TEST(OpenApi, SaysListsAndTexts) {
  const auto document =
      document_of({route("GET", "/metrics", Role::kPublic,
                         answers("Job[]").answers("", 200, "text/plain").answers("", 204))},
                  {});
  const auto& item = document.at("paths").at("/metrics").at("get");
  EXPECT_EQ(item.at("security"), json::array());
  EXPECT_EQ(item.at("tags"), json::array{"server"});
  EXPECT_EQ(item.at_pointer("/responses/200/content"),
            json::parse(R"({"application/json": {"schema": {"type": "array",
                 "items": {"$ref": "#/components/schemas/Job"}}},
               "text/plain": {"schema": {"type": "string"}}})"));
  EXPECT_FALSE(item.at_pointer("/responses/204").as_object().contains("content"));
  EXPECT_FALSE(item.at("responses").as_object().contains("401"));
}

TEST(OpenApi, EachJobTypeHasItsPath) {
  const auto document = document_of(
      {route("POST", "/api/jobs/:slug", Role::kOperator, answers("Job", 201).of_each_job_type()),
       route("POST", "/api/job-types/:slug/preview", Role::kViewer,
             answers("Job").of_each_job_type("params"))},
      {job_type("eval_metrics", "eval-metrics"), job_type("train", "train")});
  std::set<std::string> paths;
  for (const auto& [path, item] : document.at("paths").as_object()) paths.emplace(path);
  EXPECT_EQ(paths, (std::set<std::string>{"/api/jobs/eval-metrics", "/api/jobs/train",
                                          "/api/job-types/eval-metrics/preview",
                                          "/api/job-types/train/preview"}));
  const auto& submit = document.at("paths").at("/api/jobs/eval-metrics").at("post");
  EXPECT_EQ(submit.at("operationId"), "post_jobs_eval_metrics");
  EXPECT_EQ(submit.at_pointer("/requestBody/content/application~1json/schema/$ref"),
            "#/components/schemas/Submit.eval_metrics");
  EXPECT_EQ(submit.at_pointer("/requestBody/content/application~1json/examples/example 1/value"),
            json::parse(R"({"year": 2024})"));
  const auto& schema = document.at("components").at("schemas").at("Submit.eval_metrics");
  EXPECT_EQ(schema.at_pointer("/properties/_job/$ref"), "#/components/schemas/JobOptions");
  EXPECT_EQ(schema.at_pointer("/properties/year/type"), "integer");
  EXPECT_EQ(schema.at("unevaluatedProperties"), false);
  const auto& preview = document.at("paths").at("/api/job-types/train/preview").at("post");
  EXPECT_EQ(
      preview.at_pointer("/requestBody/content/application~1json/schema/properties/params/$ref"),
      "#/components/schemas/Inputs.train");
  EXPECT_EQ(preview.at_pointer("/requestBody/content/application~1json/examples/example 1/value"),
            json::parse(R"({"params": {"year": 2024}})"));
}

TEST(OpenApi, IsMadeAnewWhenTheJobTypesChange) {
  OpenApi api;
  api.describe(
      {route("POST", "/api/jobs/:slug", Role::kOperator, answers("Job", 201).of_each_job_type())});
  const std::vector<JobTypePtr> one{job_type("one", "one")};
  const auto first = api.document(one);
  EXPECT_EQ(api.document(one), first);
  const auto second = api.document({one.front(), job_type("two", "two")});
  EXPECT_NE(*second, *first);
  EXPECT_EQ(*api.document(one), *first);
  EXPECT_NE(*api.document({job_type("one", "other")}), *first);  // another version of it
}

// The table of the server itself: whoever adds a route says what it takes and answers.
TEST(OpenApi, EveryRouteOfTheServerIsDescribed) {
  TempFolder folder;
  Config config;
  config.workspace = folder.path();
  const auto service = JobService::open(std::move(config), {"/bin/false", "/bin/false"});
  ASSERT_TRUE(service) << service.error().message;
  StreamServer streams;
  Access access(folder.path(), false);
  const std::vector<Route> routes = all_routes(**service, access, streams);
  const auto document = document_of(routes, {job_type("train", "train")});
  const auto& components = document.at("components").as_object();
  const auto is_known = [&](const char* kind, std::string name) {
    if (name.ends_with("[]")) name.resize(name.size() - 2);
    return components.at(kind).as_object().contains(name);
  };
  std::set<std::string> operations;
  for (const Route& each : routes) {
    const std::string where = each.method + " " + each.path;
    EXPECT_FALSE(each.doc.successes.empty())
        << where << ": say what it answers, behind its handler: answers(\"Schema\")";
    for (const auto& answer : each.doc.successes) {
      EXPECT_TRUE(answer.schema.empty() || is_known("schemas", answer.schema))
          << where << ": api/schemas has no " << answer.schema;
      for (const auto& name : answer.headers) {
        EXPECT_TRUE(is_known("headers", name)) << where << ": api/schemas has no " << name;
      }
    }
    EXPECT_TRUE(each.doc.body.empty() || is_known("schemas", each.doc.body))
        << where << ": api/schemas has no " << each.doc.body;
    for (const auto& name : each.doc.headers) {
      EXPECT_TRUE(is_known("parameters", name)) << where << ": api/schemas has no " << name;
    }
    for (const int status : each.doc.failures) {
      EXPECT_TRUE(is_known("responses", std::to_string(status))) << where << ": " << status;
    }
    std::string path, method = each.method;
    for (std::size_t at = 1; at <= each.path.size();) {
      const std::size_t end = std::min(each.path.find('/', at), each.path.size());
      std::string segment = each.path.substr(at, end - at);
      if (each.doc.for_each_job_type && segment == ":slug") segment = "train";
      path += "/" + (segment.starts_with(':') ? "{" + segment.substr(1) + "}" : segment);
      at = end + 1;
    }
    for (char& c : method) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const auto* item = document.at("paths").as_object().if_contains(path);
    ASSERT_TRUE(item) << where << " is not in the document";
    const auto* operation = item->as_object().if_contains(method);
    ASSERT_TRUE(operation) << where << " is not in the document";
    EXPECT_TRUE(operations.insert(operation->at("operationId").as_string().c_str()).second)
        << where << ": its operationId is there twice";
  }
}

// Each $ref of the document leads somewhere.
void check_references(const json::value& value, const json::value& document) {
  if (const auto* list = value.if_array()) {
    for (const auto& item : *list) check_references(item, document);
  } else if (const auto* object = value.if_object()) {
    for (const auto& [key, member] : *object) {
      if (key == "$ref" && member.is_string()) {
        const std::string target(member.get_string());
        boost::system::error_code error;
        document.find_pointer(target.substr(1), error);
        EXPECT_FALSE(error) << target;
      }
      check_references(member, document);
    }
  }
}

TEST(OpenApi, EveryReferenceLeadsSomewhere) {
  const auto document = document_of({}, {});
  check_references(document, document);
}

TEST(Schema2020, TranslatesWhatChangedSinceDraft07) {
  const auto source = json::parse(R"({
    "$schema": "http://json-schema.org/draft-07/schema#", "$id": "x", "type": "object",
    "additionalProperties": true,
    "definitions": {"day": {"type": "string", "format": "date"}},
    "properties": {
      "definitions": {"$ref": "#/definitions/day", "title": "not read"},
      "pair": {"type": "array", "items": [{"type": "integer"}, true], "additionalItems": false},
      "list": {"items": {"$ref": "#/definitions/day"}, "additionalItems": false},
      "default": {"type": "object", "default": {"items": [1]}, "additionalProperties": {"$id": "y"}}
    },
    "dependencies": {"a": ["b"], "c": {"required": ["d"]}},
    "allOf": [{"if": {"$ref": "#/definitions/day"}, "then": false}]
  })");
  EXPECT_EQ(json::value(to_schema_2020(source.as_object(), "#/at")), json::parse(R"({
    "type": "object", "unevaluatedProperties": false,
    "$defs": {"day": {"type": "string", "format": "date"}},
    "properties": {
      "definitions": {"$ref": "#/at/$defs/day"},
      "pair": {"type": "array", "prefixItems": [{"type": "integer"}, true], "items": false},
      "list": {"items": {"$ref": "#/at/$defs/day"}},
      "default": {"type": "object", "default": {"items": [1]}, "additionalProperties": {}}
    },
    "dependentRequired": {"a": ["b"]}, "dependentSchemas": {"c": {"required": ["d"]}},
    "allOf": [{"if": {"$ref": "#/at/$defs/day"}, "then": false}]
  })"));
}

}  // namespace
}  // namespace runyard
