#include "core/log/log_follower.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <boost/asio/post.hpp>
#include <cerrno>

namespace runyard {
namespace {

constexpr int kPauseMs = 100;
constexpr int kPollMs = 1000;
constexpr int kPiecesAtOnce = 4;

}  // namespace

LogFollower::LogFollower(boost::asio::io_context& engine, FileWatcher& watcher,
                         std::filesystem::path file, std::unique_ptr<LogScanner> scanner,
                         std::int64_t offset, Changed changed)
    : engine_(engine),
      watcher_(watcher),
      file_(std::move(file)),
      scanner_(std::move(scanner)),
      changed_(std::move(changed)),
      timer_(engine),
      offset_(offset) {}

LogFollower::~LogFollower() {
  if (watch_ >= 0) watcher_.remove(watch_);
}

void LogFollower::start(bool watch) {
  fd_ = UniqueFd(::open(file_.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  may_watch_ = watch;
  this->watch();
  schedule(0);
}

void LogFollower::watch() {
  if (!may_watch_) return;
  watch_ = watcher_.add(file_, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->watch_ = -1;
    if (!self->scheduled_) self->schedule(kPauseMs);
  });
}

void LogFollower::stop() {
  stopped_ = true;
  finished_ = nullptr;
  timer_.cancel();
  if (watch_ >= 0) watcher_.remove(std::exchange(watch_, -1));
}

void LogFollower::finish(std::function<void()> done) {
  finished_ = std::move(done);
  timer_.cancel();
  scheduled_ = false;
  schedule(0);
}

void LogFollower::schedule(int delay_ms) {
  scheduled_ = true;
  auto read = [weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (error || !self || self->stopped_) return;
    self->scheduled_ = false;
    self->read_some();
  };
  if (delay_ms == 0) {
    return boost::asio::post(engine_, [read] { read({}); });
  }
  timer_.expires_after(std::chrono::milliseconds(delay_ms));
  timer_.async_wait(read);
}

void LogFollower::read_some() {
  static thread_local std::array<char, 64 * 1024> buffer;
  bool grew = false, found = false, at_end = false;
  for (int piece = 0; piece < kPiecesAtOnce && !at_end; ++piece) {
    const ssize_t got = fd_ ? ::pread(fd_.get(), buffer.data(), buffer.size(), offset_) : 0;
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      at_end = true;
      break;
    }
    grew = true;
    offset_ += got;
    found |= scanner_->feed({buffer.data(), static_cast<std::size_t>(got)}, now_ms());
  }
  if (at_end && finished_) {
    found |= scanner_->finish(now_ms());
    const auto done = std::move(finished_);
    stop();
    if (grew || found) changed_(found);
    return done();
  }
  if (grew) changed_(found);
  if (stopped_) return;
  if (!at_end) return schedule(0);
  if (grew) return schedule(kPauseMs);
  if (watch_ >= 0) return;
  watch();
  schedule(watch_ >= 0 ? 0 : kPollMs);  // what was written before the watch
}

}  // namespace runyard
