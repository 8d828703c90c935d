#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace runyard::sqlite {

/// A prepared statement. Bind by position from 1, step, read columns from 0. Not thread-safe; must
/// not outlive its Database. bind_text keeps no reference to the caller's text.
class Statement {
 public:
  Statement() = default;
  void bind(int index, std::int64_t value);
  void bind(int index, std::string_view value);
  /// true: a row is there; false: done. kNoSpace for a full disk, kInternal otherwise.
  Result<bool> step();
  /// step() until done, then reset: for statements that return nothing.
  Result<> run();
  void reset();
  std::int64_t integer(int column) const;
  std::string_view text(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// One connection. Used by one thread at a time.
class Database {
 public:
  enum class Mode { kReadWrite, kReadOnly };
  static Result<Database> open(const std::filesystem::path& path, Mode mode);
  Result<> execute(const std::string& sql);
  Result<Statement> prepare(std::string_view sql);
  /// True when the last error says that the file is no database or a damaged one.
  bool is_corrupt() const;

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  std::unique_ptr<sqlite3, Close> database_;
};

}  // namespace runyard::sqlite
