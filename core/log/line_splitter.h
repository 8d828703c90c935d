#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace runyard {

/// Cuts a stream of log bytes into the texts that a reader would have seen: at every line feed, and
/// at every carriage return too, because a progress bar is overwritten and not ended. Colour codes
/// and other escape sequences are removed. Constant memory: of a longer text only the first
/// kMaxText bytes are given. A plain value, used by one thread.
///
/// Invariant: the texts do not depend on how the bytes were split into feed() calls.
class LineSplitter {
 public:
  static constexpr std::size_t kMaxText = 64 * 1024;
  using Sink = std::function<void(std::string_view text)>;

  /// Gives each text that ends in these bytes; empty ones are left out.
  void feed(std::string_view bytes, const Sink& sink);
  /// Gives what is there without an end, as at the end of a log.
  void finish(const Sink& sink);
  /// Bytes fed since the end of the last complete text: where a restart has to begin again.
  std::int64_t pending() const { return pending_; }

 private:
  void end_text(const Sink& sink);

  enum class Escape { kNone, kStarted, kControl, kString, kStringEscape };
  std::string text_;
  Escape escape_ = Escape::kNone;
  std::int64_t pending_ = 0;
};

}  // namespace runyard
