#include "core/plugin/library_file.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "core/base/files.h"
#include "core/base/sha256.h"

namespace runyard {
namespace {

constexpr std::size_t kMaxLibrary = 256u << 20;

std::int64_t nanoseconds(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

FileStamp stamp_from(const struct stat& info) {
  return {info.st_ino, info.st_size, nanoseconds(info.st_mtim), nanoseconds(info.st_ctim)};
}

Error unfinished(std::string why) { return make_error(ErrorKind::kBusy, std::move(why)); }
Error refuse(std::string why) { return make_error(ErrorKind::kInvalid, std::move(why)); }

/// The linker writes the section headers last, so a file that holds them is complete.
Result<> check_elf(std::string_view bytes) {
  if (bytes.empty()) return unfinished("the file is empty");
  Elf64_Ehdr header;
  if (bytes.size() < SELFMAG || std::memcmp(bytes.data(), ELFMAG, SELFMAG) != 0) {
    return refuse("the file is no ELF library");
  }
  if (bytes.size() < sizeof header) return unfinished("the file is incomplete: copy it again");
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
#if defined(__x86_64__)
      header.e_machine != EM_X86_64
#elif defined(__aarch64__)
      header.e_machine != EM_AARCH64
#else
      false
#endif
  ) {
    return refuse("the library is for another kind of machine: build it on one like this");
  }
  if (header.e_type != ET_DYN) return refuse("the file is no shared library");
  const std::uint64_t end =
      header.e_shoff + static_cast<std::uint64_t>(header.e_shnum) * header.e_shentsize;
  if (header.e_shoff > bytes.size() || end > bytes.size()) {
    return unfinished("the file is incomplete: copy it again");
  }
  return {};
}

}  // namespace

Result<FileStamp> stamp_of(const std::filesystem::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    return errno_error(errno, path.string(), ErrorKind::kNotFound);
  }
  if (!S_ISREG(info.st_mode)) return refuse("it is no regular file");
  return stamp_from(info);
}

Result<LibraryCopy> copy_library(const std::filesystem::path& path,
                                 const std::filesystem::path& cache) {
  // Not blocking: a FIFO of that name must not stop the scan.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat before {};
  if (!fd || ::fstat(fd.get(), &before) != 0) {
    return errno_error(errno, "the file cannot be read", ErrorKind::kInvalid);
  }
  if (!S_ISREG(before.st_mode)) return refuse("it is no regular file");
  if (before.st_uid != ::geteuid() && before.st_uid != 0) {
    return refuse("the file belongs to another user: it must belong to the server's user or root");
  }
  if ((before.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return refuse("the file can be written by others: chmod go-w " + path.string());
  }
  auto bytes = read_fd(fd.get(), kMaxLibrary);
  if (!bytes) return refuse(bytes.error().message);
  struct stat after {};
  if (::fstat(fd.get(), &after) != 0 || stamp_from(before) != stamp_from(after) ||
      bytes->size() != static_cast<std::size_t>(after.st_size)) {
    return unfinished("the file is being written: it is taken over when that is done");
  }
  if (auto elf = check_elf(*bytes); !elf) return elf.error();

  LibraryCopy copy;
  copy.sha256 = sha256_hex(*bytes);
  copy.path = cache / (copy.sha256 + ".so");
  // Renamed into place, so a copy that is there is whole; and the name says what is in it.
  if (const auto known = read_file(copy.path, kMaxLibrary); known && *known == *bytes) return copy;
  if (auto made = make_private_folders(cache); !made) return made.error();
  if (auto written = write_file_atomic(copy.path, *bytes); !written) return written.error();
  return copy;
}

}  // namespace runyard
