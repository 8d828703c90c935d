#include "api/stream_server.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <spdlog/spdlog.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <unordered_set>
#include <utility>

namespace runyard {
namespace {

namespace asio = boost::asio;
using Descriptor = asio::posix::stream_descriptor;

constexpr std::size_t kTurn = 256UL * 1024;  // of one client, so that all get their turns
constexpr int kRunAtOnce = 64;               // then timers and sockets get theirs
constexpr int kUnsent = 64 * 1024;           // held by the kernel for a client that does not read
constexpr std::size_t kMaxInput = 64UL * 1024;
constexpr auto kLinger = std::chrono::seconds(2);

std::shared_ptr<const std::string> constant(const char* text) {
  return std::make_shared<const std::string>(text);
}

const std::string kOpening = "retry: 2000\n\n";
const auto kHeartbeat = constant(": \n\n");
const auto kFarewell = constant("retry: 2000\nevent: shutdown\ndata: {}\n\n");

}  // namespace

/// The listeners of a channel are in `idle_` while their sources have nothing for them.
class StreamServer::Channel : public StreamChannel, public std::enable_shared_from_this<Channel> {
 public:
  explicit Channel(StreamServer& server) : server_(server), pause_(server.io_) {}

  void wake() override {
    // A listener counts before it first asks: what is told before that, it asks for.
    if (listeners_ == 0 || woken_.exchange(true)) return;
    asio::post(server_.io_, [self = shared_from_this()] { self->begin_round(); });
  }

  void attach() { ++listeners_; }
  void detach() { --listeners_; }
  void add(Client& client) { idle_.insert(&client); }
  void remove(Client& client) { idle_.erase(&client); }

  void begin_round();
  /// All that were idle at the round's beginning have been asked.
  void end_round();

 private:
  StreamServer& server_;
  std::atomic<int> listeners_ = 0;
  std::atomic<bool> woken_ = false;
  // The stream thread's:
  std::unordered_set<Client*> idle_;
  asio::steady_timer pause_;
  Clock::time_point begun_;
  bool in_round_ = false;
};

/// One socket, and what is sent on it.
class StreamServer::Client : public std::enable_shared_from_this<Client> {
 public:
  Client(StreamServer& server, UniqueFd socket, std::string head);
  void set_file(FileBody body) { file_ = std::move(body); }
  void set_stream(EventStream stream, Place place);

  /// It is in the ready queue from here to run().
  void set_ready() { state_ = State::kReady; }
  /// From here on the end of a stream's client is seen, though it says nothing more.
  void wait_for_input();
  /// Sends what it can, one turn at most.
  void run();
  /// Now and then: a heartbeat, or the end of what takes too long.
  void look(Clock::time_point now);
  /// Closes. `abort`: what the kernel still holds for the client is of no use.
  void end(bool abort);

  /// An idle stream is asked again, though its channel is silent.
  void say_farewell();

 private:
  friend class StreamServer;
  enum class State { kReady, kBlocked, kIdle, kLingering, kEnded };
  enum class Sent { kSome, kBlocked, kFailed };

  Sent send_piece();
  Sent send_file();
  Sent sent(ssize_t count);
  bool take_piece();
  void wait_for_room();
  void read_input();
  void set_idle();
  void linger();
  void drop_contents();

  StreamServer& server_;
  Descriptor socket_;
  State state_ = State::kReady;
  bool is_last_ = false;        // no piece comes after this one
  bool is_input_over_ = false;  // the client has half-closed
  bool is_unfinished_ = true;   // counted by the server
  std::size_t input_ = 0;
  std::size_t turn_ = 0;                      // bytes left of this turn
  std::shared_ptr<const std::string> piece_;  // being sent; at first the head
  std::size_t piece_at_ = 0;
  std::optional<FileBody> file_;
  std::unique_ptr<StreamSource> source_;
  std::shared_ptr<Channel> channel_;
  std::optional<Place> place_;
  Clock::time_point progress_ = Clock::now();
};

void StreamServer::Channel::begin_round() {
  if (in_round_) return;  // its end looks at `woken_`
  in_round_ = true;
  woken_ = false;
  begun_ = Clock::now();
  const auto idle = std::exchange(idle_, {});
  for (Client* client : idle) server_.make_ready(client->shared_from_this());
  server_.make_ready(shared_from_this());
}

void StreamServer::Channel::end_round() {
  pause_.expires_after(Clock::now() - begun_);
  pause_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (error) return;
    self->in_round_ = false;
    if (self->woken_) self->begin_round();
  });
}

