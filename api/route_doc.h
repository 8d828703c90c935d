#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace runyard {

/// What GET /api/openapi.json says of a route beside its method, path, role and summary. Written
/// where the route is listed:
///
///   answers("Job[]", 201).takes("Batch").header("Idempotency-Key").fails({409, 429})
///
/// Schemas go by their name in api/schemas; `Name[]` is an array of them. What every route may
/// answer is added: 400, 401, 403, 421, 500; 404 with a `:name` in the path; 413 and 415 with a
/// body; 422 with a body or a query. The tag is the path's first segment below /api.
struct RouteDoc {
  struct Parameter {
    std::string name;
    boost::json::object schema;
    std::string description;
  };
  struct Answer {
    int status;
    std::string schema;  ///< "": no document, as for a text or 204
    std::string content_type;
    std::vector<std::string> headers;
  };
  std::vector<Answer> successes;  ///< the usual one first
  std::vector<int> failures;      ///< beside those of every route
  std::string body;               ///< schema of the JSON body; "": it takes none
  std::vector<std::string> headers;
  std::vector<Parameter> parameters;  ///< of the query
  bool for_each_job_type = false;
  std::string inputs_member;  ///< where in the body a job type's inputs are; "": they are the body

  /// A further answer of success.
  RouteDoc& answers(std::string schema, int status = 200,
                    std::string content_type = "application/json");
  /// A header of the answer that was named last; api/schemas has its description.
  RouteDoc& sends(std::string header);
  /// A problem document with one of these, too.
  RouteDoc& fails(const std::vector<int>& statuses);
  /// A JSON body.
  RouteDoc& takes(std::string schema);
  /// A request header; api/schemas has its description.
  RouteDoc& header(std::string name);
  RouteDoc& query(Parameter parameter);
  /// `:slug` stands for the loaded job types: the document has a path for each of them, and the
  /// body is the inputs of that type, or has them in `member`; `_job` stands beside them.
  RouteDoc& of_each_job_type(std::string member = "");

  /// True when the usual answer is Server-Sent Events: then a web page of another site must not
  /// even open it.
  bool is_stream() const;
};

/// The beginning of a RouteDoc: the usual answer.
RouteDoc answers(std::string schema, int status = 200,
                 std::string content_type = "application/json");

/// Query parameters. A whole number within bounds, as read_number() reads it:
RouteDoc::Parameter query_integer(std::string name, std::int64_t low, std::int64_t high,
                                  std::int64_t fallback, std::string description = "");
RouteDoc::Parameter query_number(std::string name, std::string description = "");
RouteDoc::Parameter query_text(std::string name, std::string description = "");
RouteDoc::Parameter query_flag(std::string name, std::string description = "");
RouteDoc::Parameter query_choice(std::string name, const std::vector<std::string>& values,
                                 std::string description = "");

}  // namespace runyard
