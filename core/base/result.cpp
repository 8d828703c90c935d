#include "core/base/result.h"

#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace runyard {

void throw_exception_from_error(const Error& error, const boost::source_location& where) {
  throw std::logic_error("unchecked error at " + std::string(where.file_name()) + ": " +
                         error.message);
}

Error errno_error(int code, const std::string& what, ErrorKind kind) {
  if (code == ENOSPC || code == EDQUOT) kind = ErrorKind::kNoSpace;
  return make_error(kind, what + ": " + std::generic_category().message(code));
}

}  // namespace runyard
