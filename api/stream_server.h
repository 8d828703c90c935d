#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "api/http.h"
#include "api/stream.h"

namespace runyard {

/// Sends what is long or never ends, on sockets that were taken over from Pistache: parts of files
/// by sendfile, and event streams. One thread for all; memory for each client is constant. A client
/// that does not read costs nobody anything: it catches up when it reads again, and is given up
/// when nothing could be sent for `stall_limit`. Owned by whoever runs the HTTP server, which it
/// must outlive; all but the constructor and the destructor may be called by any thread.
///
/// Invariants: a client is in one of these states: to be run (in `ready_`), waiting for its socket,
/// waiting for its channel, or lingering after its last byte. What the mutex does not guard is the
/// stream thread's.
class StreamServer {
 public:
  struct Options {
    int max_streams = 5000;            ///< event streams at once
    int max_streams_per_client = 500;  ///< of one client, as admit() names it
    std::chrono::milliseconds heartbeat = std::chrono::seconds(15);
    std::chrono::milliseconds stall_limit = std::chrono::seconds(60);
  };
  explicit StreamServer(Options options);
  StreamServer() : StreamServer(Options{}) {}
  /// Drops what is still being sent.
  ~StreamServer();
  StreamServer(const StreamServer&) = delete;
  StreamServer& operator=(const StreamServer&) = delete;

  /// The right to have one more stream, given back when it is destroyed.
  class Place {
   public:
    Place(Place&& other) noexcept;
    Place& operator=(Place&&) = delete;
    ~Place();

   private:
    friend class StreamServer;
    Place(StreamServer& server, std::string client)
        : server_(&server), client_(std::move(client)) {}
    StreamServer* server_;
    std::string client_;
  };
  /// kUnavailable, with a sentence, when there are too many streams, of this client or in all, or
  /// the server stops. An empty `client` (somebody on this machine) has no limit of its own.
  Result<Place> admit(const std::string& client);

  /// Sends `head` and the part of the file, then closes. Owns `socket`, which is non-blocking.
  void send(UniqueFd socket, std::string head, FileBody body);
  /// Sends `head` and the stream's events, until it ends or the client goes.
  void send(UniqueFd socket, std::string head, EventStream stream, Place place);

  std::shared_ptr<StreamChannel> make_channel();

  /// For timers and watches of sources and their channels; its only thread is the stream thread.
  boost::asio::io_context& context() { return io_; }

  /// Streams that are open.
  int streams() const;
  /// Sockets that are held, streams or not.
  int sockets() const { return sockets_; }

  /// Files are sent to their end; streams get what is on its way and an `event: shutdown`, and are
  /// closed. After `limit` what is left is dropped. Then the thread has ended: no source is used
  /// any more. Idempotent.
  void stop(std::chrono::milliseconds limit);

 private:
  class Client;
  class Channel;
  using Clock = std::chrono::steady_clock;

  void add(std::shared_ptr<Client> client, bool is_stream);
  void remove(Client& client);
  void note_done(Client& client);
  void make_ready(std::shared_ptr<Client> client);
  void make_ready(std::shared_ptr<Channel> channel);
  struct Ready {
    std::shared_ptr<Client> client;
    std::shared_ptr<Channel> channel;  // the end of its round
  };
  void push_ready(Ready ready);
  void run_ready();
  void schedule_look();
  std::vector<std::shared_ptr<Client>> all() const;

  const Options options_;
  const std::chrono::milliseconds look_every_;
  // Before `io_`, whose handlers may be the last to hold a Place.
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable all_finished_;
  std::unordered_map<std::string, int> places_;
  int places_taken_ = 0;
  int unfinished_ = 0;  // sockets whose last byte is not with the kernel
  bool stopping_ = false;
  bool has_ended_ = false;

  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  boost::asio::steady_timer look_;  // one for all: heartbeats, and clients to give up
  std::unordered_map<Client*, std::shared_ptr<Client>> clients_;
  std::deque<Ready> ready_;
  bool is_run_posted_ = false;
  bool closes_ = false;
  std::atomic<int> sockets_ = 0;

  std::thread thread_;
};

}  // namespace runyard
