#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/confined_path.h"
#include "core/workspace/equity.h"
#include "core/workspace/file_cache.h"
#include "core/workspace/page.h"
#include "core/workspace/trades.h"

namespace runyard {

/// The backtests: `backtests/<bt_run_id>/`, one ticker each. What cannot be read of one is null in
/// its document and named in its `warnings`. Owned by the service; any thread.
class Backtests {
 public:
  explicit Backtests(const Confinement& confinement);

  /// Newest first; those that have a `metrics.json`. Without a folder `backtests` an empty page.
  Result<Page> recent(const PageQuery& query);
  /// The document of API.md but for `jobs`. It holds the newest kMaxTrades trades. kNotFound.
  Result<boost::json::object> find(std::string_view bt_run_id);
  /// The points of the curve, as in the document. kNotFound; kInvalid when they cannot be read.
  Result<boost::json::array> equity(std::string_view bt_run_id);
  /// A part of all trades, in the order of the file. Errors as equity().
  Result<Page> trades(std::string_view bt_run_id, std::size_t offset, std::size_t limit);
  /// The open picture with an identity for ETag. kNotFound when there is none.
  struct Picture {
    UniqueFd fd;
    FileIdentity identity;
  };
  Result<Picture> plot(std::string_view bt_run_id);

  static constexpr std::size_t kMaxTrades = 5000;

 private:
  struct Facts;
  /// `metrics`: what metrics.json is now; nullopt when it is missing.
  Facts facts_of(const Folder& folder, const std::string& prefix, std::string_view id,
                 const std::optional<FileIdentity>& metrics);

  const Confinement& confinement_;
  // For the list: few fields of many files.
  FileCache<boost::json::object> results_;     // of metrics.json
  FileCache<boost::json::object> selections_;  // of selection.json
  FileCache<boost::json::value> tickers_;      // of config.yaml
  // For the documents that were looked at last.
  FileCache<boost::json::object> objects_;
  FileCache<EquityCurve> curves_;
};

}  // namespace runyard
