#pragma once

#include <boost/system/result.hpp>
#include <string>
#include <utility>
#include <vector>

namespace runyard {

/// What kind of failure an Error is; the HTTP layer and the CLI map it to a status and an exit
/// code.
enum class ErrorKind {
  kMalformed,    ///< 400: not JSON, not a number
  kForbidden,    ///< 403
  kNotFound,     ///< 404
  kConflict,     ///< 409: the state does not allow it
  kInvalid,      ///< 422: schema, path or reference
  kBusy,         ///< 429: the queue is full
  kInternal,     ///< 500
  kUnavailable,  ///< 503: draining, plugin host down
  kNoSpace,      ///< 507: the disk is full
};

/// One bad input: where (a JSON pointer into the request, "" for the whole of it) and what to do.
struct FieldError {
  std::string pointer;
  std::string message;
};

/// A failure as a value. `message` is one sentence for the user: what is wrong and what to do.
struct Error {
  ErrorKind kind = ErrorKind::kInternal;
  std::string message;
  std::vector<FieldError> fields;  ///< every bad input, for kInvalid
};

/// Found by boost::system::result when value() is called on a failure: a defect of the caller.
[[noreturn]] void throw_exception_from_error(const Error& error,
                                             const boost::source_location& where);

/// A T or an Error. Test it (`if (!r)`) before `*r`; no exception is thrown by either.
template <class T = void>
using Result = boost::system::result<T, Error>;

inline Error make_error(ErrorKind kind, std::string message) {
  return Error{kind, std::move(message), {}};
}
/// kInvalid for one field; the sentence is also the message of the whole.
inline Error invalid_field(std::string pointer, std::string message) {
  Error error{ErrorKind::kInvalid, message, {}};
  error.fields.push_back({std::move(pointer), std::move(message)});
  return error;
}
/// `what: strerror(code)`; ENOSPC and EDQUOT become kNoSpace, anything else `kind`.
Error errno_error(int code, const std::string& what, ErrorKind kind = ErrorKind::kInternal);

}  // namespace runyard
