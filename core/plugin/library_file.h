#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/base/sha256.h"

namespace runyard {

/// What tells, without reading a file, that it is another one or has changed.
struct FileStamp {
  ino_t inode = 0;
  off_t size = 0;
  std::int64_t modified_ns = 0, changed_ns = 0;
  bool operator==(const FileStamp&) const = default;
};
/// Follows links; kNotFound, kInvalid when it is no regular file.
Result<FileStamp> stamp_of(const std::filesystem::path& path);

/// The copy of a library that is loaded in its stead: overwriting a library that is mapped would
/// kill the process that has it mapped, and a copy is exactly what was hashed.
struct LibraryCopy {
  std::filesystem::path path;  ///< `<cache>/<sha256>.so`
  std::string sha256;
};

/// Reads the library at `path`, checks what can be checked without loading it, and copies it. The
/// file must belong to this process's user or to root, nobody else may be able to write it, and it
/// must be an ELF library, completely written. kInvalid with the reason and the mend as a sentence,
/// kBusy instead while it may yet be completed; kInternal, kNoSpace when the cache cannot be
/// written.
Result<LibraryCopy> copy_library(const std::filesystem::path& path,
                                 const std::filesystem::path& cache);

}  // namespace runyard
