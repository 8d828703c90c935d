// Many clients of one server at once, on one thread, for test_load.py.
//
// Usage: http_load PORT SECONDS [--callers N] [--listen PATH N]... [--deaf N] [--loris N]
//                  [--submit BODY]
//   callers    keep-alive connections, each with a request every 50 to 150 ms: reads, and one in 20
//              a submit of BODY to /api/jobs/command
//   listen     N event streams of PATH; the ids of /api/events must have no gap, and between two
//              ids of a log there must be as many bytes of text as the ids say
//   deaf       as many of each PATH's streams are never read
//   loris      connections that send a byte of a request each half second, for ever
// Prints what it saw as JSON. Exit code 0 also when there were errors: the caller judges.

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
namespace json = boost::json;

std::mt19937 g_random(42);
int random_between(int low, int high) { return std::uniform_int_distribution(low, high)(g_random); }

struct Seen {
  std::vector<double> read_ms, submit_ms;
  std::map<std::string, long> errors;
  long loris_closed = 0;
};

/// A connection and what it does next.
class Peer {
 public:
  virtual ~Peer() {
    if (fd >= 0) ::close(fd);
  }
  virtual void on_event(unsigned events) = 0;
  virtual void on_timer() {}
  int fd = -1;
};

class Load {
 public:
  explicit Load(std::uint16_t port) : port_(port), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}
  ~Load() { ::close(epoll_); }

  void connect(Peer& peer, int receive_buffer = 0) {
    if (peer.fd >= 0) ::close(peer.fd);
    peer.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer > 0) {
      ::setsockopt(peer.fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    const int on = 1;
    ::setsockopt(peer.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(peer.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      error(std::string("connect: ") + std::strerror(errno));
    }
    epoll_event event{EPOLLIN | EPOLLRDHUP, {.ptr = &peer}};
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, peer.fd, &event);
  }
  void after(milliseconds delay, Peer& peer) { timers_.push({Clock::now() + delay, &peer}); }
  void error(const std::string& what) { ++seen.errors[what]; }

  void run_until(Clock::time_point end) {
    while (Clock::now() < end) {
      const auto next = timers_.empty() ? end : std::min(end, timers_.top().first);
      const auto wait = std::chrono::ceil<milliseconds>(next - Clock::now());
      epoll_event events[256];
      const int count =
          ::epoll_wait(epoll_, events, 256, static_cast<int>(std::max<long>(0, wait.count())));
      for (int i = 0; i < count; ++i) {
        static_cast<Peer*>(events[i].data.ptr)->on_event(events[i].events);
      }
      while (!timers_.empty() && timers_.top().first <= Clock::now()) {
        Peer* const peer = timers_.top().second;
        timers_.pop();
        peer->on_timer();
      }
    }
  }
  void ignore(Peer& peer) { ::epoll_ctl(epoll_, EPOLL_CTL_DEL, peer.fd, nullptr); }

  Seen seen;

 private:
  using Timer = std::pair<Clock::time_point, Peer*>;
  const std::uint16_t port_;
  const int epoll_;
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
};

