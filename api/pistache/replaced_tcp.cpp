// Members of Pistache's TCP layer, defined here in the place of the library's own. README.md in
// this folder explains how that works and lists the defects (D1 to D11) that the comments name.

#include <pistache/errors.h>
#include <pistache/listener.h>
#include <pistache/peer.h>
#include <pistache/transport.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "api/pistache/connection.h"

using runyard::http::Connection;
using Phase = Connection::Phase;

namespace {

constexpr int kReadsPerTurn = 16;
constexpr std::size_t kReadSize = 16UL * 1024;

/// Empties an eventfd, so that a signal given from here on is a new event.
void clear_event(Pistache::Polling::Tag tag) {
  std::uint64_t count = 0;
  (void)!::read(static_cast<int>(tag.value()), &count, sizeof count);
}

}  // namespace

namespace Pistache::Tcp {

/// One turn of a connection on its worker: writes what is left, then reads and handles what is
/// there, then says what it waits for. Called for every event of the socket. D9: a client that
/// half-closes is answered, because nothing is read while an answer is due, so the end of its input
/// is seen afterwards. D4: a client that does not read costs no turn until its socket takes more.
/// The library handles a socket that is both readable and writable as readable only, so both are
/// done here.
void Transport::handleIncoming(const std::shared_ptr<Peer>& known) {
  // `known` may be the entry of `peers` that removePeer deletes.
  const std::shared_ptr<Peer> peer = known;  // NOLINT(performance-unnecessary-copy-initialization)
  Connection& connection = Connection::of(peer);
  const Fd fd = peer->fd();
  bool is_open = true;
  if (connection.flush() && !connection.reader().is_empty()) {
    handler_->onInput("", 0, peer);  // requests that came together with the one just answered
  }
  std::array<char, kReadSize> buffer;
  for (int reads = 0; is_open; ++reads) {
    const Phase phase = connection.phase();
    if (phase != Phase::kReading && phase != Phase::kClosing) break;
    if (reads == kReadsPerTurn) {  // others wait: report this socket again
      reactor()->modifyFd(key(), fd, Polling::NotifyOn::Read, Polling::Mode::Edge);
      break;
    }
    const ssize_t count = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (count > 0) {
      handler_->onInput(buffer.data(), static_cast<size_t>(count), peer);
    } else if (count == 0 || errno != EINTR) {
      is_open = count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
      break;
    }
  }
  const Phase phase = connection.phase();
  if (!is_open || phase == Phase::kTaken || phase == Phase::kGone) {
    handlePeerDisconnection(peer);
    return;
  }
  connection.update_clock(*peer);
  if (phase == Phase::kSending) {
    {
      const Guard guard(toWriteLock);
      toWrite[fd];  // the library takes a writable socket without an entry for an internal error
    }
    reactor()->modifyFd(key(), fd, Polling::NotifyOn::Read | Polling::NotifyOn::Write,
                        Polling::Mode::Edge);
  }
}

/// The socket takes bytes again. D1, D4: what to write is kept with the connection and not looked
/// up by descriptor number, and one attempt is made for each event.
void Transport::asyncWriteImpl(Fd fd) {
  const auto peer = peers.find(fd);
  if (peer != peers.end()) handleIncoming(peer->second);
}

/// Connections that another thread has answered get a turn. The library clears the event after it
/// has looked at the queue and so can lose an entry that is pushed in between (D12); clearing it
/// first cannot. The same holds for handlePeerQueue.
void Transport::handleWriteQueue(bool /*flush*/) {
  clear_event(writesQueue.tag());
  for (;;) {
    const std::unique_ptr<Queue<WriteEntry>::Entry> entry(writesQueue.Queue<WriteEntry>::pop());
    if (!entry) return;
    const Fd fd = entry->data().peerFd;
    entry->data().~WriteEntry();
    asyncWriteImpl(fd);
  }
}

/// D12: a new connection is never forgotten.
void Transport::handlePeerQueue() {
  clear_event(peersQueue.tag());
  for (;;) {
    const std::unique_ptr<Queue<PeerEntry>::Entry> entry(peersQueue.Queue<PeerEntry>::pop());
    if (!entry) return;
    const PeerEntry accepted = std::move(entry->data());
    entry->data().~PeerEntry();
    handlePeer(accepted.peer);
  }
}

/// D1: forgets everything that is keyed by the descriptor's number and bars other threads from the
/// socket before the number can be used again. Removing twice does nothing.
void Transport::removePeer(const std::shared_ptr<Peer>& known) {
  const std::shared_ptr<Peer> peer = known;  // NOLINT(performance-unnecessary-copy-initialization)
  const Fd fd = peer->fd();
  const auto entry = peers.find(fd);
  if (entry == peers.end() || entry->second != peer) return;
  Connection::of(peer).close();
  peers.erase(entry);
  {
    const Guard guard(toWriteLock);
    toWrite.erase(fd);
  }
  reactor()->removeFd(key(), fd);
  ::close(fd);
}

/// D11: without a free descriptor the library tries again at once and for ever; this waits a little
/// between the attempts, so that the rest of the program gets on and can free some.
int Listener::acceptConnection(sockaddr_storage& peer_addr) const {
  socklen_t size = sizeof peer_addr;
  const int fd = ::accept4(listen_fd, reinterpret_cast<sockaddr*>(&peer_addr), &size, SOCK_CLOEXEC);
  if (fd >= 0) return fd;
  const int error = errno;
  if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  if (error == EBADF || error == ENOTSOCK) throw ServerError(std::strerror(error));
  throw SocketError(std::strerror(error));  // the accept loop goes on after this one
}

}  // namespace Pistache::Tcp