// ---- One client ----

StreamServer::Client::Client(StreamServer& server, UniqueFd socket, std::string head)
    : server_(server),
      socket_(server.io_),
      piece_(std::make_shared<const std::string>(std::move(head))) {
  boost::system::error_code error;
  socket_.assign(socket.get(), error);
  if (!error) socket.release();  // else the first write fails, and that is the end
}

void StreamServer::Client::set_stream(EventStream stream, Place place) {
  source_ = std::move(stream.source);
  channel_ = std::dynamic_pointer_cast<Channel>(stream.channel);
  if (channel_) channel_->attach();
  place_.emplace(std::move(place));
  // Best effort: the stall limit holds without them.
  const int fd = socket_.native_handle();
  const int stall = static_cast<int>(server_.options_.stall_limit.count());
  (void)::setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kUnsent, sizeof kUnsent);
  (void)::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &stall, sizeof stall);
}

StreamServer::Client::Sent StreamServer::Client::sent(ssize_t count) {
  if (count > 0) {
    progress_ = Clock::now();
    turn_ -= std::min(turn_, static_cast<std::size_t>(count));
    return Sent::kSome;
  }
  if (count < 0 && errno == EINTR) return Sent::kSome;
  return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? Sent::kBlocked : Sent::kFailed;
}

StreamServer::Client::Sent StreamServer::Client::send_piece() {
  const int more = file_ && file_->size > 0 ? MSG_MORE : 0;
  const ssize_t count = ::send(socket_.native_handle(), piece_->data() + piece_at_,
                               piece_->size() - piece_at_, MSG_NOSIGNAL | MSG_DONTWAIT | more);
  if (count > 0) piece_at_ += static_cast<std::size_t>(count);
  const Sent result = sent(count);
  if (piece_at_ == piece_->size()) piece_.reset();
  return result;
}

StreamServer::Client::Sent StreamServer::Client::send_file() {
  off_t offset = file_->offset;
  const ssize_t count = ::sendfile(socket_.native_handle(), file_->fd.get(), &offset,
                                   static_cast<std::size_t>(std::min<std::int64_t>(
                                       static_cast<std::int64_t>(kTurn), file_->size)));
  if (count > 0) {
    file_->offset = offset;
    file_->size -= count;
  }
  return sent(count);  // 0: the file has shrunk, and the client sees a short body
}

/// Asks the source. False when there is nothing to send now.
bool StreamServer::Client::take_piece() {
  StreamSource::Piece piece;
  if (server_.closes_) {
    piece = {kFarewell, true};
  } else {
    try {
      piece = source_->next();
    } catch (const std::exception& error) {
      spdlog::error("a stream failed: {}", error.what());
      piece.ends = true;
    }
  }
  is_last_ = piece.ends;
  piece_at_ = 0;
  if (piece.bytes && !piece.bytes->empty()) piece_ = std::move(piece.bytes);
  return piece_ || is_last_;
}

void StreamServer::Client::run() {
  if (state_ != State::kReady) return;
  turn_ = kTurn;
  while (turn_ > 0) {
    Sent result = Sent::kSome;
    if (piece_) {
      result = send_piece();
    } else if (file_ && file_->size > 0) {
      result = send_file();
    } else if (!source_ || is_last_) {
      return linger();
    } else if (!take_piece()) {
      return is_input_over_ ? end(false) : set_idle();
    }
    if (result == Sent::kFailed) return end(true);
    if (result == Sent::kBlocked) return wait_for_room();
  }
  server_.make_ready(shared_from_this());
}

void StreamServer::Client::set_idle() {
  state_ = State::kIdle;
  if (channel_) channel_->add(*this);
}

