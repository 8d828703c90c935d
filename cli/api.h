#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/http_client.h"
#include "core/base/result.h"

namespace runyard::cli {

/// The end of a log as text, up to byte `next_offset`.
struct LogTail {
  std::string content;
  std::int64_t next_offset = 0;
};

/// The server's calls that the commands use. An error of the server comes back with its own
/// sentence (`detail`) and fields; kUnavailable when it cannot be reached or takes no work (503).
/// Owned by one command; single-threaded.
class Api {
 public:
  using Query = std::vector<std::pair<std::string, std::string>>;

  explicit Api(HttpClient http) : http_(std::move(http)) {}

  Result<boost::json::value> get(const std::string& path, const Query& query = {});
  /// A POST that must not happen twice carries an idempotency key of its own.
  Result<boost::json::value> post(const std::string& path, const boost::json::object& body);
  Result<boost::json::value> post_once(const std::string& path, const boost::json::object& body);
  Result<> remove(const std::string& path);

  /// The job type by its slug or its type, with `-` or `_`; kNotFound names those that exist.
  Result<boost::json::object> job_type(const std::string& name);
  Result<boost::json::array> job_types();

  Result<boost::json::object> job(const std::string& job_id);
  /// Newest first. `total`, if given, becomes the number of jobs that match, or "".
  Result<boost::json::array> recent(const Query& query, std::string* total = nullptr);

  /// The end of the log, at most `bytes`.
  Result<LogTail> log_tail(const std::string& job_id, std::int64_t bytes);
  /// The document that log_tail reads, as the server sent it.
  Result<boost::json::value> log_tail_document(const std::string& job_id, std::int64_t bytes);
  /// The log from byte `offset` to its present end, byte for byte, as it arrives. No byte when
  /// there is none yet.
  /// Up to byte `until`, if it is given.
  Result<> log_from(const std::string& job_id, std::int64_t offset, const HttpClient::Sink& sink,
                    std::int64_t until = 0);
  /// The log from byte `offset` on as it grows, until the job has ended (true) or the connection
  /// has (false, or kUnavailable). `text` is valid UTF-8; `next` is the byte behind it.
  using LogSinkFn = std::function<void(std::string_view text, std::int64_t next)>;
  Result<bool> follow_log(const std::string& job_id, std::int64_t offset, const LogSinkFn& sink);

  /// The full id for what a user wrote: a full id, `@` or `last` for the newest job, or the
  /// beginning or the end of an id (also of its last 8 characters) that is unique among the newest
  /// 500. kNotFound, or kInvalid when it is ambiguous.
  Result<std::string> resolve(const std::string& reference);

  const std::string& url() const { return http_.url(); }
  /// Another connection to the same server.
  Result<Api> again() const;
  /// True once the server has answered.
  bool reached() const { return reached_; }

 private:
  Result<HttpResponse> call(const HttpRequest& request, const HttpClient::Sink& sink = {});
  Result<boost::json::value> call_json(const HttpRequest& request);

  HttpClient http_;
  bool reached_ = false;
};

/// The failure that an answer with a status of 400 or above stands for.
Error error_of(const HttpResponse& response);
/// What resolve() does with the ids of the newest jobs, newest first.
Result<std::string> match_job(const std::string& reference, const std::vector<std::string>& ids);

}  // namespace runyard::cli
