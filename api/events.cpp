#include <fmt/format.h>

#include <array>
#include <charconv>

#include "api/routes.h"

namespace runyard {
namespace {

constexpr std::size_t kEventsAtOnce = 256;
constexpr std::size_t kBytesAtOnce = 64UL * 1024;
constexpr std::size_t kSilence = EventHub::kKept / 4;  // events of others that pass unsaid

using Bytes = std::shared_ptr<const std::string>;

/// Frames events for all listeners: those who are at the same place get the same bytes. Belongs to
/// the route; used by its listeners on the stream thread.
class EventFeed {
 public:
  struct Piece {
    Bytes bytes;  ///< null: no event is for this listener
    std::uint64_t last = 0;
  };

  EventFeed(EventHub& hub, StreamServer& streams) : hub_(hub), channel_(streams.make_channel()) {
    hub_.set_listener([channel = channel_] { channel->wake(); });
  }
  ~EventFeed() { hub_.set_listener({}); }
  EventFeed(const EventFeed&) = delete;
  EventFeed& operator=(const EventFeed&) = delete;

  EventHub& hub() { return hub_; }
  const std::shared_ptr<StreamChannel>& channel() const { return channel_; }
  std::string id(std::uint64_t number) const { return fmt::format("{}-{}", hub_.start(), number); }

  /// nullopt when the events behind `number` are not kept any more.
  std::optional<Piece> behind(std::uint64_t number, const std::string& job_type) {
    for (const Framed& known : framed_) {
      if (known.behind == number && known.job_type == job_type && known.piece.last > number) {
        return known.piece;
      }
    }
    const auto events = hub_.behind(number, kEventsAtOnce, kBytesAtOnce);
    if (!events) return std::nullopt;
    Piece piece{nullptr, number};
    std::string text;
    for (const auto& event : *events) {
      piece.last = event.number;
      if (!job_type.empty() && !event.job_type.empty() && event.job_type != job_type) continue;
      text += fmt::format("id: {}\nevent: {}\ndata: {}\n\n", id(event.number),
                          to_string(event.kind), *event.data);
    }
    if (!text.empty()) piece.bytes = std::make_shared<const std::string>(std::move(text));
    if (piece.last > number) {
      framed_[oldest_] = {number, job_type, piece};
      oldest_ = (oldest_ + 1) % framed_.size();
    }
    return piece;
  }

 private:
  struct Framed {
    std::uint64_t behind = 0;
    std::string job_type;
    Piece piece;
  };
  EventHub& hub_;
  const std::shared_ptr<StreamChannel> channel_;
  std::array<Framed, 8> framed_;  // of different places and filters
  std::size_t oldest_ = 0;
};

class EventListener : public StreamSource {
 public:
  /// Goes on behind the event `last_id`; "" begins now.
  EventListener(std::shared_ptr<EventFeed> feed, std::string job_type, const std::string& last_id)
      : feed_(std::move(feed)), job_type_(std::move(job_type)) {
    const std::string& start = feed_->hub().start();
    if (last_id.empty()) {
      at_ = feed_->hub().last();
      opens_ = true;
    } else if (last_id.starts_with(start + "-")) {
      const char* const begin = last_id.data() + start.size() + 1;
      const char* const end = last_id.data() + last_id.size();
      const auto [rest, error] = std::from_chars(begin, end, at_);
      is_lost_ = error != std::errc() || rest != end;
    } else {
      is_lost_ = true;
    }
    said_ = at_;
  }

  Piece next() override {
    if (std::exchange(opens_, false)) return say("id: " + feed_->id(at_) + "\n\n");
    for (;;) {
      const auto piece =
          is_lost_ ? std::optional<EventFeed::Piece>() : feed_->behind(at_, job_type_);
      if (!piece) {
        is_lost_ = false;
        at_ = feed_->hub().last();
        return say("id: " + feed_->id(at_) + "\nevent: reset\ndata: {}\n\n");
      }
      if (piece->last == at_) break;
      at_ = piece->last;
      if (piece->bytes) {
        said_ = at_;
        return {piece->bytes};
      }
    }
    // It would be lost if it came back with the id of an event that has long gone.
    if (at_ - said_ >= kSilence) return say("id: " + feed_->id(at_) + "\n\n");
    return {};
  }

 private:
  Piece say(std::string text) {
    said_ = at_;
    return {std::make_shared<const std::string>(std::move(text))};
  }

  const std::shared_ptr<EventFeed> feed_;
  const std::string job_type_;
  std::uint64_t at_ = 0;    // the last event that is dealt with
  std::uint64_t said_ = 0;  // the last id that the client knows
  bool opens_ = false;
  bool is_lost_ = false;
};

}  // namespace

std::vector<Route> event_routes(JobService& service, StreamServer& streams) {
  const auto feed = std::make_shared<EventFeed>(service.events(), streams);
  return {{"GET", "/api/events", Role::kViewer, "Every change of a job, as it happens",
           [feed](const Call& call) {
             Reply reply;
             reply.stream.emplace(
                 EventStream{std::make_unique<EventListener>(feed, read_text(call, "job_type"),
                                                             call.header("last-event-id")),
                             feed->channel()});
             return reply;
           },
           answers("", 200, "text/event-stream")
               .header("Last-Event-ID")
               .query(query_text("job_type", "Events of jobs of this type alone"))
               .fails({503})}};
}

}  // namespace runyard
