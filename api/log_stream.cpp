#include "api/log_stream.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/json.hpp>
#include <cerrno>
#include <deque>
#include <map>
#include <mutex>

#include "core/base/text.h"
#include "core/log/byte_scan.h"
#include "core/log/file_watcher.h"

namespace runyard {
namespace {

namespace json = boost::json;
using Clock = std::chrono::steady_clock;

constexpr std::int64_t kPiece =
    32 * 1024;                         // pieces end at multiples of it, so that they are shared
constexpr std::int64_t kLeast = 1024;  // but for those that would be shorter than this
constexpr std::int64_t kFurthest = INT64_MAX - 2 * kPiece;  // no log is so long
constexpr std::size_t kShared = 4;  // pieces that are kept for the next listener
constexpr auto kWakePause = std::chrono::milliseconds(20);
constexpr auto kTick = std::chrono::milliseconds(100);
constexpr int kTicksPerLook = 10;

/// A piece of a log as it is sent.
struct Encoded {
  std::int64_t begin = 0, end = 0;
  std::shared_ptr<const std::string> bytes;
};

std::string event_of(std::string_view text, std::int64_t end) {
  const json::string valid =
      is_ascii(text) ? json::string(text) : json::string(sanitize_utf8(text));
  return fmt::format("id: {}\ndata: {{\"text\":{}}}\n\n", end, json::serialize(valid));
}

/// One log and those who follow it. The stream thread's, but for the first two members, which stay
/// as they are.
struct Feed {
  std::string job_id;
  std::shared_ptr<StreamChannel> channel;

  int listeners = 0;
  UniqueFd log;
  std::filesystem::path path;  // of the log, once it is open
  int watch = -1;
  JobPtr last;           // the job when it had ended
  bool is_gone = false;  // it was removed
  std::int64_t seen_size = 0;
  Clock::time_point woken_at;
  std::shared_ptr<boost::asio::steady_timer> wake_timer;
  bool wakes_soon = false;
  std::deque<Encoded> shared;
};

}  // namespace

class LogStreams::Hub : public std::enable_shared_from_this<Hub> {
 public:
  Hub(JobService& service, StreamServer& streams)
      : service_(service), streams_(streams), ticks_(streams.context()) {}

  std::shared_ptr<Feed> feed_of(const std::string& job_id) {
    const std::lock_guard lock(mutex_);
    std::erase_if(feeds_, [](const auto& entry) { return entry.second.expired(); });
    auto feed = feeds_[job_id].lock();
    if (!feed) {
      feed = std::make_shared<Feed>();
      feed->job_id = job_id;
      feed->channel = streams_.make_channel();
      feeds_[job_id] = feed;
    }
    return feed;
  }

  void attach(const std::shared_ptr<Feed>& feed) {
    if (feed->listeners++ > 0) return;
    active_[feed->job_id] = feed;
    look_at_job(*feed);
    open_log(*feed);
    if (active_.size() == 1) schedule_tick();
  }

  void detach(const std::shared_ptr<Feed>& feed) {
    if (--feed->listeners > 0) return;
    if (feed->watch >= 0) watcher_->remove(std::exchange(feed->watch, -1));
    feed->log.reset();
    feed->shared.clear();
    active_.erase(feed->job_id);
  }

  /// What a listener at `offset` is sent next; no bytes when there is nothing now.
  Encoded read(Feed& feed, std::int64_t offset) {
    for (const Encoded& known : feed.shared) {
      if (known.begin == offset) return known;
    }
    if (!feed.log || offset > kFurthest) return {};
    static thread_local std::string buffer(static_cast<std::size_t>(2 * kPiece), '\0');
    const std::int64_t end = (offset + kLeast + kPiece) / kPiece * kPiece;
    const ssize_t got =
        ::pread(feed.log.get(), buffer.data(), static_cast<std::size_t>(end - offset), offset);
    if (got <= 0) return {};
    std::string_view text(buffer.data(), static_cast<std::size_t>(got));
    // A character that is not complete waits for its rest, until there will be none.
    const std::size_t rest = incomplete_utf8_tail(text);
    if (rest < text.size() || !feed.last) text.remove_suffix(rest);
    if (text.empty()) return {};
    Encoded piece{offset, offset + static_cast<std::int64_t>(text.size()), nullptr};
    piece.bytes = std::make_shared<const std::string>(event_of(text, piece.end));
    feed.shared.push_back(piece);
    if (feed.shared.size() > kShared) feed.shared.pop_front();
    return piece;
  }

 private:
  void open_log(Feed& feed) {
    const auto view = service_.find(feed.job_id);
    auto log = service_.open_log(feed.job_id);
    if (!view || !log) return;  // it has not begun
    feed.log = std::move(*log);
    if (feed.last) return;
    feed.path = service_.config().workspace / view->job->log_path();
    watch(feed);
  }

