#include "api/http_server.h"

#include <fmt/format.h>
#include <pistache/endpoint.h>
#include <pistache/http.h>
#include <pistache/http_header.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "api/file_sender.h"
#include "api/pistache/http_layer.h"

namespace runyard {
namespace {

constexpr std::size_t kMaxBody = 1 << 20;
constexpr int kBacklog = 1024;
constexpr auto kDrainLimit = std::chrono::seconds(10);

/// Headers of every answer; the policy is for the pages that are served to browsers.
using Headers = std::vector<std::pair<std::string, std::string>>;
const Headers kCommonHeaders = {
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'"},
    {"Cache-Control", "no-store"},
};

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

}  // namespace

class HttpServer::Impl {
 public:
  Impl(Options options, Guard guard, Router router)
      : options_(std::move(options)), guard_(std::move(guard)), router_(std::move(router)) {}

  ~Impl() {
    if (!endpoint_) return;
    http::close_after_answers();
    const auto limit = std::chrono::steady_clock::now() + kDrainLimit;
    while (http::requests_in_flight() > 0 && std::chrono::steady_clock::now() < limit) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    endpoint_->shutdown();
  }

  Result<> start();
  std::uint16_t port() const { return endpoint_->getPort(); }

 private:
  class Handler;
  Reply answer(const Pistache::Http::Request& request) const;
  void send(Reply reply, Pistache::Http::ResponseWriter writer, bool is_head);

  const Options options_;
  const Guard guard_;
  const Router router_;
  FileSender sender_;
  std::unique_ptr<Pistache::Http::Endpoint> endpoint_;
};

/// Pistache clones its handler for each worker; all of them lead to the one server.
class HttpServer::Impl::Handler : public Pistache::Http::Handler {
 public:
  HTTP_PROTOTYPE(Handler)
  explicit Handler(Impl* server) : server_(server) {}

  void onRequest(const Pistache::Http::Request& request,
                 Pistache::Http::ResponseWriter writer) override {
    server_->send(server_->answer(request), std::move(writer),
                  request.method() == Pistache::Http::Method::Head);
  }

 private:
  Impl* server_;
};

Reply HttpServer::Impl::answer(const Pistache::Http::Request& request) const {
  try {
    Call call;
    call.method = Pistache::Http::methodString(request.method());
    if (call.method == "HEAD") call.method = "GET";
    for (const auto& [name, header] : request.headers().rawList()) {
      call.headers.emplace(lower(name), header.value());
    }
    call.body = request.body();
    if (auto refused = guard_.check(call)) return std::move(*refused);
    if (!decode_query(request.query().as_str(), call.query)) {
      return problem(400, "the query of the address is malformed; percent-encode its values");
    }
    auto match = router_.find(call.method, request.resource());
    if (!match.route) {
      if (match.allowed.empty()) {
        return problem(404, "there is nothing at this address; the API begins at /api/jobs/recent");
      }
      Reply reply =
          problem(405, fmt::format("this address takes {}", fmt::join(match.allowed, ", ")));
      reply.headers.emplace_back("Allow", fmt::format("{}", fmt::join(match.allowed, ", ")));
      return reply;
    }
    call.path = std::move(match.path);
    return match.route->handler(call);
  } catch (const std::exception& error) {
    spdlog::error("a request failed: {}", error.what());
    return problem(500, "the server failed to answer this request; its log says why");
  }
}

void HttpServer::Impl::send(Reply reply, Pistache::Http::ResponseWriter writer, bool is_head) {
  using namespace Pistache::Http;
  reply.headers.insert(reply.headers.begin(), kCommonHeaders.begin(), kCommonHeaders.end());
  if (reply.file && is_head) {
    reply.headers.emplace_back("Content-Length", std::to_string(reply.file->size));
  } else if (reply.file && reply.file->size > 0) {
    if (UniqueFd socket{http::take_over(writer)}) {
      std::string head = fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n",
                                     reply.status, codeString(static_cast<Code>(reply.status)),
                                     reply.content_type, reply.file->size);
      for (const auto& [name, value] : reply.headers)
        head += fmt::format("{}: {}\r\n", name, value);
      sender_.send(std::move(socket), head + "Connection: close\r\n\r\n", std::move(*reply.file));
      return;
    }
    // No descriptor is left (or the client is gone, and nobody reads this).
    reply = problem(503, "the server has too many connections to send a file now; try again");
    reply.headers.insert(reply.headers.begin(), kCommonHeaders.begin(), kCommonHeaders.end());
  }
  for (const auto& [name, value] : reply.headers) writer.headers().addRaw(Header::Raw(name, value));
  if (reply.status != 204) {
    writer.headers().addRaw(Header::Raw("Content-Type", reply.content_type));
  }
  writer.send(static_cast<Code>(reply.status), reply.body);
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
    return make_error(ErrorKind::kConflict,
                      fmt::format("cannot listen on {} port {}: {}; is another server there? "
                                  "--port takes another one",
                                  options_.host, options_.port, error.what()));
  }
  return {};
}

HttpServer::HttpServer(Options options, Guard guard, Router router)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(guard), std::move(router))) {}
HttpServer::~HttpServer() = default;
Result<> HttpServer::start() { return impl_->start(); }
std::uint16_t HttpServer::port() const { return impl_->port(); }

}  // namespace runyard
