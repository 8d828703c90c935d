#pragma once

#include <re2/re2.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/job_type.h"
#include "core/model/series.h"

namespace runyard {

/// A number as people and programs write it ("1,234", "1_000", "1e3"); nullopt for anything else,
/// also for what is not finite.
std::optional<double> to_number(re2::StringPiece text);

/// Finds the points of a job's curves in the texts of its log. Owned and used by the log's scanner.
///
/// Without `x`, points are numbered. With `x`, a y line is a point with the x seen last (in the
/// same line, too). With `block_end`, a block is a point when it has both, in whatever order; of
/// several the last ones.
class SeriesScanner {
 public:
  static constexpr std::size_t kMaxSeries = 64;

  /// kInvalid for a pattern that is no RE2.
  static Result<SeriesScanner> make(const std::vector<SeriesSpec>& specs);

  void scan(std::string_view text);
  /// A point that the command names itself; `x` empty: it is numbered.
  void add(const std::string& name, const std::string& x_name, std::optional<double> x, double y);
  /// At the end of the log: a block that was not closed counts.
  void finish();
  void clear();

  /// Grows with every point.
  std::int64_t version() const { return version_; }
  /// Those that have points, the descriptor's first, in its order.
  std::vector<Series> all() const;

 private:
  struct Pattern {
    std::unique_ptr<RE2> y, x, block_end;  // x and block_end may be null
  };
  struct Line {
    std::string name, x_name;
    std::optional<double> x, y;  // of the block
    Curve curve;
  };
  void put(Line& line, std::optional<double> x, double y);

  std::vector<Pattern> patterns_;  // of the first of lines_
  std::vector<Line> lines_;
  std::int64_t version_ = 0;
};

}  // namespace runyard
