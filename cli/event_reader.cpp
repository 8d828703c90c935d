#include "cli/event_reader.h"

#include <utility>

namespace runyard::cli {

void EventReader::feed(std::string_view bytes, const Sink& sink) {
  while (!bytes.empty()) {
    if (std::exchange(after_return_, false) && bytes.front() == '\n') {
      bytes.remove_prefix(1);
      continue;
    }
    const std::size_t end = bytes.find_first_of("\r\n");
    line_ += bytes.substr(0, end);
    if (end == bytes.npos) return;
    after_return_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    end_line(sink);
  }
}

void EventReader::end_line(const Sink& sink) {
  const std::string whole = std::exchange(line_, {});
  const std::string_view line = whole;
  if (line.empty()) {
    Event event = std::exchange(event_, {});
    event_.id = event.id;  // it holds until there is another
    if (!event.data.empty()) event.data.pop_back();
    if (!event.data.empty() || !event.name.empty()) sink(event);
    return;
  }
  const std::size_t colon = line.find(':');
  const std::string_view field = line.substr(0, colon);
  std::string_view value = colon == line.npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "event") {
    event_.name = value;
  } else if (field == "data") {
    event_.data.append(value).push_back('\n');
  } else if (field == "id") {
    event_.id = value;
  }
}

}  // namespace runyard::cli
