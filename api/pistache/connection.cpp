#include "api/pistache/connection.h"

#include <fcntl.h>
#include <pistache/peer.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <atomic>
#include <cerrno>

#include "api/pistache/http_layer.h"
#include "api/status_title.h"

#include "api/status_title.h"

namespace runyard::http {
namespace {

constexpr std::size_t kMaxDropped = 8UL * 1024 * 1024;
constexpr std::size_t kBodyStep = 2;  // the library's steps: request line, headers, body

std::atomic<int> g_in_flight{0};
std::atomic<bool> g_closes_after_answers{false};

}  // namespace

Connection::Connection(int fd, std::size_t max_body, Pistache::Tcp::Transport* transport)
    : Pistache::Http::RequestParser(max_body), reader_(max_body), transport_(transport), fd_(fd) {}

Connection::~Connection() { close(); }

Connection& Connection::of(const std::shared_ptr<Pistache::Tcp::Peer>& peer) {
  return static_cast<Connection&>(*Pistache::Http::Handler::getParser(peer));
}

Connection::Phase Connection::phase() const {
  const std::lock_guard lock(mutex_);
  return phase_;
}

void Connection::begin_answer(bool is_head, bool keep_alive) {
  const std::lock_guard lock(mutex_);
  phase_ = Phase::kAnswering;
  is_head_ = is_head;
  keep_alive_ = keep_alive;
  handling_thread_ = std::this_thread::get_id();
  ++g_in_flight;
}

void Connection::end_handler(bool failed) {
  if (failed) {
    const Pistache::Http::Code code = Pistache::Http::Code::Internal_Server_Error;
    refuse({static_cast<int>(code), "The server failed on this request. Its log says why."});
  }
  const std::lock_guard lock(mutex_);
  handling_thread_ = {};
}

void Connection::refuse(const Refusal& refusal) {
  const std::lock_guard lock(mutex_);
  keep_alive_ = false;
  if (phase_ == Phase::kReading && handling_thread_ == std::this_thread::get_id()) {
    sent();  // a handler that answered and failed then: only close
  } else if (phase_ == Phase::kReading || phase_ == Phase::kAnswering) {
    const auto code = static_cast<Pistache::Http::Code>(refusal.status);
    const std::string body = problem_document(code, refusal.detail);
    send("HTTP/1.1 " + std::to_string(refusal.status) + ' ' + Pistache::Http::codeString(code) +
             "\r\nContent-Type: application/problem+json\r\nContent-Length: " +
             std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n",
         is_head_ && phase_ == Phase::kAnswering ? std::string_view() : body);
  }
}

void Connection::send_continue() {
  const std::lock_guard lock(mutex_);
  constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  // Nothing else is on its way, so a socket that cannot take these few bytes is broken anyhow.
  (void)::send(fd_, kContinue.data(), kContinue.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool Connection::flush() {
  const std::lock_guard lock(mutex_);
  if (phase_ == Phase::kSending) send(std::string_view(unsent_).substr(unsent_from_), {});
  return phase_ != Phase::kSending;
}

void Connection::drop_input(std::size_t size) {
  dropped_ += size;
  const std::lock_guard lock(mutex_);
  if (dropped_ > kMaxDropped) leave_for(Phase::kGone);
}

void Connection::update_clock(Pistache::Tcp::Peer& peer) {
  Wait wait = Wait::kAnswer;
  switch (phase()) {
    case Phase::kReading:
      wait = reader_.is_empty() ? Wait::kNothing : reader_.is_in_body() ? Wait::kBody : Wait::kHead;
      break;
    case Phase::kClosing:
      wait = Wait::kClose;
      break;
    default:
      break;
  }
  if (wait == wait_) return;
  wait_ = wait;
  reset();
  if (wait == Wait::kBody) currentStep = kBodyStep;
  // For the library an idle peer has the keep-alive time and is then closed without a word; any
  // other has the header or body time and gets a 408. A late answer must never meet a 408.
  peer.setIdle(wait == Wait::kNothing || wait == Wait::kAnswer);
}

void Connection::close() {
  const std::lock_guard lock(mutex_);
  leave_for(Phase::kGone);
}

bool Connection::is_head() const {
  const std::lock_guard lock(mutex_);
  return is_head_ && phase_ == Phase::kAnswering;
}

bool Connection::answer(std::string head, std::string_view body, bool close_after,
                        bool is_timeout) {
  std::unique_lock lock(mutex_);
  if (phase_ == Phase::kReading && is_timeout) {
    keep_alive_ = false;
  } else if (phase_ != Phase::kAnswering) {
    return false;
  }
  if (close_after || g_closes_after_answers) keep_alive_ = false;
  head += keep_alive_ ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
  send(head, body);
  wake_worker(std::move(lock));
  return true;
}

int Connection::take_over() {
  std::unique_lock lock(mutex_);
  if (phase_ != Phase::kAnswering) return -1;
  const int fd = ::fcntl(fd_, F_DUPFD_CLOEXEC, 3);
  if (fd < 0) return -1;
  leave_for(Phase::kTaken);
  wake_worker(std::move(lock));
  return fd;
}

/// Writes what the socket takes and keeps the rest, which may be a part of `unsent_` itself.
void Connection::send(std::string_view head, std::string_view body) {
  for (;;) {
    iovec parts[2] = {{const_cast<char*>(head.data()), head.size()},
                      {const_cast<char*>(body.data()), body.size()}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    const ssize_t count = ::sendmsg(fd_, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK) return leave_for(Phase::kGone);
    if (count < 0) break;
    const auto written = static_cast<std::size_t>(count);
    const std::size_t of_head = std::min(written, head.size());
    head.remove_prefix(of_head);
    body.remove_prefix(written - of_head);
    if (head.empty() && body.empty()) return sent();
  }
  if (phase_ == Phase::kSending) {
    unsent_from_ = unsent_.size() - head.size();
    return;
  }
  unsent_.reserve(head.size() + body.size());
  unsent_.append(head).append(body);
  unsent_from_ = 0;
  if (phase_ == Phase::kReading) ++g_in_flight;  // a refusal: counted while it is being written
  phase_ = Phase::kSending;
}

void Connection::sent() {
  if (!keep_alive_) ::shutdown(fd_, SHUT_WR);
  leave_for(keep_alive_ ? Phase::kReading : Phase::kClosing);
}

void Connection::leave_for(Phase next) {
  if (phase_ == Phase::kAnswering || phase_ == Phase::kSending) --g_in_flight;
  phase_ = next;
  unsent_ = {};
  unsent_from_ = 0;
}

/// The worker goes on with the connection by itself when it is the one that ran the handler; any
/// other thread must call it. The empty write only carries the descriptor's number: if that belongs
/// to another client by then, that client's connection gets a turn for nothing.
void Connection::wake_worker(std::unique_lock<std::mutex> held) {
  const bool is_handling = handling_thread_ == std::this_thread::get_id();
  held.unlock();
  if (!is_handling) transport_->asyncWrite(fd_, Pistache::RawBuffer());
}

int take_over(const Pistache::Http::ResponseWriter& writer) {
  const auto peer = writer.getPeer();
  return peer ? Connection::of(peer).take_over() : -1;
}

int requests_in_flight() { return g_in_flight; }

void close_after_answers() { g_closes_after_answers = true; }

std::string problem_document(Pistache::Http::Code status, std::string_view detail) {
  std::string text = R"({"type":"about:blank","title":")";
  text += status_title(static_cast<int>(status));
  text += R"(","status":)" + std::to_string(static_cast<int>(status)) + R"(,"detail":")";
  text += detail;
  return text += R"("})";
}

}  // namespace runyard::http
