#pragma once

#include <functional>
#include <memory>
#include <string>

namespace runyard {

/// What one listener of an event stream is sent: a cursor into a log, the ring of events, ... A
/// handler makes it; from then on the stream server owns it, and uses and destroys it on its own
/// thread alone (one that is refused goes unused). It is asked for a piece when the one before is
/// wholly with the kernel, so a listener costs its cursor and one piece, however slowly it reads.
class StreamSource {
 public:
  struct Piece {
    /// Whole events (`id:`, `event:`, `data:` lines and the empty line). Shared, because many
    /// listeners get the same bytes; some ten KB are a good size. Null or empty: there is nothing
    /// now; ask again when the channel wakes.
    std::shared_ptr<const std::string> bytes;
    bool ends = false;  ///< the stream is over after these bytes
  };
  virtual ~StreamSource() = default;
  /// Must wait for nothing but a local file. An exception ends this stream alone.
  virtual Piece next() = 0;
};

/// The listeners of one thing that changes, e.g. of one log. StreamServer::make_channel() makes it
/// for whoever knows of the changes; its listeners keep it alive, too. The server must outlive it.
class StreamChannel {
 public:
  virtual ~StreamChannel() = default;
  /// The listeners that have nothing ask their sources again, soon. Any thread; cheap; calls that
  /// come together are one. When asking all of them takes long, the next time waits as long: then
  /// changes are sent in larger pieces, and not at the expense of everything else.
  virtual void wake() = 0;
};

/// The body of a reply that goes on as `text/event-stream`. The source is asked as soon as the head
/// is sent, then whenever the channel wakes, so nothing is missed that was there before a wake().
struct EventStream {
  std::unique_ptr<StreamSource> source;
  std::shared_ptr<StreamChannel> channel;
};

}  // namespace runyard
