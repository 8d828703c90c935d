#include "core/plugin/frame.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

namespace runyard {
namespace {

using Clock = std::chrono::steady_clock;

/// Waits until the socket is ready; false at the deadline.
bool wait_for(int fd, short events, Clock::time_point until) {
  for (;;) {
    int timeout = -1;
    if (until != Clock::time_point::max()) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
      if (left <= 0) return false;
      timeout = static_cast<int>(std::min<std::int64_t>(left, INT_MAX));
    }
    pollfd entry{fd, events, 0};
    const int ready = ::poll(&entry, 1, timeout);
    if (ready > 0 || (ready < 0 && errno != EINTR)) return true;  // errors show at the call
  }
}

/// Moves all bytes by `step` (send or recv, not blocking).
template <class Step>
FrameResult move_all(int fd, short events, std::size_t size, Clock::time_point until, Step step) {
  for (std::size_t done = 0; done < size;) {
    const ssize_t moved = step(done, size - done);
    if (moved > 0) {
      done += static_cast<std::size_t>(moved);
    } else if (moved == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
      return FrameResult::kClosed;
    } else if (errno != EINTR && !wait_for(fd, events, until)) {
      return FrameResult::kTimeout;
    }
  }
  return FrameResult::kDone;
}

FrameResult receive_bytes(int fd, char* data, std::size_t size, Clock::time_point until) {
  return move_all(fd, POLLIN, size, until, [&](std::size_t at, std::size_t left) {
    return ::recv(fd, data + at, left, MSG_DONTWAIT);
  });
}

}  // namespace

FrameResult send_frame(int fd, std::string_view message, Clock::time_point until) {
  const auto size = static_cast<std::uint32_t>(message.size());
  std::string bytes;
  bytes.reserve(message.size() + 4);
  for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(size >> shift & 0xFF);
  bytes += message;
  return move_all(fd, POLLOUT, bytes.size(), until, [&](std::size_t at, std::size_t left) {
    return ::send(fd, bytes.data() + at, left, MSG_DONTWAIT | MSG_NOSIGNAL);
  });
}

FrameResult receive_frame(int fd, std::string& message, Clock::time_point until) {
  std::array<char, 4> head{};
  if (const auto got = receive_bytes(fd, head.data(), head.size(), until);
      got != FrameResult::kDone) {
    return got;
  }
  std::uint32_t size = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    size |= static_cast<std::uint32_t>(static_cast<unsigned char>(head[i])) << (8 * i);
  }
  if (size > kMaxFrame) return FrameResult::kClosed;
  message.resize(size);
  return receive_bytes(fd, message.data(), size, until);
}

}  // namespace runyard
