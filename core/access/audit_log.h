#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace runyard {

/// One line of the audit log.
struct AuditEntry {
  std::string who;   ///< the token's name; `local` where no token is asked for; "" unknown
  std::string from;  ///< the address of the client; "" for the command line
  std::string what;  ///< `POST /api/jobs/train`, `token add ada`
  int status = 0;    ///< of the answer; 0 for the command line
  std::vector<std::string> job_ids;
};

/// `audit.log` of the state folder: a JSON line for everything that changes something and for every
/// sign-in that failed (docs/formats.md). Kept in pieces: at `max_bytes` the file is renamed to
/// `audit.log.1`, and so on, at most kPieces old ones. Any thread; one process rotates (the
/// server).
class AuditLog {
 public:
  static constexpr int kPieces = 5;
  explicit AuditLog(const std::filesystem::path& state_dir, std::int64_t max_bytes = 10 << 20);

  /// Appends in one piece. An error is the disk's: what was done is done.
  Result<> write(const AuditEntry& entry);

 private:
  void rotate();
  const std::filesystem::path file_;
  const std::int64_t max_bytes_;
  std::mutex mutex_;
};

}  // namespace runyard
