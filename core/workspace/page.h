#pragma once

#include <boost/json/array.hpp>
#include <boost/json/monotonic_resource.hpp>
#include <string>

namespace runyard {

/// A part of a list.
struct Page {
  /// Each row is made in `rows.storage()`: thousands of them come and go as one block.
  boost::json::array rows =
      boost::json::array(boost::json::make_shared_resource<boost::json::monotonic_resource>());
  std::size_t total = 0;  ///< on all pages
};

/// Which part of a list that is newest first.
struct PageQuery {
  std::string ticker;  ///< "" for all; upper and lower case are the same
  std::size_t offset = 0, limit = 30;
};

}  // namespace runyard
