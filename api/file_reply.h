#pragma once

#include <string>
#include <utility>
#include <vector>

#include "api/http.h"

namespace runyard {

/// What a file is answered with, beside its bytes.
struct FileLook {
  std::string content_type;
  std::vector<std::pair<std::string, std::string>> headers;
};

/// Answers with an open file as it is now: 200, 206 for a range, 304 for a client that has it
/// (If-None-Match), 416. The ETag is strong: it is made of the file's size and its time in
/// nanoseconds, and with `If-Range` it lets a download be resumed. Small parts are read, large ones
/// are left to the stream server.
Reply file_reply(const Call& call, UniqueFd fd, FileLook look);

/// `Content-Disposition` for saving under a name; whatever could mean something there is replaced.
std::pair<std::string, std::string> save_as(std::string name);

}  // namespace runyard
