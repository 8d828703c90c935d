#pragma once

#include <boost/json/array.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/base/confined_path.h"
#include "core/workspace/file_cache.h"
#include "core/workspace/page.h"

namespace runyard {

/// What a list of models is narrowed to, and its order. A row without a value in a column that a
/// limit looks at is left out.
struct ModelFilter {
  std::string ticker, mode;  ///< "" for all; upper and lower case are the same
  std::optional<double> min_lift, min_precision, min_support, max_buy_rate;
  struct Order {
    std::string column;
    bool descending = false;
  };
  std::vector<Order> order;  ///< the first counts most; none: the order of the file
  std::size_t offset = 0, limit = 200;
};

/// `lift_desc,buy_rate_asc`: names of columns with a direction. kInvalid for anything else.
Result<std::vector<ModelFilter::Order>> parse_model_order(std::string_view text);

/// The registry in `reports/registry`: every model, and the best one of each ticker. Each of the
/// two tables is a CSV file with a JSON twin; the one that was written last is read, and the other
/// one when that is missing or damaged. Owned by the service; any thread.
class ModelRegistry {
 public:
  explicit ModelRegistry(const Confinement& confinement);

  /// The best model of each ticker, in the fields of the API. kNotFound, with the command that
  /// makes it, when there is no registry.
  Result<boost::json::array> best();

  /// Rows with every column of the CSV file, typed.
  Result<Page> models(const ModelFilter& filter);

 private:
  using Table = boost::json::array;
  FileCache<Table>::Value table(const std::string& name);
  const Confinement& confinement_;
  FileCache<Table> tables_;
};

}  // namespace runyard
