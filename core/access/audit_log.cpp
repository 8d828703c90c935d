#include "core/access/audit_log.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <boost/json.hpp>
#include <cerrno>

#include "core/base/clock.h"
#include "core/base/files.h"
#include "core/base/text.h"

namespace runyard {

namespace json = boost::json;

AuditLog::AuditLog(const std::filesystem::path& state_dir, std::int64_t max_bytes)
    : file_(state_dir / "audit.log"), max_bytes_(max_bytes) {}

Result<> AuditLog::write(const AuditEntry& entry) {
  json::object line{{"time", format_time(now_ms())},
                    {"who", entry.who.empty() ? json::value(nullptr) : json::value(entry.who)},
                    {"from", entry.from.empty() ? json::value(nullptr) : json::value(entry.from)},
                    {"what", sanitize_utf8(entry.what)},
                    {"status", entry.status ? json::value(entry.status) : json::value(nullptr)}};
  if (!entry.job_ids.empty()) line["job_ids"] = json::value_from(entry.job_ids);
  const std::string text = json::serialize(line) + "\n";
  const std::lock_guard lock(mutex_);
  // Opened for each line: whoever moves the file away gets a new one.
  const int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
  UniqueFd fd(::open(file_.c_str(), flags, 0600));
  struct stat info {};
  if (fd && ::fstat(fd.get(), &info) == 0 && info.st_size > 0 &&
      info.st_size + static_cast<std::int64_t>(text.size()) > max_bytes_) {
    rotate();
    fd = UniqueFd(::open(file_.c_str(), flags, 0600));
  }
  if (!fd) return errno_error(errno, "cannot open " + file_.string());
  if (const int code = write_all(fd.get(), text)) {
    return errno_error(code, "cannot write " + file_.string());
  }
  return {};
}

void AuditLog::rotate() {
  const auto piece = [&](int number) { return file_.string() + "." + std::to_string(number); };
  std::error_code ignored;  // a piece that is not there yet
  for (int number = kPieces - 1; number >= 1; --number) {
    std::filesystem::rename(piece(number), piece(number + 1), ignored);
  }
  std::filesystem::rename(file_, piece(1), ignored);
}

}  // namespace runyard
