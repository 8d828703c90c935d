#include "api/pistache/request_reader.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace runyard::http {
namespace {

// CONNECT and TRACE are left out on purpose: a server of resources has no use for either.
constexpr std::array<std::string_view, 7> kMethods = {"GET",   "HEAD",   "POST",   "PUT",
                                                      "PATCH", "DELETE", "OPTIONS"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_token_char(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool list_has(std::string_view list, std::string_view wanted) {
  for (;;) {
    const auto comma = list.find(',');
    if (same(trim(list.substr(0, comma)), wanted)) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
}

/// Whether `text` is a number in `base`, nothing else, that is at most `limit`.
enum class Number { kFits, kTooLarge, kNone };
Number read_number(std::string_view text, int base, std::size_t limit, std::size_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || end != text.data() + text.size()) return Number::kNone;
  if (error == std::errc::result_out_of_range || value > limit) return Number::kTooLarge;
  return error == std::errc() ? Number::kFits : Number::kNone;
}

constexpr const char* kTooLargeDetail = "The request body is too large. Send less in one request.";

}  // namespace

RequestReader::Progress RequestReader::advance() {
  Step result = Step::kNext;
  while (result == Step::kNext) result = step();
  if (used_ > 0) {
    input_.erase(0, used_);
    used_ = 0;
  }
  switch (result) {
    case Step::kDone:
      return Progress::kComplete;
    case Step::kRefused:
      return Progress::kRefused;
    default:
      return Progress::kIncomplete;
  }
}

ReadRequest RequestReader::take() {
  part_ = Part::kHead;
  continue_ = false;
  return std::exchange(request_, {});
}

bool RequestReader::take_continue() { return rest().empty() && std::exchange(continue_, false); }

RequestReader::Step RequestReader::refuse(int status, const char* detail) {
  refusal_ = {status, detail};
  return Step::kRefused;
}

RequestReader::Step RequestReader::step() {
  switch (part_) {
    case Part::kHead:
      return read_head();
    case Part::kBody:
    case Part::kChunk:
      return read_body();
    case Part::kChunkLine:
      return read_chunk_line();
    case Part::kChunkEnd:
      return read_chunk_end();
    case Part::kTrailers:
      return read_trailer();
  }
  return Step::kWait;
}

RequestReader::Step RequestReader::read_head() {
  while (rest().starts_with("\r\n")) used_ += 2;  // empty lines before a request are allowed
  const std::string_view input = rest();
  const std::size_t line_end = input.find('\n');
  if (std::min(line_end, input.size()) > kMaxTarget + 32) {
    return refuse(414, "The address is too long. Send at most 4096 bytes of path and query.");
  }
  if (line_end == std::string_view::npos) return Step::kWait;
  if (line_end == 0 || input[line_end - 1] != '\r') {
    return refuse(400, "The request line does not end with CR LF. Send a valid HTTP/1.1 request.");
  }
  const std::size_t end = input.find("\r\n\r\n", scanned_);
  if (std::min(end, input.size()) > kMaxHead) {
    return refuse(431, "The header fields are too large. Send at most 64 KiB of them.");
  }
  if (end == std::string_view::npos) {
    scanned_ = input.size() < 3 ? 0 : input.size() - 3;
    return Step::kWait;
  }
  scanned_ = 0;
  if (const Step bad = check_line(input.substr(0, line_end - 1)); bad != Step::kNext) return bad;
  request_.line = input.substr(0, line_end + 1);
  if (end > line_end) {
    const Step bad = read_fields(input.substr(line_end + 1, end + 2 - (line_end + 1)));
    if (bad != Step::kNext) return bad;
  }
  used_ += end + 4;
  return check_framing();
}

RequestReader::Step RequestReader::check_line(std::string_view line) {
  constexpr const char* kDetail =
      "The request line is not `METHOD /path HTTP/1.1`. Send a valid HTTP/1.1 request.";
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return refuse(400, kDetail);
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!is_token(method) || target.empty()) return refuse(400, kDetail);
  if (version.size() != 8 || !version.starts_with("HTTP/") || !is_digit(version[5]) ||
      version[6] != '.' || !is_digit(version[7])) {
    return refuse(400, kDetail);
  }
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return refuse(505, "Only HTTP/1.1 and HTTP/1.0 are spoken here.");
  }
  if (std::find(kMethods.begin(), kMethods.end(), method) == kMethods.end()) {
    return refuse(501,
                  "The method is not known. Use GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS.");
  }
  if (target.size() > kMaxTarget) {
    return refuse(414, "The address is too long. Send at most 4096 bytes of path and query.");
  }
  const bool is_plain = std::all_of(target.begin(), target.end(),
                                    [](char c) { return c > ' ' && c <= '~' && c != '#'; });
  if (target.front() != '/' || !is_plain) {
    return refuse(400, "The address must begin with a slash and be percent-encoded ASCII.");
  }
  request_.is_head = method == "HEAD";
  is_http_1_0_ = version == "HTTP/1.0";
  return Step::kNext;
}

