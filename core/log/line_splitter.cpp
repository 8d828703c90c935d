#include "core/log/line_splitter.h"

namespace runyard {

void LineSplitter::end_text(const Sink& sink) {
  // Cleared before the call: the sink may ask for pending().
  pending_ = 0;
  escape_ = Escape::kNone;
  if (text_.empty()) return;
  std::string text;
  text.swap(text_);
  sink(text);
  text.clear();
  text_.swap(text);  // keeps the room
}

void LineSplitter::feed(std::string_view bytes, const Sink& sink) {
  for (char c : bytes) {
    ++pending_;
    if (c == '\n' || c == '\r') {
      end_text(sink);
      continue;
    }
    // ECMA-48: ESC [ parameters final (0x40..0x7e); ESC ] ... BEL or ESC \ ; ESC and one byte.
    switch (escape_) {
      case Escape::kNone:
        if (c == '\x1b') {
          escape_ = Escape::kStarted;
        } else if (text_.size() < kMaxText) {
          text_ += c;
        }
        break;
      case Escape::kStarted:
        if (c == '[') {
          escape_ = Escape::kControl;
        } else if (c == ']' || c == 'P' || c == '^' || c == '_' || c == 'X') {
          escape_ = Escape::kString;
        } else if (c < 0x20 || c > 0x2f) {  // intermediate bytes go on
          escape_ = Escape::kNone;
        }
        break;
      case Escape::kControl:
        if (c >= 0x40 && c <= 0x7e) escape_ = Escape::kNone;
        break;
      case Escape::kString:
        if (c == '\x07') {
          escape_ = Escape::kNone;
        } else if (c == '\x1b') {
          escape_ = Escape::kStringEscape;
        }
        break;
      case Escape::kStringEscape:
        escape_ = c == '\\' ? Escape::kNone : Escape::kString;
        break;
    }
  }
}

void LineSplitter::finish(const Sink& sink) { end_text(sink); }

}  // namespace runyard
