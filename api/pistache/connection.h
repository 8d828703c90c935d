#pragma once

#include <pistache/http.h>

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "api/pistache/request_reader.h"

namespace runyard::http {

/// `application/problem+json` for `status`; `detail` is a constant sentence of this folder.
std::string problem_document(Pistache::Http::Code status, std::string_view detail);

/// What is known of one client's connection: the request being read, the answer being written, and
/// who may touch the socket. The library keeps a parser with each peer and asks it for timeouts;
/// this class stands in for that parser, so it lives and dies with the peer.
///
/// Invariants: one request at a time (nothing is read while an answer is due, so pipelined requests
/// wait in the socket and a half-closed client still gets its answer); an answer is kept with its
/// connection, never with a descriptor number; the socket is used by answering threads only under
/// the lock and before `close`.
///
/// Threads: the worker that the library chose for the peer calls everything; `answer`, `take_over`
/// and `is_head` may be called by any thread.
class Connection : public Pistache::Http::RequestParser {
 public:
  /// What the worker does with the socket next.
  enum class Phase {
    kReading,    // reads a request
    kAnswering,  // a handler has the request
    kSending,    // the answer is partly written
    kClosing,    // answered for the last time and shut down; what still comes in is dropped
    kTaken,      // somebody else has the socket
    kGone        // the client is gone, or the peer is removed
  };

  Connection(int fd, std::size_t max_body, Pistache::Tcp::Transport* transport);
  ~Connection() override;

  static Connection& of(const std::shared_ptr<Pistache::Tcp::Peer>& peer);

  // --- the worker thread ---

  RequestReader& reader() { return reader_; }
  Phase phase() const;
  /// A handler gets the request now, in this thread.
  void begin_answer(bool is_head, bool keep_alive);
  /// The handler has returned; with `failed`, by an exception: answers 500 unless it has answered
  /// already, and closes the connection in both cases.
  void end_handler(bool failed);
  /// Answers a request that never became one, then closes.
  void refuse(const Refusal& refusal);
  void send_continue();
  /// Writes on. True when nothing is left to write.
  bool flush();
  /// Counts bytes that come in while closing; too many end the connection at once.
  void drop_input(std::size_t size);
  /// Restarts the clock of the library's timeouts when what we wait for has changed.
  void update_clock(Pistache::Tcp::Peer& peer);
  /// The peer is removed and its descriptor closed: no thread touches it from here on.
  void close();

  // --- any thread ---

  bool is_head() const;
  /// Hands in the answer to the current request, head without the Connection field and the empty
  /// line. False when no answer is due: the client is gone or was answered before. `is_timeout`:
  /// the library's own 408, the only answer without a request.
  bool answer(std::string head, std::string_view body, bool close_after, bool is_timeout);
  int take_over();

 private:
  enum class Wait { kNew, kNothing, kHead, kBody, kAnswer, kClose };

  void send(std::string_view head, std::string_view body);
  void sent();
  void leave_for(Phase next);
  void wake_worker(std::unique_lock<std::mutex> held);

  RequestReader reader_;
  Pistache::Tcp::Transport* const transport_;
  const int fd_;
  Wait wait_ = Wait::kNew;
  std::size_t dropped_ = 0;

  mutable std::mutex mutex_;  // guards what follows, and the use of fd_
  Phase phase_ = Phase::kReading;
  bool is_head_ = false;
  bool keep_alive_ = false;
  std::string unsent_;
  std::size_t unsent_from_ = 0;
  std::thread::id handling_thread_;  // set while a handler runs below `onInput`
};

}  // namespace runyard::http
