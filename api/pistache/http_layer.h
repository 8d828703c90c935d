#pragma once

#include <pistache/http.h>

#include <string>

// What the API server may ask of the HTTP layer, beyond Pistache's own interface. README.md in this
// folder says what the layer does by itself (keep-alive, HEAD, raw headers, error documents,
// limits).
namespace runyard::http {

/// The name of a library member that is NOT replaced in this program, or empty when all are in
/// effect. A server calls it once before it listens and refuses to start otherwise: an object in
/// the wrong place, hidden symbols or static linking disable the replacement without any other
/// sign.
std::string member_not_replaced();

/// Takes the socket of the request that `writer` would answer out of Pistache's hands, for answers
/// that are long or large. Returns a non-blocking, close-on-exec file descriptor that the caller
/// owns, or -1 when the client is gone, the request is answered, or no descriptor is left; then the
/// writer still works. After success the writer must not be used, nothing else reads or writes the
/// socket, and no timeout of Pistache applies. What the client sent after this request is dropped,
/// so the head that the new owner writes must say `Connection: close`. Any thread.
int take_over(const Pistache::Http::ResponseWriter& writer);

/// Requests that a handler has got and whose answer has not been written to the socket yet; sockets
/// taken over do not count. Any thread. Zero, after `close_after_answers()`, means that the
/// endpoint can be shut down without losing an answer.
int requests_in_flight();

/// From now on every answer says `Connection: close` and its connection is closed after it. For the
/// whole process and for good. Any thread.
void close_after_answers();

}  // namespace runyard::http
