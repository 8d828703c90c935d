#include "core/workspace/equity.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cmath>
#include <set>

namespace runyard {
namespace {

namespace json = boost::json;

EquityCurve curve_of(std::string_view text) {
  auto curve = read_equity(text);
  if (curve) return std::move(*curve);
  ADD_FAILURE() << curve.error().message;
  return {};
}

std::string window(const EquityCurve& curve) {
  const auto text = [&](const char* field) {
    const auto& value = curve.mdd_window.at(field);
    return value.is_null() ? std::string("-") : std::string(value.get_string());
  };
  return text("mdd_peak_date") + " " + text("mdd_trough_date") + " " + text("mdd_recovery_date");
}

TEST(Equity, ReadsBothWriters) {
  EXPECT_EQ(
      json::value(curve_of("date,value,capital,position_value\n"
                           "2017-10-16T00:00:00,10000,9000.0,1000\n2017-10-17T00:00:00,nan,,\n")
                      .points),
      json::parse(R"([{"date": "2017-10-16T00:00:00", "portfolio_value": 10000.0,
                             "benchmark_value": null, "injected_cash": null},
                            {"date": "2017-10-17T00:00:00", "portfolio_value": null,
                             "benchmark_value": null, "injected_cash": null}])"));
  EXPECT_EQ(json::value(curve_of("\xEF\xBB\xBF"
                                 "date,portfolio_value,benchmark_value,injected_cash\r\n"
                                 "2017-10-16,10.5,11,0\r\n")
                            .points),
            json::parse(R"([{"date": "2017-10-16", "portfolio_value": 10.5,
                             "benchmark_value": 11.0, "injected_cash": 0.0}])"));
}

TEST(Equity, MayBeEmpty) {
  for (const char* text : {"", "# no equity data\n", "date,value\n"}) {
    const auto curve = curve_of(text);
    EXPECT_TRUE(curve.points.empty()) << text;
    EXPECT_EQ(window(curve), "- - -") << text;
  }
  EXPECT_FALSE(read_equity("day,worth\n1,2\n"));
}

TEST(Equity, FindsTheDeepestFall) {
  const std::string head = "date,value\n";
  EXPECT_EQ(window(curve_of(head + "a,100\nb,80\nc,100\nd,120\ne,60\nf,90\ng,125\nh,110\n")),
            "d e g");
  EXPECT_EQ(window(curve_of(head + "a,100\nb,50\nc,99\n")), "a b -");
  EXPECT_EQ(window(curve_of(head + "a,1\nb,2\nc,2\nd,3\n")), "- - -");
  EXPECT_EQ(window(curve_of(head + "a,100\nb,nan\nc,100\nd,50\ne,100\n")), "c d e");
  EXPECT_EQ(window(curve_of(head + "a,0\nb,-5\nc,nan\n")), "- - -");
}

TEST(Equity, IsThinnedButKeepsWhatMatters) {
  std::string text = "date,value\n";
  constexpr int kDays = 30'000;
  for (int i = 0; i < kDays; ++i) {
    double value = 1000 + 200 * std::sin(i / 700.0) + i % 7;
    if (i == 12'345) value = 5000;  // each of one day
    if (i == 23'456) value = 1;
    text += fmt::format("d{},{}\n", i, value);
  }
  const auto curve = curve_of(text);
  EXPECT_LE(curve.points.size(), EquityCurve::kMaxPoints);
  EXPECT_GT(curve.points.size(), EquityCurve::kMaxPoints / 2);
  std::set<std::string> days;
  int before = -1;
  for (const auto& point : curve.points) {
    days.emplace(point.at("date").get_string());
    const int day = std::stoi(std::string(point.at("date").get_string()).substr(1));
    EXPECT_GT(day, before);
    before = day;
  }
  for (const char* day : {"d0", "d29999", "d12345", "d23456"})
    EXPECT_TRUE(days.contains(day)) << day;
  EXPECT_EQ(window(curve), "d12345 d23456 -");
}

TEST(Equity, IsWholeUpToTheLimit) {
  std::string text = "date,value\n";
  for (std::size_t i = 0; i < EquityCurve::kMaxPoints; ++i) text += fmt::format("d{},{}\n", i, i);
  EXPECT_EQ(curve_of(text).points.size(), EquityCurve::kMaxPoints);
  EXPECT_LE(curve_of(text + "e,1\n").points.size(), EquityCurve::kMaxPoints);
}

TEST(Equity, SaysWhatItLeftOut) {
  const auto curve = curve_of("date,value\na,1\nb");
  EXPECT_EQ(curve.points.size(), 1u);
  EXPECT_EQ(curve.warnings, (json::array{"one row is incomplete and was left out"}));
}

}  // namespace
}  // namespace runyard
