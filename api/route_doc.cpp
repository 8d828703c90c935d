#include "api/route_doc.h"

#include <boost/json.hpp>

namespace runyard {

RouteDoc& RouteDoc::answers(std::string schema, int status, std::string content_type) {
  successes.push_back({status, std::move(schema), std::move(content_type), {}});
  return *this;
}

RouteDoc& RouteDoc::sends(std::string header) {
  successes.back().headers.push_back(std::move(header));
  return *this;
}

RouteDoc& RouteDoc::fails(const std::vector<int>& statuses) {
  failures.insert(failures.end(), statuses.begin(), statuses.end());
  return *this;
}

RouteDoc& RouteDoc::takes(std::string schema) {
  body = std::move(schema);
  return *this;
}

RouteDoc& RouteDoc::header(std::string name) {
  headers.push_back(std::move(name));
  return *this;
}

RouteDoc& RouteDoc::query(Parameter parameter) {
  parameters.push_back(std::move(parameter));
  return *this;
}

RouteDoc& RouteDoc::of_each_job_type(std::string member) {
  for_each_job_type = true;
  inputs_member = std::move(member);
  return *this;
}

bool RouteDoc::is_stream() const {
  return !successes.empty() && successes.front().content_type == "text/event-stream";
}

RouteDoc answers(std::string schema, int status, std::string content_type) {
  return RouteDoc().answers(std::move(schema), status, std::move(content_type));
}

RouteDoc::Parameter query_integer(std::string name, std::int64_t low, std::int64_t high,
                                  std::int64_t fallback, std::string description) {
  return {std::move(name),
          {{"type", "integer"}, {"minimum", low}, {"maximum", high}, {"default", fallback}},
          std::move(description)};
}

RouteDoc::Parameter query_number(std::string name, std::string description) {
  return {std::move(name), {{"type", "number"}}, std::move(description)};
}

RouteDoc::Parameter query_text(std::string name, std::string description) {
  return {std::move(name), {{"type", "string"}}, std::move(description)};
}

RouteDoc::Parameter query_flag(std::string name, std::string description) {
  return {std::move(name), {{"type", "boolean"}}, std::move(description)};
}

RouteDoc::Parameter query_choice(std::string name, const std::vector<std::string>& values,
                                 std::string description) {
  boost::json::array list(values.begin(), values.end());
  return {std::move(name), {{"type", "string"}, {"enum", std::move(list)}}, std::move(description)};
}

}  // namespace runyard
