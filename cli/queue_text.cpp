#include "cli/queue_text.h"

#include <fmt/format.h>

#include "cli/json_access.h"
#include "cli/output.h"
#include "cli/terminal.h"

namespace runyard::cli {

std::string queue_line(const boost::json::object& queue) {
  constexpr std::size_t kBarCells = 10;
  std::string out = escape_controls(text_of(queue, "mode"));
  if (const auto* slots = object_of(queue, "slots")) {
    const auto total = integer_of(*slots, "total").value_or(0);
    const auto used = integer_of(*slots, "used").value_or(0);
    const double fraction = total > 0 ? static_cast<double>(used) / static_cast<double>(total) : 0;
    out += fmt::format("  slots {}/{} {}", used, total, bar(fraction, kBarCells));
  }
  if (const auto* gpus = array_of(queue, "gpus"); gpus && !gpus->empty()) {
    out += "  gpus";
    for (const auto& item : *gpus) {
      if (const auto* gpu = item.if_object()) {
        out += fmt::format(" {}:{}", integer_of(*gpu, "id").value_or(0),
                           integer_of(*gpu, "jobs").value_or(0));
      }
    }
  }
  if (const auto queued = integer_of(queue, "queued")) out += fmt::format("  {} queued", *queued);
  return out;
}

}  // namespace runyard::cli
