#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace runyard {

/// Messages between the server and its plugin host: a length (4 bytes, little endian) and that many
/// bytes of JSON, over a stream socket. docs/plugin-guide.md does not speak of it: both ends are
/// one program.
///
/// The host begins with an empty message: it is there. Then, in turns:
///
///   request  {"id": 1, "op": "describe" | "argv", "path": "/...", "params": "{...}"}
///   reply    {"id": 1, "status": 0..3, "text": "...", "abi": 1}
///
/// `status` is that of runyard/plugin.h, or kStatusNotLoaded.
inline constexpr int kStatusNotLoaded = 3;
inline constexpr int kPluginHostFd = 3;      ///< the host's end of the socket
inline constexpr int kExitOutOfMemory = 70;  ///< exit code of the host
/// What a plugin may emit in one call; a frame holds it with every byte escaped, and a little more.
inline constexpr std::size_t kMaxEmitted = 1u << 20;
inline constexpr std::size_t kMaxFrame = 7 * kMaxEmitted;

enum class FrameResult { kDone, kClosed, kTimeout };

/// Both block until `until`. kClosed: the other end is gone, or sent what is no frame.
FrameResult send_frame(int fd, std::string_view message,
                       std::chrono::steady_clock::time_point until);
FrameResult receive_frame(int fd, std::string& message,
                          std::chrono::steady_clock::time_point until);

}  // namespace runyard
