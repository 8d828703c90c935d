// What a command printed, in pieces of any size: the folded lines and states, the line counter, and
// what the reader of lines says must agree, and not depend on the pieces. The first byte says how
// long these are.
#include "core/log/terminal_folder.h"

#include <algorithm>
#include <string>
#include <vector>

#include "core/base/text.h"
#include "core/log/line_counter.h"
#include "tests/fuzz/input.h"

namespace {

using namespace runyard;
using runyard::fuzz::require;

constexpr std::size_t kMax = 16 * 1024;

std::vector<std::string> fold(std::string_view log, std::size_t piece, TerminalFolder::Unit unit,
                              bool colours) {
  TerminalFolder folder(unit, kMax, colours);
  std::vector<std::string> texts;
  const auto sink = [&](const TerminalFolder::Line& line) {
    require(folder.pending() == 0);
    require(line.text.find_first_of("\n\r\b") == line.text.npos);
    require(colours || (line.text.size() <= kMax && line.text.find('\x1b') == line.text.npos));
    require(unit == TerminalFolder::Unit::kLine || !line.text.empty());
    texts.emplace_back(line.text);
  };
  for (; !log.empty(); log.remove_prefix(std::min(piece, log.size()))) {
    folder.feed(log.substr(0, piece), sink);
  }
  folder.finish(sink);
  return texts;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = std::size_t{1} + data[0];
  const std::string_view log = fuzz::to_text(data + 1, size - 1);
  const auto lines = fold(log, log.size() + 1, TerminalFolder::Unit::kLine, false);
  require(lines == fold(log, piece, TerminalFolder::Unit::kLine, false));
  const auto shown = fold(log, log.size() + 1, TerminalFolder::Unit::kLine, true);
  require(shown == fold(log, piece, TerminalFolder::Unit::kLine, true));
  require(fold(log, log.size() + 1, TerminalFolder::Unit::kState, false) ==
          fold(log, piece, TerminalFolder::Unit::kState, false));
  LineCounter counter;
  counter.feed(log);
  require(counter.lines() == static_cast<std::int64_t>(lines.size()));
  // Colours are all that is added.
  require(shown.size() == lines.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto again = fold(shown[i], kMax, TerminalFolder::Unit::kLine, false);
    require(lines[i].empty() ? again.empty() || again[0].empty() : again[0] == lines[i]);
  }
  return 0;
}