bool send_all(int fd, const std::string& text) {
  return ::send(fd, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
}

/// Asks, reads the whole answer, thinks, and asks again on the same connection.
class Caller : public Peer {
 public:
  Caller(Load& load, const std::string& submit) : load_(load), submit_(submit) {
    load_.connect(*this);
    load_.after(milliseconds(random_between(0, 1000)), *this);
  }
  void on_timer() override {
    is_submit_ = !submit_.empty() && random_between(1, 20) == 1;
    std::string request;
    if (is_submit_) {
      request =
          "POST /api/jobs/command HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json"
          "\r\nContent-Length: " +
          std::to_string(submit_.size()) + "\r\n\r\n" + submit_;
    } else {
      static const char* const kPaths[] = {"/api/jobs/recent?limit=20", "/api/jobs/recent?limit=50",
                                           "/api/job-types", "/api/version", "/healthz"};
      std::string path = kPaths[random_between(0, 4)];
      if (!job_.empty() && random_between(0, 1) == 0) path = "/api/jobs/" + job_;
      request = "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
    }
    begun_ = Clock::now();
    answer_.clear();
    is_waiting_ = true;
    if (!send_all(fd, request)) load_.error("send");
  }
  void on_event(unsigned) override {
    char buffer[65536];
    const ssize_t got = ::recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
      if (is_waiting_) load_.error(got == 0 ? "closed instead of an answer" : std::strerror(errno));
      is_waiting_ = false;
      load_.connect(*this);
      load_.after(milliseconds(100), *this);
      return;
    }
    answer_.append(buffer, static_cast<std::size_t>(got));
    const std::size_t head = answer_.find("\r\n\r\n");
    if (head == std::string::npos) return;
    const std::size_t field = answer_.find("Content-Length: ");
    if (field > head) return load_.error("no length");
    const std::size_t length = std::strtoul(answer_.c_str() + field + 16, nullptr, 10);
    if (answer_.size() < head + 4 + length) return;
    is_waiting_ = false;
    const double ms = std::chrono::duration<double, std::milli>(Clock::now() - begun_).count();
    (is_submit_ ? load_.seen.submit_ms : load_.seen.read_ms).push_back(ms);
    const std::string status = answer_.substr(9, 3);
    if (status != (is_submit_ ? "201" : "200")) load_.error("status " + status);
    if (answer_.size() != head + 4 + length) load_.error("more than one answer");
    if (is_submit_) {
      if (const std::size_t id = answer_.find("\"job_id\":\"", head); id != std::string::npos) {
        job_ = answer_.substr(id + 10, answer_.find('"', id + 10) - id - 10);
      }
    }
    load_.after(milliseconds(random_between(50, 150)), *this);
  }

 private:
  Load& load_;
  const std::string& submit_;
  std::string answer_, job_;
  Clock::time_point begun_;
  bool is_submit_ = false, is_waiting_ = false;
};

/// An event stream that is read, or that is not.
class Listener : public Peer {
 public:
  Listener(Load& load, const std::string& path, bool deaf) : load_(load), path_(path) {
    load_.connect(*this, deaf ? 4096 : 0);
    if (deaf) load_.ignore(*this);
    const std::string request =
        "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
    if (!send_all(fd, request)) load_.error("send");
  }
  void on_event(unsigned) override {
    char buffer[65536];
    const ssize_t got = ::recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
      if (!is_over_) load_.error("a stream was closed");
      load_.ignore(*this);
      return;
    }
    bytes_ += got;
    rest_.append(buffer, static_cast<std::size_t>(got));
    std::size_t at = 0;
    for (std::size_t end; (end = rest_.find('\n', at)) != std::string::npos; at = end + 1) {
      read_line(std::string_view(rest_).substr(at, end - at));
    }
    rest_.erase(0, at);
  }

  const std::string& path() const { return path_; }
  long events() const { return events_; }
  long bytes() const { return bytes_; }
  bool is_over() const { return is_over_; }
  const std::string& last_id() const { return last_id_; }

 private:
  void read_line(std::string_view line) {
    if (line.starts_with("HTTP/1.1 ") && !line.starts_with("HTTP/1.1 200")) {
      load_.error("stream: " + std::string(line));
    } else if (line.starts_with("id: ")) {
      const std::string id(line.substr(4));
      const std::size_t dash = id.find('-');
      if (dash != std::string::npos) {  // START-NUMBER: the next one, each time
        const long number = std::strtol(id.c_str() + dash + 1, nullptr, 10);
        if (number_ >= 0 && number != number_ + 1) load_.error("a gap between events");
        number_ = number;
      }
      last_id_ = id;
    } else if (line.starts_with("data: {\"text\":")) {
      // Bytes of the text: the log is ASCII, so an escape stands for one.
      const std::string_view text = line.substr(15, line.size() - 17);
      text_ += static_cast<long>(text.size()) - std::count(text.begin(), text.end(), '\\');
      if (std::to_string(text_) != last_id_) load_.error("text that is missing or doubled");
      ++events_;
    } else if (line.starts_with("event: reset")) {
      load_.error("a reset");
    } else if (line.starts_with("event: end")) {
      is_over_ = true;
    } else if (line.starts_with("data:")) {
      ++events_;
    }
  }

  Load& load_;
  const std::string path_;
  std::string rest_, last_id_;
  long events_ = 0, bytes_ = 0, number_ = -1, text_ = 0;
  bool is_over_ = false;
};

