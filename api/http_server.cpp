#include "api/http_server.h"

#include <fmt/format.h>
#include <pistache/endpoint.h>
#include <pistache/http.h>
#include <pistache/http_header.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "api/observer.h"
#include "api/pistache/http_layer.h"

namespace runyard {
namespace {

constexpr std::size_t kMaxBody = 1 << 20;
constexpr int kBacklog = 1024;
constexpr auto kDrainLimit = std::chrono::seconds(10);
constexpr auto kFarewellLimit = std::chrono::seconds(5);

/// Headers of every answer; the policy is for the pages that are served to browsers.
using Headers = std::vector<std::pair<std::string, std::string>>;
const Headers kCommonHeaders = {
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Content-Security-Policy",
     "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src "
     "'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"},
    {"Cache-Control", "no-store"},
};

/// The common ones, unless the reply has its own, then the reply's.
Headers all_headers(const Reply& reply) {
  Headers all;
  for (const auto& common : kCommonHeaders) {
    const bool has_own = std::any_of(reply.headers.begin(), reply.headers.end(),
                                     [&](const auto& own) { return own.first == common.first; });
    if (!has_own) all.push_back(common);
  }
  all.insert(all.end(), reply.headers.begin(), reply.headers.end());
  return all;
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/// 404, or 405 where other methods have a route.
Reply nothing_here(const std::vector<std::string>& allowed) {
  if (allowed.empty()) {
    return problem(404, "there is nothing at this address; the API begins at /api/jobs/recent");
  }
  const std::string methods = fmt::format("{}", fmt::join(allowed, ", "));
  Reply reply = problem(405, "this address takes " + methods);
  reply.headers.emplace_back("Allow", methods);
  return reply;
}

/// Whose streams are counted together: those of a token, else those of an address; "" has no limit.
std::string name_for_limits(const Call& call) {
  if (!call.caller.token_sha256.empty()) return "token " + call.caller.name;
  return is_loopback(call.client) ? "" : call.client;
}

}  // namespace

class HttpServer::Impl {
 public:
  Impl(Options options, Guard guard, Access& access, Router router, StreamServer& streams,
       Metrics& metrics)
      : options_(std::move(options)),
        guard_(std::move(guard)),
        access_(access),
        router_(std::move(router)),
        streams_(streams),
        observer_(metrics, router_, options_.log_access),
        in_flight_(metrics.add_source([] {
          return std::vector<prometheus::MetricFamily>{
              std::move(MetricValues("runyard_http_requests_in_flight",
                                     "Requests whose answer is not sent yet.")
                            .add(http::requests_in_flight()))};
        })) {}

  ~Impl() {
    if (!endpoint_) return;
    http::close_after_answers();
    const auto limit = std::chrono::steady_clock::now() + kDrainLimit;
    while (http::requests_in_flight() > 0 && std::chrono::steady_clock::now() < limit) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    streams_.stop(kFarewellLimit);
    endpoint_->shutdown();
  }

  Result<> start();
  std::uint16_t port() const { return endpoint_->getPort(); }

 private:
  class Handler;
  void handle(const Pistache::Http::Request& request, Pistache::Http::ResponseWriter writer);
  Reply pass(Call& call, const std::string& query, const Router::Match& match);
  void send(Reply reply, Pistache::Http::ResponseWriter writer, bool is_head, const Call& call);
  std::optional<Reply> hand_over(Reply& reply, const Pistache::Http::ResponseWriter& writer,
                                 const Call& call);

  const Options options_;
  const Guard guard_;
  Access& access_;
  const Router router_;
  StreamServer& streams_;
  Observer observer_;
  const std::shared_ptr<prometheus::Collectable> in_flight_;
  std::unique_ptr<Pistache::Http::Endpoint> endpoint_;
};

/// Pistache clones its handler for each worker; all of them lead to the one server.
class HttpServer::Impl::Handler : public Pistache::Http::Handler {
 public:
  HTTP_PROTOTYPE(Handler)
  explicit Handler(Impl* server) : server_(server) {}

  void onRequest(const Pistache::Http::Request& request,
                 Pistache::Http::ResponseWriter writer) override {
    server_->handle(request, std::move(writer));
  }

