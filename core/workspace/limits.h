#pragma once

#include <cstddef>

namespace runyard {

// Files above these sizes are not read (docs/api.md, "Read-only views"). What a research
// repository writes is a hundredth of it; the limits keep a mistaken file from eating the memory.
constexpr std::size_t kMaxDocumentBytes = 4u << 20;  ///< one YAML or JSON file
constexpr std::size_t kMaxTableBytes = 64u << 20;    ///< one CSV file, or a twin of one
constexpr std::size_t kMaxTradesBytes = 16u << 20;   ///< one list of trades, all of it shown
constexpr std::size_t kMaxTextBytes = 1u << 20;      ///< one text for people

}  // namespace runyard
