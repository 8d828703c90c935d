#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace runyard::cli {

/// Reads a stream of server-sent events (WHATWG HTML, 9.2.6), in pieces of any size. A plain value.
class EventReader {
 public:
  struct Event {
    std::string name;  ///< "" is a message
    std::string id, data;
  };
  using Sink = std::function<void(const Event& event)>;
  void feed(std::string_view bytes, const Sink& sink);

 private:
  void end_line(const Sink& sink);

  std::string line_;
  Event event_;
  bool after_return_ = false;
};

}  // namespace runyard::cli
