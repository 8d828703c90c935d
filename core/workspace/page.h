#pragma once

#include <boost/json/array.hpp>
#include <string>

namespace runyard {

/// A part of a list.
struct Page {
  boost::json::array rows;
  std::size_t total = 0;  ///< on all pages
};

/// Which part of a list that is newest first.
struct PageQuery {
  std::string ticker;  ///< "" for all; upper and lower case are the same
  std::size_t offset = 0, limit = 30;
};

}  // namespace runyard
