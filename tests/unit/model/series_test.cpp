#include "core/model/series.h"

#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>
#include <set>

namespace runyard {
namespace {

TEST(Curve, KeepsAllWhileTheyAreFew) {
  Curve curve;
  EXPECT_TRUE(curve.points().empty());
  for (int i = 0; i < 1999; ++i) curve.add(i, 2 * i);
  EXPECT_EQ(curve.points().size(), 1999u);
  EXPECT_EQ(curve.points()[1000], std::pair(1000.0, 2000.0));
}

TEST(Curve, IsThinnedButKeepsFirstAndLast) {
  Curve curve;
  std::set<std::pair<double, double>> gone;
  std::vector<std::pair<double, double>> before;
  for (int i = 0; i < 100'000; ++i) {
    curve.add(i, -i);
    if (i % 997 != 0 && i < 99'990) continue;
    const auto points = curve.points();
    ASSERT_LE(points.size(), Curve::kMaxPoints) << i;
    ASSERT_GE(points.size(), std::min<std::size_t>(static_cast<std::size_t>(i), 999)) << i;
    ASSERT_EQ(points.front(), std::pair(0.0, -0.0));
    ASSERT_EQ(points.back(), std::make_pair(double(i), double(-i)));
    ASSERT_TRUE(std::is_sorted(points.begin(), points.end()));
    // What was thinned out does not come back.
    for (const auto& point : points) ASSERT_FALSE(gone.contains(point)) << i;
    for (const auto& point : before) {
      if (!std::binary_search(points.begin(), points.end(), point)) gone.insert(point);
    }
    before = points;
  }
}

TEST(Series, AsADocument) {
  EXPECT_EQ(
      boost::json::serialize(to_json({{"loss", "step", {{1, 0.5}, {2, 0.25}}}, {"n", "", {}}})),
      R"([{"name":"loss","x_name":"step","points":[[1E0,5E-1],[2E0,2.5E-1]]},)"
      R"({"name":"n","x_name":null,"points":[]}])");
}

}  // namespace
}  // namespace runyard
