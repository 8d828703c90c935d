#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>

namespace runyard::cli {

/// An HTTP server for tests: one connection at a time, on a port of its own. The handler gets a
/// whole request and returns what is sent; "" closes the connection without an answer, and so does
/// what begins with `close:` (not sent) after it.
class FakeServer {
 public:
  using Handler = std::function<std::string(const std::string& request)>;

  explicit FakeServer(Handler handler) : handler_(std::move(handler)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(listener_, 8);
    socklen_t length = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~FakeServer() {
    stop_ = true;
    thread_.join();
    ::close(listener_);
  }
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int connections() const { return connections_; }

  static std::string answer(const std::string& body, const std::string& type = "application/json",
                            const std::string& status = "200 OK") {
    return "HTTP/1.1 " + status + "\r\nContent-Type: " + type +
           "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

 private:
  bool readable(int fd) const {
    pollfd entry{fd, POLLIN, 0};
    while (!stop_) {
      if (::poll(&entry, 1, 20) > 0) return true;
    }
    return false;
  }
  void run() {
    while (readable(listener_)) {
      const int fd = ::accept(listener_, nullptr, nullptr);
      ++connections_;
      serve(fd);
      ::close(fd);
    }
  }
  /// Reads requests without keeping what comes after one: this client never pipelines.
  void serve(int fd) {
    for (;;) {
      std::string request;
      std::size_t wanted = 0;
      while (wanted == 0 || request.size() < wanted) {
        char buffer[4096];
        if (!readable(fd)) return;
        const auto count = ::recv(fd, buffer, sizeof buffer, 0);
        if (count <= 0) return;
        request.append(buffer, static_cast<std::size_t>(count));
        const auto end = request.find("\r\n\r\n");
        if (end == std::string::npos) continue;
        const auto length = request.find("Content-Length: ");
        wanted = end + 4;
        if (length < end) wanted += std::stoul(request.substr(length + 16));
      }
      std::string reply = handler_(request);
      const bool close = reply.empty() || reply.starts_with("close:");
      if (reply.starts_with("close:")) reply.erase(0, 6);
      ::send(fd, reply.data(), reply.size(), MSG_NOSIGNAL);
      if (close) return;
    }
  }

  Handler handler_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> connections_ = 0;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace runyard::cli
