#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runyard::http {

/// Limits on what comes before a body. The body's own limit is the endpoint's `maxRequestSize`.
inline constexpr std::size_t kMaxTarget = 4096;
inline constexpr std::size_t kMaxHead = 64UL * 1024;
inline constexpr std::size_t kMaxFields = 100;
inline constexpr std::size_t kMaxChunkLine = 256;
inline constexpr std::size_t kMaxTrailers = 8UL * 1024;

/// One complete request, checked. `line` is `GET /path?query HTTP/1.1\r\n` in visible ASCII with a
/// target in origin form and a known method; names in `fields` are unique (repeated ones are
/// joined).
struct ReadRequest {
  std::string line;
  std::vector<std::pair<std::string, std::string>> fields;
  std::string body;
  bool is_head = false;
  bool keep_alive = true;
};

/// Why a request is refused. `detail` is a sentence for the client.
struct Refusal {
  int status = 400;
  const char* detail = "";
};

/// Cuts the bytes of one connection into requests, strictly after RFC 9112, so that no byte can be
/// read in two ways and the library's own parser never sees a client's bytes. Knows nothing of
/// sockets. Owned by a Connection, used by its worker thread only. Memory: at most one head, one
/// body and what `append` was given last; a length that is announced reserves nothing.
class RequestReader {
 public:
  enum class Progress { kIncomplete, kComplete, kRefused };

  explicit RequestReader(std::size_t max_body) : max_body_(max_body) {}

  void append(std::string_view bytes) { input_ += bytes; }

  /// Reads on as far as the bytes allow. kComplete: call `take`; further requests may already be
  /// here. kRefused is final: the rest of the connection cannot be understood.
  Progress advance();

  ReadRequest take();
  const Refusal& refusal() const { return refusal_; }

  /// True between requests, when no byte of the next one is here.
  bool is_empty() const { return part_ == Part::kHead && rest().empty(); }
  bool is_in_body() const { return part_ != Part::kHead; }
  /// True once for a request whose client waits for `100 Continue` before it sends the body.
  bool take_continue();

 private:
  enum class Part { kHead, kBody, kChunkLine, kChunk, kChunkEnd, kTrailers };
  enum class Step { kNext, kWait, kDone, kRefused };

  std::string_view rest() const { return std::string_view(input_).substr(used_); }
  Step refuse(int status, const char* detail);
  Step step();
  Step read_head();
  Step check_line(std::string_view line);
  Step read_fields(std::string_view lines);
  Step check_framing();
  Step read_body();
  Step read_chunk_line();
  Step read_chunk_end();
  Step read_trailer();
  std::optional<std::string_view> take_line(std::size_t limit, Step& otherwise);
  const std::string* field(std::string_view name) const;

  const std::size_t max_body_;
  std::string input_;
  std::size_t used_ = 0;     // bytes of input_ that are read
  std::size_t scanned_ = 0;  // bytes of rest() known not to end the head
  Part part_ = Part::kHead;
  std::size_t left_ = 0;      // bytes of the body or chunk still to come
  std::size_t trailers_ = 0;  // bytes of trailers seen
  bool is_http_1_0_ = false;
  bool continue_ = false;
  ReadRequest request_;
  Refusal refusal_;
};

}  // namespace runyard::http
