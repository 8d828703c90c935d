// A small client for the benchmark: COUNT equal requests over keep-alive connections, each answered
// before its connection sends the next one.
// usage: http_load PORT CONNECTIONS COUNT METHOD PATH [BODY-FILE]
// Prints one JSON object: seconds, requests/s, CPU seconds of this program, latencies in
// microseconds (p50, p99, max), statuses with their counts, and the wall-clock time of the first
// request in milliseconds.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

int connect_to(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int yes = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    fmt::print(stderr, "cannot connect to port {}\n", port);
    std::exit(1);
  }
  return fd;
}

/// Sends one request and reads its answer to the end; its status.
int exchange(int fd, const std::string& request) {
  for (std::size_t sent = 0; sent < request.size();) {
    const ssize_t n = ::send(fd, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) return -1;
    sent += static_cast<std::size_t>(n);
  }
  std::string answer;
  std::size_t whole = std::string::npos;
  char buffer[65536];
  while (answer.size() < whole) {
    const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0) return -1;
    answer.append(buffer, static_cast<std::size_t>(n));
    const auto head = answer.find("\r\n\r\n");
    if (whole != std::string::npos || head == std::string::npos) continue;
    const auto length = answer.find("Content-Length: ");
    whole = head + 4;
    if (length < head) whole += std::strtoul(answer.c_str() + length + 16, nullptr, 10);
  }
  return std::atoi(answer.c_str() + 9);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) {
    fmt::print(stderr, "usage: http_load PORT CONNECTIONS COUNT METHOD PATH [BODY-FILE]\n");
    return 2;
  }
  const int port = std::atoi(argv[1]), connections = std::atoi(argv[2]), count = std::atoi(argv[3]);
  std::string body;
  if (argc > 6) {
    std::ifstream file(argv[6], std::ios::binary);
    body.assign(std::istreambuf_iterator<char>(file), {});
  }
  std::string request =
      fmt::format("{} {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n", argv[4], argv[5], port);
  if (!body.empty()) {
    request += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
  }
  request += "\r\n" + body;

  std::mutex mutex;
  std::vector<std::int64_t> latencies;
  std::map<int, int> statuses;
  std::atomic<int> next = 0;
  const auto wall = std::chrono::duration_cast<std::chrono::milliseconds>(
                        std::chrono::system_clock::now().time_since_epoch())
                        .count();
  const auto begin = Clock::now();
  std::vector<std::thread> threads;
  for (int i = 0; i < connections; ++i) {
    threads.emplace_back([&] {
      const int fd = connect_to(port);
      std::vector<std::int64_t> own;
      std::map<int, int> seen;
      while (next++ < count) {
        const auto sent = Clock::now();
        const int status = exchange(fd, request);
        own.push_back(
            std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - sent).count());
        ++seen[status];
        if (status < 0) break;
      }
      ::close(fd);
      const std::lock_guard lock(mutex);
      latencies.insert(latencies.end(), own.begin(), own.end());
      for (const auto& [status, times] : seen) statuses[status] += times;
    });
  }
  for (auto& thread : threads) thread.join();
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const double cpu = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                     static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  std::sort(latencies.begin(), latencies.end());
  const auto quantile = [&](double q) {
    return latencies[static_cast<std::size_t>(q * static_cast<double>(latencies.size() - 1))];
  };
  std::string seen;
  for (const auto& [status, times] : statuses) {
    seen += fmt::format("{}\"{}\": {}", seen.empty() ? "" : ", ", status, times);
  }
  fmt::print(
      "{{\"seconds\": {:.6f}, \"per_second\": {:.1f}, \"cpu\": {:.6f}, \"p50\": {}, \"p99\": {}, "
      "\"max\": {}, \"statuses\": {{{}}}, \"wall_ms\": {}}}\n",
      seconds, static_cast<double>(latencies.size()) / seconds, cpu, quantile(0.5), quantile(0.99),
      latencies.back(), seen, wall);
}
