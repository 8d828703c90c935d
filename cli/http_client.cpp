#include "cli/http_client.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/url/parse.hpp>
#include <chrono>
#include <optional>

#include "cli/interrupt.h"

namespace runyard::cli {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr seconds kConnectTimeout{10};
constexpr seconds kReadTimeout{60};
constexpr std::size_t kMaxBody = 256u << 20;  // of an answer that is kept in memory

}  // namespace

struct HttpClient::Impl {
  std::string url, host, port, host_header, prefix, token;
  asio::io_context io;
  std::optional<beast::tcp_stream> stream;
  beast::flat_buffer buffer;

  /// Starts one asynchronous step and waits for its end. Asynchronous, because only those have
  /// time limits.
  template <class Start>
  error_code wait(seconds limit, Start start) {
    std::optional<error_code> result;
    stream->expires_after(limit);
    start([&result](error_code error, auto&&...) { result = error; });
    io.restart();
    while (!result) {
      io.run_one_for(milliseconds(100));
      if (!result && interrupted()) {
        stream->socket().close();
        while (!result) io.run_one();
        return asio::error::operation_aborted;
      }
    }
    return *result;
  }

  error_code connect() {
    buffer.clear();
    stream.emplace(io);
    asio::ip::tcp::resolver resolver(io);
    error_code error;
    const auto addresses = resolver.resolve(host, port, error);
    if (!error) {
      error = wait(kConnectTimeout,
                   [&](auto done) { stream->async_connect(addresses, std::move(done)); });
    }
    if (error) {
      stream.reset();
    } else {
      stream->socket().set_option(asio::ip::tcp::no_delay(true));
    }
    return error;
  }

  Error unreachable(const error_code& error) const {
    if (error == beast::error::timeout) {
      return make_error(ErrorKind::kUnavailable,
                        fmt::format("the server at {} does not answer", url));
    }
    return make_error(
        ErrorKind::kUnavailable,
        fmt::format("cannot reach the server at {} ({}); start it with `runyard serve`, or name "
                    "another one with --server or RUNYARD_SERVER",
                    url, error.message()));
  }

  error_code exchange(const HttpRequest& request, const Sink& sink, HttpResponse& response) {
    const auto verb = http::string_to_verb(request.method);
    http::request<http::string_body> message(verb, prefix + request.target, 11);
    message.set(http::field::host, host_header);
    message.set(http::field::user_agent, "runyard");
    message.set(http::field::connection, "keep-alive");
    message.set(http::field::accept, "application/json, text/plain, text/event-stream");
    if (!token.empty()) message.set(http::field::authorization, "Bearer " + token);
    if (!request.idempotency_key.empty()) message.set("Idempotency-Key", request.idempotency_key);
    if (request.is_ranged()) {
      message.set(http::field::range,
                  request.range_until > 0
                      ? fmt::format("bytes={}-{}", request.range_from, request.range_until - 1)
                      : fmt::format("bytes={}-", request.range_from));
    }
    if (!request.body.empty()) {
      message.set(http::field::content_type, "application/json");
      message.body() = request.body;
    }
    message.prepare_payload();
    auto error = wait(kReadTimeout,
                      [&](auto done) { http::async_write(*stream, message, std::move(done)); });
    if (error) return error;

    http::response_parser<http::buffer_body> parser;
    parser.body_limit(boost::none);
    error = wait(kReadTimeout, [&](auto done) {
      http::async_read_header(*stream, buffer, parser, std::move(done));
    });
    if (error) return error;
    response.status = parser.get().result_int();
    response.content_type = std::string(parser.get()[http::field::content_type]);
    response.total_count = std::string(parser.get()["X-Total-Count"]);
    const bool success = request.is_ranged() ? response.status == 206 : response.status / 100 == 2;
    const bool to_sink = sink && success;

    std::array<char, 64 * 1024> chunk;
    while (!parser.is_done()) {
      parser.get().body().data = chunk.data();
      parser.get().body().size = chunk.size();
      error = wait(kReadTimeout, [&](auto done) {
        http::async_read_some(*stream, buffer, parser, std::move(done));
      });
      const std::string_view got(chunk.data(), chunk.size() - parser.get().body().size);
      if (to_sink) {
        if (!got.empty()) sink(got);
      } else {
        response.body.append(got);
        if (response.body.size() > kMaxBody) return http::error::body_limit;
      }
      if (error && error != http::error::need_buffer) return error;
    }
    if (!parser.get().keep_alive()) stream.reset();
    return {};
  }
};

HttpClient::HttpClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;
HttpClient::~HttpClient() = default;
const std::string& HttpClient::url() const { return impl_->url; }

Result<HttpClient> HttpClient::create(const std::string& url, std::string token) {
  const std::string full = url.find("://") == std::string::npos ? "http://" + url : url;
  const auto parsed = boost::urls::parse_uri(full);
  if (!parsed || parsed->host().empty() || parsed->has_query() || parsed->has_fragment() ||
      parsed->has_userinfo()) {
    return make_error(ErrorKind::kInvalid,
                      fmt::format("'{}' is not the address of a server; write it as "
                                  "http://127.0.0.1:8000",
                                  url));
  }
  if (parsed->scheme() != "http") {
    return make_error(ErrorKind::kInvalid,
                      fmt::format("'{}': only http:// is spoken here; forward the server's port "
                                  "through SSH instead (ssh -L 8000:127.0.0.1:8000 host)",
                                  url));
  }
  for (const char c : token) {
    if (c < 0x21 || c > 0x7e) {
      return make_error(
          ErrorKind::kInvalid,
          "the token has a blank or a character in it that no token has; is it whole?");
    }
  }
  auto impl = std::make_unique<Impl>();
  impl->host = parsed->host_address();
  impl->port = parsed->has_port() && !parsed->port().empty() ? std::string(parsed->port()) : "80";
  impl->host_header = std::string(parsed->encoded_host_and_port());
  impl->prefix = std::string(parsed->encoded_path());
  while (!impl->prefix.empty() && impl->prefix.back() == '/') impl->prefix.pop_back();
  impl->url = "http://" + impl->host_header + impl->prefix;
  impl->token = std::move(token);
  return HttpClient(std::move(impl));
}

Result<HttpClient> HttpClient::again() const { return create(impl_->url, impl_->token); }

Result<HttpResponse> HttpClient::send(const HttpRequest& request, const Sink& sink) {
  const bool repeatable = request.method == "GET" || !request.idempotency_key.empty();
  for (;;) {
    const bool reused = impl_->stream.has_value();
    if (!reused) {
      if (const auto error = impl_->connect()) return impl_->unreachable(error);
    }
    HttpResponse response;
    const auto error = impl_->exchange(request, sink, response);
    if (!error) return response;
    impl_->stream.reset();
    // The server may close a kept connection at any time; that alone is not worth a message.
    const bool stale = reused && response.status == 0 && error != beast::error::timeout;
    if (!stale || !repeatable || interrupted()) return impl_->unreachable(error);
  }
}

std::string percent_encode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace runyard::cli
