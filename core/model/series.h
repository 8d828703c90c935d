#pragma once

#include <boost/json/array.hpp>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace runyard {

/// A curve as it is given out: at most Curve::kMaxPoints points, the first and the last among them.
struct Series {
  std::string name;
  std::string x_name;  ///< "": x is the number of the point, from 1
  std::vector<std::pair<double, double>> points;
};

/// `[{name, x_name, points: [[x, y], ...]}]`; `x_name` null for "".
boost::json::array to_json(const std::vector<Series>& all);

/// The points of a curve as they come, thinned so that they never are many: every n-th is kept, and
/// n doubles when there are too many. So what is kept of the same points is always the same, and a
/// point that was thinned out never comes back. A plain value.
class Curve {
 public:
  static constexpr std::size_t kMaxPoints = 2000;

  void add(double x, double y);
  std::int64_t count() const { return count_; }
  /// The kept ones and the last one.
  std::vector<std::pair<double, double>> points() const;

 private:
  std::vector<std::pair<double, double>> kept_;
  std::pair<double, double> last_;
  std::int64_t count_ = 0, every_ = 1;
};

}  // namespace runyard
