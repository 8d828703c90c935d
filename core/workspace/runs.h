#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <string>
#include <string_view>

#include "core/base/confined_path.h"
#include "core/workspace/file_cache.h"
#include "core/workspace/page.h"

namespace runyard {

/// The training runs: `runs/<run_id>/`. Any file of a run may be missing or half-written, as of one
/// that is still training or that died: what cannot be read is null in the document and named in
/// its `warnings`. Owned by the service; any thread.
class Runs {
 public:
  explicit Runs(const Confinement& confinement);

  /// Newest first, by their ids. Without a folder `runs` an empty page.
  Result<Page> recent(const PageQuery& query);
  /// The document of API.md but for `jobs`. kNotFound.
  Result<boost::json::object> find(std::string_view run_id);
  /// Names of the checkpoint files in the order of their steps. kMalformed without a ticker when
  /// `finetuned`.
  Result<boost::json::array> checkpoints(std::string_view run_id, bool finetuned,
                                         std::string_view ticker);

 private:
  const Confinement& confinement_;
  FileCache<boost::json::object> facts_;    // start_time, end_time, status of a manifest
  FileCache<boost::json::array> tickers_;   // of a config
  FileCache<boost::json::object> objects_;  // the documents of the runs that were looked at last
};

}  // namespace runyard