void StreamServer::Client::wait_for_room() {
  state_ = State::kBlocked;
  socket_.async_wait(Descriptor::wait_write,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       if (error || self->state_ != State::kBlocked) return;
                       self->server_.make_ready(self);
                     });
}

void StreamServer::Client::wait_for_input() {
  socket_.async_wait(Descriptor::wait_read,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       if (!error && self->state_ != State::kEnded) self->read_input();
                     });
}

void StreamServer::Client::read_input() {
  std::array<char, 4096> dropped;
  for (;;) {
    const ssize_t count =
        ::recv(socket_.native_handle(), dropped.data(), dropped.size(), MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return wait_for_input();
    if (count < 0) return end(true);
    if (count == 0) break;
    input_ += static_cast<std::size_t>(count);
    if (input_ > kMaxInput) return end(true);
  }
  // It may have half-closed: it still gets what is there now.
  is_input_over_ = true;
  if (state_ == State::kIdle || state_ == State::kLingering) end(false);
}

/// Closing a socket with unread input resets the connection, and the client may lose the end of
/// the answer: so say that it is over, and give the client a moment to close first.
void StreamServer::Client::linger() {
  ::shutdown(socket_.native_handle(), SHUT_WR);
  if (is_input_over_) return end(false);
  const bool reads_already = source_ != nullptr;
  state_ = State::kLingering;
  progress_ = Clock::now();
  drop_contents();
  if (!reads_already) wait_for_input();
}

void StreamServer::Client::look(Clock::time_point now) {
  const auto silent = now - progress_;
  if (state_ == State::kIdle && silent >= server_.options_.heartbeat - server_.look_every_) {
    if (channel_) channel_->remove(*this);
    piece_ = kHeartbeat;
    piece_at_ = 0;
    server_.make_ready(shared_from_this());
  } else if (state_ == State::kBlocked && silent >= server_.options_.stall_limit) {
    end(true);
  } else if (state_ == State::kLingering && silent >= kLinger) {
    end(false);
  }
}

void StreamServer::Client::end(bool abort) {
  if (state_ == State::kEnded) return;
  const auto self = shared_from_this();
  if (channel_) {
    channel_->remove(*this);
    channel_->detach();
  }
  state_ = State::kEnded;
  const int fd = socket_.native_handle();
  if (abort) {
    const struct ::linger at_once = {1, 0};
    (void)::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  ::shutdown(fd, SHUT_RDWR);  // the HTTP layer may not have closed its copy yet
  boost::system::error_code ignored;
  socket_.close(ignored);
  drop_contents();
  server_.remove(*this);
}

void StreamServer::Client::say_farewell() {
  if (state_ != State::kIdle) return;
  if (channel_) channel_->remove(*this);
  server_.make_ready(shared_from_this());
}

void StreamServer::Client::drop_contents() {
  piece_.reset();
  file_.reset();
  source_.reset();
  place_.reset();
  server_.note_done(*this);
}

// ---- The server ----

StreamServer::StreamServer(Options options)
    : options_(options),
      look_every_(std::min(options.heartbeat, options.stall_limit) / 3),
      work_(io_.get_executor()),
      look_(io_) {
  schedule_look();
  thread_ = std::thread([this] {
    for (;;) {
      try {
        io_.run();
        return;
      } catch (const std::exception& error) {
        spdlog::critical("the stream thread caught an exception: {}", error.what());
      }
    }
  });
}

StreamServer::~StreamServer() { stop(std::chrono::milliseconds(0)); }

StreamServer::Place::Place(Place&& other) noexcept
    : server_(std::exchange(other.server_, nullptr)), client_(std::move(other.client_)) {}

StreamServer::Place::~Place() {
  if (server_ == nullptr) return;
  const std::lock_guard lock(server_->mutex_);
  --server_->places_taken_;
  const auto entry = server_->places_.find(client_);
  if (entry != server_->places_.end() && --entry->second == 0) server_->places_.erase(entry);
}

Result<StreamServer::Place> StreamServer::admit(const std::string& client) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return make_error(ErrorKind::kUnavailable, "the server is stopping");
  if (places_taken_ >= options_.max_streams) {
    return make_error(ErrorKind::kUnavailable,
                      fmt::format("all of the {} streams of this server are in use; try again "
                                  "later, or raise 'server.max_streams'",
                                  options_.max_streams));
  }
  if (!client.empty()) {
    int& places = places_[client];
    if (places >= options_.max_streams_per_client) {
      return make_error(ErrorKind::kUnavailable,
                        fmt::format("you have {} streams open already; close some, or raise "
                                    "'server.max_streams_per_client'",
                                    places));
    }
    ++places;
  }
  ++places_taken_;
  return Place(*this, client);
}

int StreamServer::streams() const {
  const std::lock_guard lock(mutex_);
  return places_taken_;
}

void StreamServer::send(UniqueFd socket, std::string head, FileBody body) {
  auto client = std::make_shared<Client>(*this, std::move(socket), std::move(head));
  client->set_file(std::move(body));
  add(std::move(client), false);
}

void StreamServer::send(UniqueFd socket, std::string head, EventStream stream, Place place) {
  auto client = std::make_shared<Client>(*this, std::move(socket), head + kOpening);
  client->set_stream(std::move(stream), std::move(place));
  add(std::move(client), true);
}

std::shared_ptr<StreamChannel> StreamServer::make_channel() {
  return std::make_shared<Channel>(*this);
}

void StreamServer::add(std::shared_ptr<Client> client, bool is_stream) {
  const std::lock_guard lock(mutex_);
  if (has_ended_) return;  // a request that was answered at the last moment
  ++sockets_;
  ++unfinished_;
  asio::post(io_, [this, client = std::move(client), is_stream] {
    clients_.emplace(client.get(), client);
    if (is_stream) client->wait_for_input();
    make_ready(client);
  });
}

void StreamServer::note_done(Client& client) {
  if (!client.is_unfinished_) return;
  client.is_unfinished_ = false;
  const std::lock_guard lock(mutex_);
  if (--unfinished_ == 0) all_finished_.notify_all();
}

void StreamServer::remove(Client& client) {
  --sockets_;
  clients_.erase(&client);
}

void StreamServer::make_ready(std::shared_ptr<Client> client) {
  client->set_ready();
  push_ready({std::move(client), nullptr});
}

void StreamServer::make_ready(std::shared_ptr<Channel> channel) {
  push_ready({nullptr, std::move(channel)});
}

void StreamServer::push_ready(Ready ready) {
  ready_.push_back(std::move(ready));
  if (!std::exchange(is_run_posted_, true)) asio::post(io_, [this] { run_ready(); });
}

void StreamServer::run_ready() {
  is_run_posted_ = false;
  for (int count = 0; count < kRunAtOnce && !ready_.empty(); ++count) {
    const Ready next = std::move(ready_.front());
    ready_.pop_front();
    if (next.client) next.client->run();
    if (next.channel) next.channel->end_round();
  }
  if (!ready_.empty() && !std::exchange(is_run_posted_, true)) {
    asio::post(io_, [this] { run_ready(); });
  }
}

void StreamServer::schedule_look() {
  look_.expires_after(look_every_);
  look_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    const auto now = Clock::now();
    for (const auto& client : all()) client->look(now);
    schedule_look();
  });
}

/// A copy, because clients go while it is walked.
std::vector<std::shared_ptr<StreamServer::Client>> StreamServer::all() const {
  std::vector<std::shared_ptr<Client>> all;
  all.reserve(clients_.size());
  for (const auto& [key, client] : clients_) all.push_back(client);
  return all;
}

void StreamServer::stop(std::chrono::milliseconds limit) {
  if (!thread_.joinable()) return;
  {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    lock.unlock();
    asio::post(io_, [this] {
      closes_ = true;
      for (const auto& client : all()) client->say_farewell();
    });
    lock.lock();
    all_finished_.wait_for(lock, limit, [this] { return unfinished_ == 0; });
    has_ended_ = true;
  }
  asio::post(io_, [this] {
    for (const auto& client : all()) client->end(false);
    ready_.clear();
    io_.stop();
  });
  thread_.join();
}

}  // namespace runyard
