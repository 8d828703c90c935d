#include "core/store/clean_mark.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include "core/base/files.h"

namespace runyard {
namespace {

/// "" when there is no such file, or a write-ahead log beside it that belongs to it.
std::string looks_of(const std::filesystem::path& database) {
  struct stat info {};
  if (std::filesystem::exists(database.string() + "-wal")) return {};
  if (::stat(database.c_str(), &info) != 0) return {};
  return fmt::format("inode={} size={} time={}.{:09}\n", info.st_ino, info.st_size,
                     info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
}

}  // namespace

bool CleanMark::take() const {
  const auto left = read_file(file());
  std::error_code ignored;
  std::filesystem::remove(file(), ignored);
  return left && !left->empty() && *left == looks_of(database_);
}

void CleanMark::leave() const {
  if (const std::string looks = looks_of(database_); !looks.empty()) {
    (void)write_file_atomic(file(), looks);  // without it the next start only takes longer
  }
}

}  // namespace runyard
