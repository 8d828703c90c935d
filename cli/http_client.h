#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"

namespace runyard::cli {

struct HttpRequest {
  std::string method = "GET";
  std::string target;  ///< path and query, percent-encoded
  std::string body;    ///< JSON; "" for none
  /// Makes it safe to send a POST again after a connection was lost; "" for none.
  std::string idempotency_key;
  std::int64_t range_from = 0;   ///< asks for the bytes from here on (206), or 416 at the end
  std::int64_t range_until = 0;  ///< and up to here; 0: to the end
  bool is_ranged() const { return range_from > 0 || range_until > 0; }
};

struct HttpResponse {
  int status = 0;
  std::string content_type;
  std::string total_count;  ///< the X-Total-Count header, "" when there is none
  std::string body;
};

/// One keep-alive connection to the server. Connects at the first request and again when the server
/// has closed it. Single-threaded; blocks, at most 10 s to connect and 60 s for each read, and ends
/// early when interrupted() becomes true. Every failure to talk is kUnavailable; a status of 400 or
/// above is an answer, not a failure.
class HttpClient {
 public:
  using Sink = std::function<void(std::string_view)>;

  /// `url`: `http://host[:port][/prefix]`, the scheme may be left out. kInvalid for anything else.
  static Result<HttpClient> create(const std::string& url, std::string token);
  HttpClient(HttpClient&&) noexcept;
  HttpClient& operator=(HttpClient&&) noexcept;
  ~HttpClient();

  /// With a sink, the body of a success (206 if a range was asked for, else any 2xx) goes there as
  /// it arrives, and `body` stays empty.
  Result<HttpResponse> send(const HttpRequest& request, const Sink& sink = {});

  /// Another connection to the same server, with the same token.
  Result<HttpClient> again() const;

  /// `http://host:port/prefix`, without a slash at the end.
  const std::string& url() const;

 private:
  struct Impl;
  explicit HttpClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// For a part of a path or a query: everything but letters, digits and `-._~` becomes %XX.
std::string percent_encode(std::string_view text);

}  // namespace runyard::cli
