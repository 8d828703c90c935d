#pragma once

#include <boost/json/value.hpp>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/route_doc.h"
#include "api/stream.h"
#include "core/access/role.h"
#include "core/base/files.h"
#include "core/base/result.h"

namespace runyard {

/// Who sent a request.
struct Caller {
  std::string name;  ///< of the token; `local` where no token is asked for; "" unknown
  Role role = Role::kPublic;
  std::string token_sha256;  ///< "" without a token
};

/// A request as handlers see it: decoded, bounded, and past the chain.
struct Call {
  std::string method;                          ///< GET for HEAD too
  std::string target;                          ///< the path as it was sent
  std::map<std::string, std::string> path;     ///< the values of `:name` segments
  std::map<std::string, std::string> query;    ///< decoded; of a repeated key the first one
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;

  // What the chain found out.
  std::string client;        ///< the address it comes from, by a trusted proxy's word if it has one
  std::string host;          ///< and port, as the client knows this server
  bool is_https = false;     ///< between the client and a trusted proxy
  bool is_own_page = false;  ///< no web page of another site sent it
  Caller caller;

  std::string header(const std::string& lower_case_name) const;
};

/// A part of an open file, sent without being read into memory.
struct FileBody {
  UniqueFd fd;
  std::int64_t offset = 0, size = 0;
};

struct Reply {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
  std::optional<FileBody> file;       ///< instead of `body`
  std::optional<EventStream> stream;  ///< instead of `body`; the answer is 200
  std::vector<std::string> job_ids;   ///< for the audit log, when they are not in the address
};

/// One line of the route table: the only list of what this server answers. `path` has segments such
/// as `:id`; a fixed segment is preferred to one of these. `/*path` takes what is left: all whose
/// first segment no other route has. `role`: the lowest that may call; where no token is asked for,
/// everyone has every role. The handler may be called by any worker thread; an exception of it is
/// answered with 500.
struct Route {
  std::string method, path;
  Role role = Role::kAdmin;
  std::string summary;
  std::function<Reply(const Call&)> handler;
  RouteDoc doc = {};  ///< the rest of what the OpenAPI document says
};

Reply json_reply(const boost::json::value& document, int status = 200);
/// `document` is JSON already.
Reply json_text(std::string document, int status = 200);
/// application/problem+json (RFC 9457) with the status of the error's kind.
Reply problem(const Error& error);
Reply problem(int status, std::string_view detail, const std::vector<FieldError>& fields = {});

/// The body as a JSON object, an empty one when there is none; kMalformed (400) otherwise.
Result<boost::json::object> read_object(const Call& call);
/// A whole number of the query in a range; the fallback when it is absent; kInvalid otherwise.
Result<std::int64_t> read_number(const Call& call, const std::string& key, std::int64_t fallback,
                                 std::int64_t low, std::int64_t high);

/// A finite number of the query; nullopt when it is absent; kInvalid otherwise.
Result<std::optional<double>> read_decimal(const Call& call, const std::string& key);
/// A text of the query; "" when it is absent.
std::string read_text(const Call& call, const std::string& key);
/// `true`, `false`, `1`, `0` of the query; false when it is absent; kInvalid otherwise.
Result<bool> read_flag(const Call& call, const std::string& key);

}  // namespace runyard
