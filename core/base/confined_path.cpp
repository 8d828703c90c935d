#include "core/base/confined_path.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/text.h"

namespace runyard {
namespace {

constexpr std::size_t kMaxPath = 1024;

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

Error refuse(std::string_view path, const char* why) {
  // Control characters must not reach a terminal through a message.
  std::string shown = ellipsize(path, 200);
  for (char& c : shown) {
    if (is_control(c)) c = '?';
  }
  return make_error(ErrorKind::kInvalid, "the path '" + shown + "' " + why);
}

/// openat2 beneath `root`; -1 with errno. The race detection of the kernel asks to try again
/// (EAGAIN) when the tree is renamed meanwhile.
int open_under(int root, const char* path, bool folder) {
  struct open_how how {};
  how.flags = static_cast<__u64>(O_RDONLY | O_CLOEXEC | O_NONBLOCK | (folder ? O_DIRECTORY : 0));
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  for (int attempt = 0;; ++attempt) {
    const long fd = ::syscall(SYS_openat2, root, path, &how, sizeof how);
    if (fd >= 0 || errno != EAGAIN || attempt == 16) return static_cast<int>(fd);
  }
}

}  // namespace

Result<Confinement> Confinement::open(const std::filesystem::path& workspace,
                                      const std::vector<std::filesystem::path>& roots) {
  Confinement confinement;
  std::vector<std::filesystem::path> all{workspace};
  all.insert(all.end(), roots.begin(), roots.end());
  for (const auto& path : all) {
    std::error_code error;
    auto real = std::filesystem::canonical(path, error);
    if (error) {
      return make_error(ErrorKind::kInvalid,
                        "the folder " + path.string() + " cannot be used: " + error.message());
    }
    UniqueFd fd(::open(real.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return make_error(ErrorKind::kInvalid, path.string() + " is not a folder");
    confinement.roots_.push_back({std::move(real), std::move(fd)});
  }
  return confinement;
}

Result<std::string> Confinement::normalize(std::string_view path) {
  if (path.empty()) return refuse(path, "is empty; give a path relative to the workspace");
  if (path.size() > kMaxPath) return refuse(path, "is too long");
  if (path.front() == '/')
    return refuse(path, "is absolute; give a path relative to the workspace");
  for (char c : path) {
    if (is_control(c)) return refuse(path, "has a control character in it");
  }
  std::string normal;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, end - at);
    if (part == "..") return refuse(path, "has '..' in it; give a path inside the workspace");
    if (!part.empty() && part != ".") {
      if (!normal.empty()) normal += '/';
      normal += part;
    }
    at = end + 1;
  }
  if (normal.empty()) normal = ".";
  return normal;
}

Result<UniqueFd> Confinement::open_beneath(std::string_view path, Kind kind) const {
  auto normal = normalize(path);
  if (!normal) return normal.error();
  const bool folder = kind == Kind::kFolder;
  UniqueFd fd(open_under(roots_.front().fd.get(), normal->c_str(), folder));
  if (!fd && errno == EXDEV) {
    // A link led out of the workspace (or was absolute): look where to, and open that beneath the
    // root that holds it. The resolved path has no links, so nothing is trusted but its spelling.
    std::error_code error;
    const auto real = std::filesystem::canonical(workspace() / *normal, error);
    int code = error ? ENOENT : EXDEV;
    if (!error) {
      for (const Root& root : roots_) {
        const auto relative = real.lexically_relative(root.path);
        if (relative.empty() || *relative.begin() == "..") continue;
        fd = UniqueFd(open_under(root.fd.get(), relative.c_str(), folder));
        code = errno;
        break;
      }
    }
    errno = code;
  }
  if (!fd) {
    switch (errno) {
      case ENOENT:
        return make_error(ErrorKind::kNotFound,
                          "'" + *normal + "' does not exist in the workspace");
      case EXDEV:
      case ELOOP:
        return refuse(path,
                      "leads out of the workspace; allowed further folders are "
                      "'workspace.roots' in the configuration");
      case ENOTDIR:
        return folder ? refuse(path, "is not a folder")
                      : make_error(ErrorKind::kNotFound,
                                   "'" + *normal + "' does not exist in the workspace");
      case ENAMETOOLONG:
        return refuse(path, "is too long");
      default:
        return errno_error(errno, "'" + *normal + "' cannot be opened", ErrorKind::kInvalid);
    }
  }
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return errno_error(errno, "cannot stat '" + *normal + "'");
  if (!folder && !S_ISREG(info.st_mode)) return refuse(path, "is not a regular file");
  return fd;
}

}  // namespace runyard
