// Bytes of a connection, in pieces of any size, become requests or one refusal. The first byte of
// the input says how long the pieces are; the outcome must not depend on it.
#include "api/pistache/request_reader.h"

#include <algorithm>
#include <vector>

#include "tests/fuzz/input.h"

namespace {

using runyard::fuzz::require;
using runyard::http::RequestReader;

constexpr std::size_t kMaxBody = 4096;

struct Outcome {
  std::vector<std::string> requests;
  int refused = 0;
  bool operator==(const Outcome&) const = default;
};

Outcome read(std::string_view bytes, std::size_t piece) {
  RequestReader reader(kMaxBody);
  Outcome outcome;
  while (!bytes.empty() && outcome.refused == 0) {
    const std::size_t size = std::min(piece, bytes.size());
    reader.append(bytes.substr(0, size));
    bytes.remove_prefix(size);
    for (;;) {
      const auto progress = reader.advance();
      if (progress == RequestReader::Progress::kIncomplete) break;
      if (progress == RequestReader::Progress::kRefused) {
        outcome.refused = reader.refusal().status;
        require(outcome.refused >= 400 && outcome.refused < 600);
        break;
      }
      const auto request = reader.take();
      require(request.line.ends_with("\r\n") && request.line.find('\n') + 1 == request.line.size());
      require(request.line.size() <= runyard::http::kMaxTarget + 64);
      require(request.body.size() <= kMaxBody);
      require(request.fields.size() <= runyard::http::kMaxFields);
      std::string text = request.line;
      for (const auto& [name, value] : request.fields) {
        require(!name.empty() && value.find_first_of(std::string_view("\r\n\0", 3)) == value.npos);
        text += name + ": " + value + "\n";
      }
      outcome.requests.push_back(text + request.body);
    }
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes = runyard::fuzz::to_text(data + 1, size - 1);
  const Outcome whole = read(bytes, bytes.size());
  const Outcome pieces = read(bytes, 1 + data[0] % 32u);
  require(whole.requests == pieces.requests);
  require((whole.refused != 0) == (pieces.refused != 0));
  return 0;
}