 private:
  Impl* server_;
};

void HttpServer::Impl::handle(const Pistache::Http::Request& request,
                              Pistache::Http::ResponseWriter writer) {
  const auto begun = Observer::Clock::now();
  Call call;
  call.method = Pistache::Http::methodString(request.method());
  const bool is_head = call.method == "HEAD";
  if (is_head) call.method = "GET";
  call.target = request.resource();
  call.client = request.address().host();
  for (const auto& [name, header] : request.headers().rawList()) {
    call.headers.emplace(lower(name), header.value());
  }
  call.body = request.body();
  auto match = router_.find(call.method, call.target);
  call.path = std::move(match.path);
  Reply reply;
  try {
    reply = pass(call, request.query().as_str(), match);
  } catch (const std::exception& error) {
    spdlog::error("a request failed: {}", error.what());
    reply = problem(500, "the server failed to answer this request; its log says why");
  }
  access_.record(call, match.route, reply);
  const std::string id = observer_.id_of(call);
  observer_.answered(call, is_head, match.route, reply, id, begun);
  reply.headers.emplace_back("X-Request-Id", id);
  send(std::move(reply), std::move(writer), is_head, call);
}

/// The one way to every route. The HTTP layer has checked the limits; a step refuses the call, or
/// leaves it to the next one. Finding the route before tells nobody anything: what is not there is
/// answered at the end.
Reply HttpServer::Impl::pass(Call& call, const std::string& query, const Router::Match& match) {
  const Route* route = match.route;
  const bool is_stream = route && route->doc.is_stream();
  if (auto refused = guard_.check(call, is_stream)) return std::move(*refused);
  if (auto refused = access_.admit(call, route)) return std::move(*refused);
  if (!decode_query(query, call.query)) {
    return problem(400, "the query of the address is malformed; percent-encode its values");
  }
  return route ? route->handler(call) : nothing_here(match.allowed);
}

void HttpServer::Impl::send(Reply reply, Pistache::Http::ResponseWriter writer, bool is_head,
                            const Call& call) {
  using namespace Pistache::Http;
  if (reply.stream) reply.content_type = "text/event-stream";
  if (!is_head && (reply.stream || (reply.file && reply.file->size > 0))) {
    if (auto refused = hand_over(reply, writer, call)) {
      reply = std::move(*refused);
    } else {
      return;
    }
  }
  if (reply.file) {  // of size 0, or for HEAD
    reply.headers.emplace_back("Content-Length", std::to_string(reply.file->size));
  }
  for (const auto& [name, value] : all_headers(reply)) {
    writer.headers().addRaw(Header::Raw(name, value));
  }
  if (reply.status != 204 && reply.status != 304) {
    writer.headers().addRaw(Header::Raw("Content-Type", reply.content_type));
  }
  writer.send(static_cast<Code>(reply.status), reply.body);
}

/// Gives a long answer to the stream server; the refusal when that is not possible.
std::optional<Reply> HttpServer::Impl::hand_over(Reply& reply,
                                                 const Pistache::Http::ResponseWriter& writer,
                                                 const Call& call) {
  std::optional<StreamServer::Place> place;
  if (reply.stream) {
    auto admitted = streams_.admit(name_for_limits(call));
    if (!admitted) return problem(admitted.error());
    place.emplace(std::move(*admitted));
    reply.stream->source = access_.watch(std::move(reply.stream->source), call.caller);
  }
  UniqueFd socket{http::take_over(writer)};
  if (!socket) {  // no descriptor is left (or the client is gone, and nobody reads this)
    return problem(503, "the server has too many connections to answer this now; try again");
  }
  const auto code = static_cast<Pistache::Http::Code>(reply.status);
  std::string head = fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\n", reply.status,
                                 Pistache::Http::codeString(code), reply.content_type);
  for (const auto& [name, value] : all_headers(reply)) head += name + ": " + value + "\r\n";
  if (reply.stream) {
    // A proxy in front must not collect what is meant to arrive at once.
    head += "X-Accel-Buffering: no\r\nConnection: close\r\n\r\n";
    streams_.send(std::move(socket), std::move(head), std::move(*reply.stream), std::move(*place));
  } else {
    head += fmt::format("Content-Length: {}\r\nConnection: close\r\n\r\n", reply.file->size);
    streams_.send(std::move(socket), std::move(head), std::move(*reply.file));
  }
  return std::nullopt;
}

Result<> HttpServer::Impl::start() {
  if (const std::string member = http::member_not_replaced(); !member.empty()) {
    return make_error(ErrorKind::kInternal, "this program was linked wrongly: " + member +
                                                " is still the library's own "
                                                "(api/pistache/README.md)");
  }
  std::signal(SIGPIPE, SIG_IGN);
  try {
    const std::string host =
        options_.host.find(':') == std::string::npos ? options_.host : "[" + options_.host + "]";
    const Pistache::Address address(fmt::format("{}:{}", host, options_.port));
    endpoint_ = std::make_unique<Pistache::Http::Endpoint>(address);
    using Pistache::Tcp::Options;
    const auto flags =
        Pistache::Flags<Options>(Options::ReuseAddr) | Options::NoDelay | Options::CloseOnExec;
    endpoint_->init(Pistache::Http::Endpoint::options()
                        .threads(options_.threads)
                        .flags(flags)
                        .maxRequestSize(kMaxBody)
                        .headerTimeout(std::chrono::seconds(15))
                        .bodyTimeout(std::chrono::seconds(60))
                        .keepaliveTimeout(std::chrono::seconds(75)));
    // init() ignores Options::backlog.
    endpoint_->initArgs(static_cast<std::size_t>(options_.threads), flags, "http", kBacklog);
    endpoint_->setHandler(std::make_shared<Handler>(this));
    endpoint_->serveThreaded();
  } catch (const std::exception& error) {
    endpoint_.reset();
    const std::string why = error.what();
    const bool is_taken = why.find(std::strerror(EADDRINUSE)) != std::string::npos;
    return make_error(
        ErrorKind::kConflict,
        fmt::format("cannot listen on {} port {}: {}; {}", options_.host, options_.port, why,
                    is_taken ? "is another server there? --port takes another one"
                             : "--host takes an address of this machine, such as 127.0.0.1"));
  }
  return {};
}

HttpServer::HttpServer(Options options, Guard guard, Access& access, Router router,
                       StreamServer& streams, Metrics& metrics)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(guard), access, std::move(router),
                                   streams, metrics)) {}
HttpServer::~HttpServer() = default;
Result<> HttpServer::start() { return impl_->start(); }
std::uint16_t HttpServer::port() const { return impl_->port(); }

}  // namespace runyard
