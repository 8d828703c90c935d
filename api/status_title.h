#pragma once

#include <string_view>

namespace runyard {

/// The title of a problem document, the same whichever layer answers. A status that is not listed
/// is one that no part of the server answers by itself.
constexpr std::string_view status_title(int status) {
  switch (status) {
    case 400:
      return "Bad request";
    case 401:
      return "Sign in first";
    case 403:
      return "Forbidden";
    case 404:
      return "Not found";
    case 405:
      return "Method not allowed";
    case 408:
      return "Request too slow";
    case 409:
      return "Conflict";
    case 411:
      return "Length required";
    case 413:
      return "Request too large";
    case 414:
      return "Address too long";
    case 415:
      return "Unsupported media type";
    case 416:
      return "Range not satisfiable";
    case 417:
      return "Expectation failed";
    case 421:
      return "Misdirected request";
    case 422:
      return "Invalid input";
    case 429:
      return "Too many requests";
    case 431:
      return "Header too large";
    case 501:
      return "Not implemented";
    case 503:
      return "Not available now";
    case 505:
      return "HTTP version not supported";
    case 507:
      return "Disk full";
    default:
      return "Internal error";
  }
}

}  // namespace runyard
