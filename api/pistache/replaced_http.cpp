// Members of Pistache's HTTP layer and router, defined here in the place of the library's own.
// README.md in this folder explains how that works and lists the defects that the comments name.

#include <pistache/http.h>
#include <pistache/peer.h>
#include <pistache/router.h>

#include <cstring>
#include <sstream>

#include "api/pistache/connection.h"

using runyard::http::Connection;
using runyard::http::ReadRequest;
using runyard::http::RequestReader;
using Phase = Connection::Phase;

namespace {

using namespace Pistache;

/// The library's request, filled from one that RequestReader has checked. D9: all fields are kept
/// as raw ones, so a bad Date, Host, Cookie or Content-Type is nobody's error but that of who reads
/// it.
class FilledRequest : public Http::Request {
 public:
  FilledRequest(ReadRequest&& read, const Address& client) {
    StreamBuf<char> line;
    line.setArea(read.line.data(), read.line.data(), read.line.data() + read.line.size());
    StreamCursor cursor(&line);
    Http::Private::RequestLineStep(this).apply(cursor);
    for (const auto& [name, value] : read.fields) headers_.addRaw({name, value});
    body_ = std::move(read.body);
    copyAddress(client);
  }
};

/// What an error document says when the answer has no text of its own.
std::string_view detail_of(Http::Code code) {
  switch (code) {
    case Http::Code::Not_Found:
      return "There is nothing at this address. Check the path.";
    case Http::Code::Method_Not_Allowed:
      return "The method is not allowed here. Use one that the Allow header names.";
    case Http::Code::Request_Timeout:
      return "The request came too slowly. Send it again.";
    default:
      return "The request cannot be answered. The status says why.";
  }
}

/// Fields that the layer itself writes.
bool is_own_field(const std::string& name) {
  return Http::Header::LowercaseEqual()(name, "Connection") ||
         Http::Header::LowercaseEqual()(name, "Content-Length");
}

}  // namespace

namespace Pistache::Http {

/// Puts our Connection where the library keeps a parser.
void Handler::onConnection(const std::shared_ptr<Tcp::Peer>& peer) {
  peer->putData(ParserData,
                std::make_shared<Connection>(peer->fd(), getMaxRequestSize(), transport()));
}

/// Bytes of a client. The library's parser does not get them; RequestReader does, which ends D2,
/// D3, the reservation of D4, D7 and the parsing errors of D9. Pipelined requests are handled one
/// after the other (D9), the default of HTTP/1.1 is to keep the connection (D8), a client that
/// waits for it gets its `100 Continue` (D9), and whatever fails is answered without internal text
/// and closed.
void Handler::onInput(const char* buffer, size_t len, const std::shared_ptr<Tcp::Peer>& peer) {
  Connection& connection = Connection::of(peer);
  if (connection.phase() == Phase::kClosing) return connection.drop_input(len);
  RequestReader& reader = connection.reader();
  reader.append({buffer, len});
  while (connection.phase() == Phase::kReading) {
    switch (reader.advance()) {
      case RequestReader::Progress::kIncomplete:
        if (reader.take_continue()) connection.send_continue();
        return;
      case RequestReader::Progress::kRefused:
        return connection.refuse(reader.refusal());
      case RequestReader::Progress::kComplete:
        break;
    }
    ReadRequest read = reader.take();
    connection.begin_answer(read.is_head, read.keep_alive);
    bool failed = true;
    try {
      const FilledRequest request(std::move(read), peer->address());
      connection.update_clock(*peer);
      onRequest(request, ResponseWriter(request.version(), transport(), this, peer));
      failed = false;
    } catch (...) {
    }
    connection.end_handler(failed);
  }
}

/// The one way to the wire of every `send`. D1: hands the bytes to the connection that the writer
/// belongs to, from any thread. Writes raw fields too, and nothing after the head where HTTP has no
/// body. An error without a Content-Type is one of the library's own (router, timeout) or a bare
/// status: it gets an error document.
Async::Promise<ssize_t> ResponseWriter::putOnWire(const char* data, size_t len) {
  const std::shared_ptr<Tcp::Peer> peer = peer_.lock();
  if (!peer) return Async::Promise<ssize_t>::rejected(Error("The client is gone"));
  Connection& connection = Connection::of(peer);
  timeout_.disarm();

  const Code code = response_.code();
  const int status = static_cast<int>(code);
  const auto& fields = response_.headers();
  const auto control = fields.tryGet<Header::Connection>();
  std::string_view body(data, len);
  std::string document;
  std::ostringstream head;
  head << "HTTP/1.1 " << status << ' ' << codeString(code) << "\r\n";
  if (status >= 400 && !fields.tryGet("Content-Type") && !fields.tryGetRaw("Content-Type")) {
    body = document = runyard::http::problem_document(code, detail_of(code));
    head << "Content-Type: application/problem+json\r\n";
  }
  for (const auto& field : fields.list()) {
    if (is_own_field(field->name())) continue;
    head << field->name() << ": ";
    field->write(head);
    head << "\r\n";
  }
  for (const auto& [name, field] : fields.rawList()) {
    // A line break would end the field: whatever holds one is left out.
    if (is_own_field(name) || field.value().find_first_of("\r\n") != std::string::npos) continue;
    head << name << ": " << field.value() << "\r\n";
  }
  for (const auto& cookie : response_.cookies()) head << "Set-Cookie: " << cookie << "\r\n";
  const bool is_head = connection.is_head();
  if (code != Code::No_Content && code != Code::Not_Modified) {
    // For HEAD a handler may give the length of a body that it did not make.
    const auto given = is_head ? fields.tryGetRaw("Content-Length") : std::nullopt;
    head << "Content-Length: " << (given ? given->value() : std::to_string(body.size())) << "\r\n";
  } else {
    body = {};
  }
  if (is_head) body = {};

  std::string text = std::move(head).str();
  sent_bytes_ += static_cast<ssize_t>(text.size() + body.size());
  const bool closes = control && control->control() == ConnectionControl::Close;
  if (!connection.answer(std::move(text), body, closes, code == Code::Request_Timeout)) {
    return Async::Promise<ssize_t>::rejected(Error("No answer is due"));
  }
  return Async::Promise<ssize_t>::resolved(ssize_t{sent_bytes_});
}

}  // namespace Pistache::Http

namespace Pistache::Rest {

/// D3: the path without its first, last and repeated slashes, by a loop. The library's regular
/// expression recurses once for each slash, and takes most of the time of routing.
std::string SegmentTreeNode::sanitizeResource(const std::string& path) {
  std::string clean;
  clean.reserve(path.size());
  for (const char c : path) {
    if (c != '/' || (!clean.empty() && clean.back() != '/')) clean += c;
  }
  if (clean.ends_with('/')) clean.pop_back();
  return clean;
}

}  // namespace Pistache::Rest