  void watch(Feed& feed) {
    if (!watcher_) watcher_ = std::make_unique<FileWatcher>(streams_.context());
    feed.watch = watcher_->add(feed.path, [this, weak = std::weak_ptr(active_[feed.job_id])] {
      const auto grown = weak.lock();
      if (!grown) return;
      grown->watch = -1;
      wake_soon(grown);
    });
  }

  /// A command that prints byte by byte must not cost a turn of all its listeners for each.
  void wake_soon(const std::shared_ptr<Feed>& feed) {
    if (std::exchange(feed->wakes_soon, true)) return;
    if (!feed->wake_timer) {
      feed->wake_timer = std::make_shared<boost::asio::steady_timer>(streams_.context());
    }
    feed->wake_timer->expires_at(feed->woken_at + kWakePause);
    feed->wake_timer->async_wait([weak = weak_from_this(), feed](const boost::system::error_code&) {
      feed->wakes_soon = false;
      feed->woken_at = Clock::now();
      // Watched again before the listeners ask: nothing is written in between.
      const auto self = weak.lock();
      if (self && feed->watch < 0 && feed->log && feed->listeners > 0) self->watch(*feed);
      feed->channel->wake();
    });
  }

  void look_at_job(Feed& feed) {
    if (feed.last || feed.is_gone) return;
    const auto view = service_.find(feed.job_id);
    if (view && is_terminal(view->job->status)) feed.last = view->job;
    feed.is_gone = !view && view.error().kind == ErrorKind::kNotFound;
  }

  /// Ends of jobs, logs that have just begun, and files that change without inotify (on another
  /// machine). Only while somebody follows.
  void schedule_tick() {
    ticks_.expires_after(kTick);
    ticks_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      const auto self = weak.lock();
      if (error || !self || self->active_.empty()) return;
      self->tick();
      self->schedule_tick();
    });
  }

  void tick() {
    const bool looks = ++tick_count_ % kTicksPerLook == 0;
    for (const auto& [job_id, feed] : active_) {
      const bool had_ended = feed->last || feed->is_gone, had_log = static_cast<bool>(feed->log);
      look_at_job(*feed);
      if (!had_log) open_log(*feed);
      bool changed =
          had_ended != (feed->last || feed->is_gone) || had_log != static_cast<bool>(feed->log);
      if (looks && feed->log && !feed->last) {
        const std::int64_t size = ::lseek(feed->log.get(), 0, SEEK_END);
        changed |= std::exchange(feed->seen_size, size) != size;
      }
      feed->shared.clear();
      if (changed) wake_soon(feed);
    }
  }

  JobService& service_;
  StreamServer& streams_;
  std::mutex mutex_;  // guards feeds_
  std::map<std::string, std::weak_ptr<Feed>> feeds_;
  // The stream thread's.
  std::unique_ptr<FileWatcher> watcher_;
  boost::asio::steady_timer ticks_;
  std::map<std::string, std::shared_ptr<Feed>> active_;
  int tick_count_ = 0;
};

namespace {

/// A listener: where it is.
template <class Hub>
class LogSource : public StreamSource {
 public:
  LogSource(std::shared_ptr<Hub> hub, std::shared_ptr<Feed> feed, std::int64_t offset)
      : hub_(std::move(hub)), feed_(std::move(feed)), offset_(offset) {}
  ~LogSource() override {
    if (attached_) hub_->detach(feed_);
  }

  Piece next() override {
    if (!std::exchange(attached_, true)) hub_->attach(feed_);
    // Whether it has ended before how long its log is: so nothing is behind the end.
    const JobPtr last = feed_->last;
    const bool ended = last || feed_->is_gone;
    const Encoded piece = hub_->read(*feed_, offset_);
    if (piece.bytes) {
      offset_ = piece.end;
      return {piece.bytes, false};
    }
    if (!ended) return {};
    json::object data{{"status", nullptr}, {"end_reason", nullptr}, {"exit_code", nullptr}};
    if (last) {
      data["status"] = to_string(last->status);
      if (last->end_reason != EndReason::kNone) data["end_reason"] = to_string(last->end_reason);
      if (last->exit_code) data["exit_code"] = *last->exit_code;
    }
    return {std::make_shared<const std::string>(
                fmt::format("event: end\nid: {}\ndata: {}\n\n", offset_, json::serialize(data))),
            true};
  }

 private:
  const std::shared_ptr<Hub> hub_;
  const std::shared_ptr<Feed> feed_;
  std::int64_t offset_;
  bool attached_ = false;
};

}  // namespace

LogStreams::LogStreams(JobService& service, StreamServer& streams)
    : hub_(std::make_shared<Hub>(service, streams)) {}
LogStreams::~LogStreams() = default;

EventStream LogStreams::open(const std::string& job_id, std::int64_t offset) {
  auto feed = hub_->feed_of(job_id);
  auto channel = feed->channel;
  return {std::make_unique<LogSource<Hub>>(hub_, std::move(feed), offset), std::move(channel)};
}

}  // namespace runyard