RequestReader::Step RequestReader::read_fields(std::string_view lines) {
  while (!lines.empty()) {
    const std::size_t end = lines.find("\r\n");
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end + 2);
    const std::size_t colon = line.find(':');
    const std::string_view name = line.substr(0, colon);
    // This also refuses a space before the colon and lines that continue the one before.
    if (colon == std::string_view::npos || !is_token(name)) {
      return refuse(400, "A header field is not `Name: value`. Send a valid HTTP/1.1 request.");
    }
    const std::string_view value = trim(line.substr(colon + 1));
    const bool is_clean = std::all_of(value.begin(), value.end(), [](char c) {
      return c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != '\x7f');
    });
    if (!is_clean) return refuse(400, "A header field holds a control character. Remove it.");
    const auto known = std::find_if(request_.fields.begin(), request_.fields.end(),
                                    [&](const auto& field) { return same(field.first, name); });
    if (known == request_.fields.end()) {
      if (request_.fields.size() == kMaxFields) {
        return refuse(431, "There are too many header fields. Send at most 100.");
      }
      request_.fields.emplace_back(name, value);
    } else if (same(name, "host") || same(name, "content-length") ||
               same(name, "transfer-encoding")) {
      return refuse(400, "Host, Content-Length or Transfer-Encoding is there twice. Send it once.");
    } else {
      known->second.append(same(name, "cookie") ? "; " : ", ").append(value);
    }
  }
  return Step::kNext;
}

RequestReader::Step RequestReader::check_framing() {
  const std::string* const host = field("host");
  const std::string* const length = field("content-length");
  const std::string* const coding = field("transfer-encoding");
  const std::string* const connection = field("connection");
  const std::string* const expect = field("expect");
  if (host == nullptr && !is_http_1_0_) {
    return refuse(400, "The Host header is missing. Send a valid HTTP/1.1 request.");
  }
  if (connection == nullptr) {
    request_.keep_alive = !is_http_1_0_;
  } else {
    request_.keep_alive =
        !list_has(*connection, "close") && (!is_http_1_0_ || list_has(*connection, "keep-alive"));
  }
  left_ = 0;
  if (coding != nullptr) {
    if (length != nullptr || is_http_1_0_) {
      return refuse(400, "Transfer-Encoding cannot stand with Content-Length or HTTP/1.0.");
    }
    if (!same(*coding, "chunked")) {
      return refuse(501, "Only the transfer encoding `chunked` is understood.");
    }
  } else if (length != nullptr) {
    switch (read_number(*length, 10, max_body_, left_)) {
      case Number::kFits:
        break;
      case Number::kTooLarge:
        return refuse(413, kTooLargeDetail);
      case Number::kNone:
        return refuse(400, "Content-Length is not a number. Send one number.");
    }
  }
  if (expect != nullptr && !same(*expect, "100-continue")) {
    return refuse(417, "Only the expectation `100-continue` is understood.");
  }
  continue_ = expect != nullptr && !is_http_1_0_;
  if (coding != nullptr) {
    part_ = Part::kChunkLine;
    return Step::kNext;
  }
  if (left_ == 0) return Step::kDone;
  part_ = Part::kBody;
  return Step::kNext;
}

RequestReader::Step RequestReader::read_body() {
  const std::string_view bytes = rest().substr(0, left_);
  request_.body += bytes;
  used_ += bytes.size();
  left_ -= bytes.size();
  if (left_ > 0) return Step::kWait;
  if (part_ == Part::kBody) return Step::kDone;
  part_ = Part::kChunkEnd;
  return Step::kNext;
}

RequestReader::Step RequestReader::read_chunk_line() {
  Step otherwise = Step::kWait;
  const auto line = take_line(kMaxChunkLine, otherwise);
  if (!line) return otherwise;
  const std::string_view digits = trim(line->substr(0, line->find(';')));  // extensions: ignored
  switch (read_number(digits, 16, max_body_ - request_.body.size(), left_)) {
    case Number::kFits:
      break;
    case Number::kTooLarge:
      return refuse(413, kTooLargeDetail);
    case Number::kNone:
      return refuse(400, "A chunk does not begin with its size in hexadecimal.");
  }
  trailers_ = 0;
  part_ = left_ == 0 ? Part::kTrailers : Part::kChunk;
  return Step::kNext;
}

RequestReader::Step RequestReader::read_chunk_end() {
  if (rest().size() < 2) return Step::kWait;
  if (!rest().starts_with("\r\n")) return refuse(400, "A chunk is longer than it says.");
  used_ += 2;
  part_ = Part::kChunkLine;
  return Step::kNext;
}

RequestReader::Step RequestReader::read_trailer() {
  Step otherwise = Step::kWait;
  const auto line = take_line(kMaxTrailers, otherwise);
  if (!line) return otherwise;
  if (line->empty()) return Step::kDone;
  trailers_ += line->size();  // trailers mean nothing here: counted and dropped
  if (trailers_ > kMaxTrailers) return refuse(431, "The trailers are too large. Send none.");
  return Step::kNext;
}

std::optional<std::string_view> RequestReader::take_line(std::size_t limit, Step& otherwise) {
  const std::string_view input = rest();
  const std::size_t end = input.find('\n');
  if (end == std::string_view::npos && input.size() <= limit) return std::nullopt;
  // A bare LF, and a CR anywhere but before the LF, are where two parsers could disagree.
  if (std::min(end, input.size()) > limit || end == 0 || input.find('\r') != end - 1) {
    otherwise = refuse(400, "The chunked body is not well formed. Send a valid HTTP/1.1 request.");
    return std::nullopt;
  }
  used_ += end + 1;
  return input.substr(0, end - 1);
}

const std::string* RequestReader::field(std::string_view name) const {
  for (const auto& [known, value] : request_.fields) {
    if (same(known, name)) return &value;
  }
  return nullptr;
}

}  // namespace runyard::http
