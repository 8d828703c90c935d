#pragma once

#include <filesystem>

namespace runyard {

/// What says that a database is as its last server closed it: `<database>.clean`, with its inode,
/// size and time of change. A server that ends otherwise leaves none.
class CleanMark {
 public:
  explicit CleanMark(std::filesystem::path database) : database_(std::move(database)) {}

  /// True when the mark is there and fits; it is removed in any case, before the file changes.
  bool take() const;
  /// Behind the close: the database is one file by then, flushed by SQLite's last checkpoint.
  void leave() const;

 private:
  std::filesystem::path file() const { return database_.string() + ".clean"; }
  const std::filesystem::path database_;
};

}  // namespace runyard
