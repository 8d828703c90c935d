#pragma once

#include <sys/stat.h>

#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/confined_path.h"

namespace runyard {

/// What tells one state of a file from another.
struct FileIdentity {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  std::int64_t modified_ns = 0, changed_ns = 0;
  bool operator==(const FileIdentity&) const = default;
};
FileIdentity identity_of(const struct stat& info);

/// Whether a file with this identity, read at `now_ns` (since 1970), cannot have been changed
/// afterwards without getting another identity: its last change is so long ago that the clock of
/// its file system has moved on.
bool is_settled(const FileIdentity& identity, std::int64_t now_ns);

/// A folder of the workspace that is held open. Everything below it is named by relative paths;
/// what is opened is opened by the Confinement, from the workspace on. Use by one thread.
class Folder {
 public:
  /// kNotFound, kInvalid: as Confinement::open_beneath.
  static Result<Folder> open(const Confinement& confinement, std::string path);

  struct Entry {
    std::string name;
    bool is_folder = false;  ///< a link counts as what it leads to
    bool is_link = false;
  };
  /// In no order; without `.` and `..`, and without what is neither a file nor a folder.
  std::vector<Entry> entries() const;

  /// What stands at `name` now; nullopt when nothing does. Does not open it: a link is followed
  /// wherever it leads, so nothing but equality may be concluded from the answer.
  std::optional<FileIdentity> identity(const std::string& name) const;
  bool has(const std::string& name) const { return identity(name).has_value(); }

  Result<UniqueFd> open_file(const std::string& name) const;
  Result<Folder> open_folder(const std::string& name) const;

  /// Its place in the workspace.
  const std::string& path() const { return path_; }
  std::string path_of(const std::string& name) const {
    return path_ == "." ? name : path_ + "/" + name;
  }

 private:
  Folder(const Confinement& confinement, std::string path, UniqueFd fd)
      : confinement_(&confinement), path_(std::move(path)), fd_(std::move(fd)) {}
  const Confinement* confinement_;
  std::string path_;
  UniqueFd fd_;
};

/// A file's bytes with what it was while they were read.
struct FileContent {
  std::string bytes;
  FileIdentity identity;
  bool is_settled = false;  ///< it did not change meanwhile, and no later change can hide
};
/// kNotFound, kInvalid (not a regular file, above `limit` bytes).
Result<FileContent> read_content(const Folder& folder, const std::string& name, std::size_t limit);

/// What was made of files, kept as long as the files stay what they were. Each get() looks at the
/// file; so an answer is never stale, also when a file changed twice within one tick of its file
/// system's clock: what was read too soon after a change is read again. Thread-safe; parsing runs
/// outside of the lock. Holds the `capacity` entries that were used last.
template <class T>
class FileCache {
 public:
  using Value = Result<std::shared_ptr<const T>>;

  FileCache(std::size_t capacity, std::size_t max_bytes)
      : capacity_(capacity), max_bytes_(max_bytes) {}

  /// `parse(bytes)` gives a Result<T>; its failure is remembered as well. kNotFound: no such file.
  template <class Parse>
  Value get(const Folder& folder, const std::string& name, Parse&& parse) {
    const std::string path = folder.path_of(name);
    const auto now = folder.identity(name);
    if (!now) return make_error(ErrorKind::kNotFound, path + " is missing");
    return get(folder, name, *now, std::forward<Parse>(parse));
  }

  /// The same when the caller has looked at the file just now.
  template <class Parse>
  Value get(const Folder& folder, const std::string& name, const FileIdentity& now, Parse&& parse) {
    const std::string path = folder.path_of(name);
    {
      std::lock_guard lock(mutex_);
      const auto found = entries_.find(path);
      if (found != entries_.end() && found->second->identity == now) {
        order_.splice(order_.begin(), order_, found->second);
        return found->second->value;
      }
    }
    auto content = read_content(folder, name, max_bytes_);
    if (!content) {
      return make_error(content.error().kind, path + ": " + content.error().message);
    }
    Result<T> parsed = parse(std::string_view(content->bytes));
    Value value = parsed ? Value(std::make_shared<const T>(std::move(*parsed)))
                         : Value(make_error(parsed.error().kind,
                                            path + " is left out: " + parsed.error().message));
    if (content->is_settled) keep(path, content->identity, value);
    return value;
  }

 private:
  struct Entry {
    std::string path;
    FileIdentity identity;
    Value value;
  };

  void keep(const std::string& path, const FileIdentity& identity, const Value& value) {
    std::lock_guard lock(mutex_);
    if (const auto found = entries_.find(path); found != entries_.end()) {
      order_.erase(found->second);
      entries_.erase(found);
    }
    order_.push_front({path, identity, value});
    entries_[path] = order_.begin();
    if (order_.size() > capacity_) {
      entries_.erase(order_.back().path);
      order_.pop_back();
    }
  }

  const std::size_t capacity_, max_bytes_;
  std::mutex mutex_;        // guards what follows
  std::list<Entry> order_;  // the one used last is the first
  std::unordered_map<std::string, typename std::list<Entry>::iterator> entries_;
};

}  // namespace runyard