/// Never finishes its request; comes back when it is thrown out.
class Loris : public Peer {
 public:
  explicit Loris(Load& load) : load_(load) {
    load_.connect(*this);
    load_.after(milliseconds(random_between(0, 500)), *this);
  }
  void on_timer() override {
    static const std::string kRequest =
        "GET /api/jobs/recent HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";
    const char next = at_ < kRequest.size() ? kRequest[at_++] : 'x';
    (void)!::send(fd, &next, 1, MSG_NOSIGNAL);
    load_.after(milliseconds(500), *this);
  }
  void on_event(unsigned) override {
    char buffer[4096];
    if (::recv(fd, buffer, sizeof buffer, MSG_DONTWAIT) > 0) return;  // a 408
    ++load_.seen.loris_closed;
    at_ = 0;
    load_.connect(*this);
  }

 private:
  Load& load_;
  std::size_t at_ = 0;
};

json::object summary(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  const auto at = [&](double part) {
    return times.empty()
               ? 0
               : times[static_cast<std::size_t>(part * static_cast<double>(times.size() - 1))];
  };
  return {{"count", times.size()}, {"p50", at(0.5)}, {"p99", at(0.99)}, {"max", at(1)}};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);

  Load load(static_cast<std::uint16_t>(std::atoi(argv[1])));
  const auto seconds = std::chrono::seconds(std::atoi(argv[2]));
  int callers = 0, deaf = 0, lorises = 0;
  std::string submit;
  std::vector<std::pair<std::string, int>> streams;
  for (int i = 3; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--callers") callers = std::atoi(argv[i + 1]);
    if (name == "--deaf") deaf = std::atoi(argv[i + 1]);
    if (name == "--loris") lorises = std::atoi(argv[i + 1]);
    if (name == "--submit") submit = argv[i + 1];
    if (name == "--listen" && i + 2 < argc) {
      streams.emplace_back(argv[i + 1], std::atoi(argv[i + 2]));
      ++i;
    }
  }

  std::vector<std::unique_ptr<Peer>> peers;
  std::vector<Listener*> listeners;
  for (const auto& [path, count] : streams) {
    for (int i = 0; i < count; ++i) {
      auto one = std::make_unique<Listener>(load, path, i < deaf);
      if (i >= deaf) listeners.push_back(one.get());
      peers.push_back(std::move(one));
    }
  }
  for (int i = 0; i < lorises; ++i) peers.push_back(std::make_unique<Loris>(load));
  for (int i = 0; i < callers; ++i) peers.push_back(std::make_unique<Caller>(load, submit));
  std::printf("ready\n");
  std::fflush(stdout);
  load.run_until(Clock::now() + seconds);

  json::array heard;
  for (const auto& [path, count] : streams) {
    json::object one{{"path", path}};
    std::vector<long> events, bytes;
    std::set<std::string> last_ids;
    long over = 0;
    for (const Listener* listener : listeners) {
      if (listener->path() != path) continue;
      events.push_back(listener->events());
      bytes.push_back(listener->bytes());
      last_ids.insert(listener->last_id());
      over += listener->is_over() ? 1 : 0;
    }
    if (!events.empty()) {
      one["listeners"] = events.size();
      one["events_min"] = *std::min_element(events.begin(), events.end());
      one["events_max"] = *std::max_element(events.begin(), events.end());
      one["bytes_min"] = *std::min_element(bytes.begin(), bytes.end());
      one["bytes_max"] = *std::max_element(bytes.begin(), bytes.end());
      one["over"] = over;
      one["last_ids"] = json::array(last_ids.begin(), last_ids.end());
    }
    heard.push_back(std::move(one));
  }
  json::object errors;
  for (const auto& [what, count] : load.seen.errors) errors[what] = count;
  std::puts(json::serialize(json::object{{"reads", summary(load.seen.read_ms)},
                                         {"submits", summary(load.seen.submit_ms)},
                                         {"errors", std::move(errors)},
                                         {"streams", std::move(heard)},
                                         {"loris_closed", load.seen.loris_closed}})
                .c_str());
  return 0;
}
