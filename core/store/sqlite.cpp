#include "core/store/sqlite.h"

#include <sqlite3.h>

namespace runyard::sqlite {
namespace {

Error to_error(sqlite3* database, const char* what) {
  const int code = sqlite3_errcode(database);
  const bool full = code == SQLITE_FULL || code == SQLITE_IOERR;
  return make_error(full ? ErrorKind::kNoSpace : ErrorKind::kInternal,
                    std::string(what) + ": " + sqlite3_errmsg(database));
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
void Database::Close::operator()(sqlite3* database) const { sqlite3_close_v2(database); }

void Statement::bind(int index, std::int64_t value) {
  sqlite3_bind_int64(statement_.get(), index, value);
}

void Statement::bind(int index, std::string_view value) {
  // A null pointer would bind NULL; an empty text is wanted.
  sqlite3_bind_text64(statement_.get(), index, value.data() ? value.data() : "", value.size(),
                      SQLITE_TRANSIENT, SQLITE_UTF8);
}

Result<bool> Statement::step() {
  switch (sqlite3_step(statement_.get())) {
    case SQLITE_ROW:
      return true;
    case SQLITE_DONE:
      return false;
    default:
      return to_error(sqlite3_db_handle(statement_.get()), "the database refused a statement");
  }
}

Result<> Statement::run() {
  for (;;) {
    const auto row = step();
    if (!row) {
      const Error error = row.error();
      reset();
      return error;
    }
    if (!*row) break;
  }
  reset();
  return {};
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::string_view Statement::text(int column) const {
  const auto* data = sqlite3_column_text(statement_.get(), column);
  if (!data) return {};
  return {reinterpret_cast<const char*>(data),
          static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

Result<Database> Database::open(const std::filesystem::path& path, Mode mode) {
  sqlite3* raw = nullptr;
  const int flags = (mode == Mode::kReadOnly ? SQLITE_OPEN_READONLY
                                             : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) |
                    SQLITE_OPEN_NOMUTEX;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  Database database;
  database.database_.reset(raw);
  if (code != SQLITE_OK) return to_error(raw, ("cannot open " + path.string()).c_str());
  sqlite3_busy_timeout(raw, 10'000);
  return database;
}

Result<> Database::execute(const std::string& sql) {
  if (sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return to_error(database_.get(), "the database refused a statement");
  }
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v3(database_.get(), sql.data(), static_cast<int>(sql.size()),
                         SQLITE_PREPARE_PERSISTENT, &raw, nullptr) != SQLITE_OK) {
    return to_error(database_.get(), "the database cannot prepare a statement");
  }
  Statement statement;
  statement.statement_.reset(raw);
  return statement;
}

bool Database::is_corrupt() const {
  const int code = sqlite3_errcode(database_.get());
  return code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
}

}  // namespace runyard::sqlite
