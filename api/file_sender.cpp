#include "api/file_sender.h"

#include <sys/sendfile.h>
#include <sys/socket.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>

namespace runyard {
namespace {

constexpr auto kIdleLimit = std::chrono::seconds(60);
constexpr std::int64_t kPiece = 256 * 1024;  // at once, so that all clients get their turn

}  // namespace

/// One answer on its way.
class FileSender::Transfer : public std::enable_shared_from_this<Transfer> {
 public:
  Transfer(boost::asio::io_context& io, UniqueFd socket, std::string head, FileBody body)
      : socket_(io, socket.release()), idle_(io), head_(std::move(head)), body_(std::move(body)) {}

  void step() {
    const int fd = socket_.native_handle();
    while (head_sent_ < head_.size()) {
      const ssize_t sent =
          ::send(fd, head_.data() + head_sent_, head_.size() - head_sent_, MSG_NOSIGNAL | MSG_MORE);
      if (sent < 0) return wait_or_end();
      head_sent_ += static_cast<std::size_t>(sent);
    }
    off_t offset = body_.offset;
    if (body_.size > 0) {
      const ssize_t sent = ::sendfile(fd, body_.fd.get(), &offset,
                                      static_cast<std::size_t>(std::min(kPiece, body_.size)));
      if (sent < 0) return wait_or_end();
      if (sent == 0) return end();  // the file has shrunk: the client sees a short body
      body_.offset = offset;
      body_.size -= sent;
    }
    if (body_.size > 0) return wait();
    ::shutdown(fd, SHUT_WR);
    end();
  }

 private:
  void wait_or_end() {
    if (errno == EAGAIN || errno == EINTR) {
      wait();
    } else {
      end();
    }
  }

  void wait() {
    idle_.expires_after(kIdleLimit);
    idle_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
      if (!error) self->end();
    });
    socket_.async_wait(boost::asio::posix::stream_descriptor::wait_write,
                       [self = shared_from_this()](const boost::system::error_code& error) {
                         if (!error) self->step();
                       });
  }

  void end() {
    idle_.cancel();
    boost::system::error_code ignored;
    socket_.close(ignored);
  }

  boost::asio::posix::stream_descriptor socket_;
  boost::asio::steady_timer idle_;
  const std::string head_;
  std::size_t head_sent_ = 0;
  FileBody body_;
};

FileSender::FileSender() : work_(io_.get_executor()), thread_([this] { io_.run(); }) {}

FileSender::~FileSender() {
  io_.stop();
  thread_.join();
}

void FileSender::send(UniqueFd socket, std::string head, FileBody body) {
  auto transfer =
      std::make_shared<Transfer>(io_, std::move(socket), std::move(head), std::move(body));
  boost::asio::post(io_, [transfer] { transfer->step(); });
}

}  // namespace runyard
