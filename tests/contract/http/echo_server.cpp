// A small server on Pistache with the replaced members, for test_http_layer.py.
// Usage: http_echo_server [--workers N] [--header-timeout-ms N] [--keepalive-timeout-ms N]
//                         [--event-delay-us N]: reads of event descriptors take so much longer
//        http_echo_server --slashes N: prints the router's form of a path with N slashes twice.
// Prints `port N` when it listens. Ends on SIGTERM or SIGINT: drains, then exit code 0.

#include <pistache/endpoint.h>
#include <pistache/peer.h>
#include <pistache/router.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "api/pistache/http_layer.h"

namespace {

using namespace Pistache;
using std::chrono::milliseconds;

constexpr std::size_t kMaxBody = 1024 * 1024;

std::atomic<long> g_event_delay_us{0};

using Result = Rest::Route::Result;

// A thread that nobody joins, from its beginning on: pthread_detach() of glibc 2.36 looks at a
// thread that may have ended meanwhile, which crashed one in some hundred thousand answers.
template <class Work>
void start_thread(Work work) {
  auto kept = std::make_unique<Work>(std::move(work));
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread;
  const auto run = [](void* given) -> void* {
    const std::unique_ptr<Work> own(static_cast<Work*>(given));
    (*own)();
    return nullptr;
  };
  if (pthread_create(&thread, &attributes, run, kept.get()) == 0) (void)kept.release();
  pthread_attr_destroy(&attributes);
}

Result echo_id(const Rest::Request& request, Http::ResponseWriter writer) {
  writer.send(Http::Code::Ok, request.param(":id").as<std::string>());
  return Result::Ok;
}

Result echo_body(const Rest::Request& request, Http::ResponseWriter writer) {
  writer.send(Http::Code::Ok, std::to_string(request.body().size()) + ':' + request.body());
  return Result::Ok;
}

Result large(const Rest::Request&, Http::ResponseWriter writer) {
  static const std::string body(4 * 1024 * 1024, 'x');
  writer.send(Http::Code::Ok, body);
  return Result::Ok;
}

Result head_of_large(const Rest::Request&, Http::ResponseWriter writer) {
  writer.headers().addRaw({"Content-Length", "4194304"});
  writer.send(Http::Code::Ok);
  return Result::Ok;
}

// Answers from another thread, later; keeps the peer, and with it the descriptor's number, for
// long.
Result later(const Rest::Request& request, Http::ResponseWriter writer) {
  const int delay = request.param(":ms").as<int>();
  start_thread([delay, peer = writer.getPeer(), own = std::move(writer),
                id = request.param(":id").as<std::string>()]() mutable {
    std::this_thread::sleep_for(milliseconds(delay));
    own.send(Http::Code::Ok, id);
  });
  return Result::Ok;
}

Result show_field(const Rest::Request& request, Http::ResponseWriter writer) {
  const auto field = request.headers().tryGetRaw(request.param(":name").as<std::string>());
  writer.headers().addRaw({"X-Echo", "yes"}).addRaw({"Content-Type", "text/plain; charset=utf-8"});
  writer.send(Http::Code::Ok, field ? field->value() : "-");
  return Result::Ok;
}

Result show_query(const Rest::Request& request, Http::ResponseWriter writer) {
  writer.send(Http::Code::Ok, request.query().get("q").value_or("-"));
  return Result::Ok;
}

Result fail(const Rest::Request&, Http::ResponseWriter) {
  throw std::runtime_error("internal text: /etc/secret");
}

// A stream: the socket is taken over by a thread that writes one line every 50 ms until the client
// is gone.
Result stream(const Rest::Request&, Http::ResponseWriter writer) {
  const int fd = runyard::http::take_over(writer);
  if (fd < 0) return Result::Failure;
  start_thread([fd] {
    std::string text = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    while (::send(fd, text.data(), text.size(), MSG_NOSIGNAL) > 0) {
      text = "line\n";
      std::this_thread::sleep_for(milliseconds(50));
    }
    ::close(fd);
  });
  return Result::Ok;
}

long option(int argc, char** argv, const std::string& name, long value) {
  for (int i = 1; i + 1 < argc; i += 2) {
    if (name == argv[i]) value = std::atol(argv[i + 1]);
  }
  return value;
}

}  // namespace

// The library's reads come here: `--event-delay-us` widens the moment in which a wake-up can be
// lost.
extern "C" ssize_t read(int fd, void* buffer, size_t size) {
  if (size == sizeof(std::uint64_t) && g_event_delay_us > 0) {
    std::this_thread::sleep_for(std::chrono::microseconds(g_event_delay_us));
  }
  return ::syscall(SYS_read, fd, buffer, size);
}

int main(int argc, char** argv) {
  if (const std::string missing = runyard::http::member_not_replaced(); !missing.empty()) {
    std::fprintf(stderr, "not replaced in this program: %s\n", missing.c_str());
    return 1;
  }
  if (const long slashes = option(argc, argv, "--slashes", 0); slashes > 0) {
    const std::string many(static_cast<std::size_t>(slashes), '/');
    std::puts(Rest::SegmentTreeNode::sanitizeResource(many + "a" + many + "b").c_str());
    return 0;
  }
  g_event_delay_us = option(argc, argv, "--event-delay-us", 0);
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);  // before any thread, so that all inherit it

  Rest::Router router;
  Rest::Routes::Get(router, "/id/:id", echo_id);
  Rest::Routes::Head(router, "/id/:id", echo_id);
  Rest::Routes::Head(router, "/large", head_of_large);
  Rest::Routes::Post(router, "/echo", echo_body);
  Rest::Routes::Get(router, "/large", large);
  Rest::Routes::Get(router, "/later/:ms/:id", later);
  Rest::Routes::Get(router, "/field/:name", show_field);
  Rest::Routes::Get(router, "/query", show_query);
  Rest::Routes::Get(router, "/fail", fail);
  Rest::Routes::Get(router, "/stream", stream);
  Rest::Routes::Put(router, "/never", fail);
  Rest::Routes::Patch(router, "/never", fail);
  Rest::Routes::Delete(router, "/never", fail);
  Rest::Routes::Options(router, "/never", fail);

  const int workers = static_cast<int>(option(argc, argv, "--workers", 2));
  const auto flags = Tcp::Options::ReuseAddr | Tcp::Options::NoDelay | Tcp::Options::CloseOnExec;
  Http::Endpoint endpoint{Address("127.0.0.1:0")};
  endpoint.init(
      Http::Endpoint::options()
          .threads(workers)
          .flags(flags)
          .maxRequestSize(kMaxBody)
          .headerTimeout(milliseconds(option(argc, argv, "--header-timeout-ms", 15'000)))
          .bodyTimeout(milliseconds(60'000))
          .keepaliveTimeout(milliseconds(option(argc, argv, "--keepalive-timeout-ms", 75'000))));
  endpoint.initArgs(static_cast<std::size_t>(workers), Flags<Tcp::Options>(flags), "http", 1024);
  endpoint.setHandler(router.handler());
  endpoint.serveThreaded();
  std::printf("port %d\n", static_cast<int>(static_cast<std::uint16_t>(endpoint.getPort())));
  std::fflush(stdout);

  int signal = 0;
  sigwait(&stop, &signal);
  runyard::http::close_after_answers();
  while (runyard::http::requests_in_flight() > 0) std::this_thread::sleep_for(milliseconds(5));
  endpoint.shutdown();
  return 0;
}
