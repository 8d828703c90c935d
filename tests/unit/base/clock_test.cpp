#include "core/base/clock.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>

#include <random>
#include <string>

namespace runyard {
namespace {

/// The local zone for one test, as a POSIX rule, so that no zone files are needed.
class Zone {
 public:
  explicit Zone(const char* rule) {
    if (const char* before = ::getenv("TZ")) before_ = before;
    ::setenv("TZ", rule, 1);
    ::tzset();
  }
  ~Zone() {
    if (before_.empty()) {
      ::unsetenv("TZ");
    } else {
      ::setenv("TZ", before_.c_str(), 1);
    }
    ::tzset();
  }

 private:
  std::string before_;
};

constexpr const char* kZones[] = {"UTC0",
                                  "CST-8",
                                  "IST-5:30",
                                  "<+1245>-12:45",
                                  "<-12>12",
                                  "<+14>-14",
                                  "EST5EDT,M3.2.0,M11.1.0",
                                  "NST3:30NDT,M3.2.0,M11.1.0",
                                  "AEST-10AEDT,M10.1.0,M4.1.0/3"};

TEST(FormatTime, HasMillisecondsAndTheLocalZone) {
  constexpr TimeMs kTime = 1'795'313'730'123;
  {
    Zone zone("UTC0");
    EXPECT_EQ(format_time(kTime), "2026-11-22T02:15:30.123+00:00");
    EXPECT_EQ(format_compact(kTime), "20261122_021530");
    EXPECT_EQ(format_time(0), "1970-01-01T00:00:00.000+00:00");
  }
  {
    Zone zone("CST-8");
    EXPECT_EQ(format_time(kTime), "2026-11-22T10:15:30.123+08:00");
    EXPECT_EQ(format_compact(kTime), "20261122_101530");
  }
  {
    Zone zone("NST3:30NDT,M3.2.0,M11.1.0");
    EXPECT_EQ(format_time(kTime), "2026-11-21T22:45:30.123-03:30");
    EXPECT_EQ(format_compact(kTime), "20261121_224530");
  }
}

TEST(FormatTime, BeforeTheEpoch) {
  Zone zone("UTC0");
  EXPECT_EQ(format_time(-1), "1969-12-31T23:59:59.999+00:00");
  EXPECT_EQ(format_time(-1000), "1969-12-31T23:59:59.000+00:00");
  EXPECT_EQ(format_time(-1001), "1969-12-31T23:59:58.999+00:00");
  EXPECT_EQ(format_time(-86'400'000), "1969-12-31T00:00:00.000+00:00");
}

TEST(FormatTime, TheHourThatComesTwiceIsToldApart) {
  Zone zone("EST5EDT,M3.2.0,M11.1.0");
  constexpr TimeMs kSummer = 1'793'511'000'000;  // 2026-11-01, an hour before the change
  EXPECT_EQ(format_time(kSummer), "2026-11-01T01:30:00.000-04:00");
  EXPECT_EQ(format_time(kSummer + 3'600'000), "2026-11-01T01:30:00.000-05:00");
  EXPECT_EQ(parse_time("2026-11-01T01:30:00.000-04:00"), kSummer);
  EXPECT_EQ(parse_time("2026-11-01T01:30:00.000-05:00"), kSummer + 3'600'000);
}

TEST(ParseTime, ReadsWhatFormatWritesInEveryZone) {
  std::mt19937_64 random(20261122);
  // 1902 to 2200, and what lies around changes of the day, the year and the sign.
  std::uniform_int_distribution<TimeMs> times(-2'145'916'800'000, 7'258'118'400'000);
  for (const char* rule : kZones) {
    Zone zone(rule);
    for (const TimeMs time : {TimeMs{0}, TimeMs{-1}, TimeMs{1}, TimeMs{-999}, TimeMs{-1000},
                              TimeMs{951'782'400'000}, TimeMs{951'868'799'999}}) {
      EXPECT_EQ(parse_time(format_time(time)), time) << rule << " " << format_time(time);
    }
    for (int i = 0; i < 500; ++i) {
      const TimeMs time = times(random);
      ASSERT_EQ(parse_time(format_time(time)), time) << rule << " " << format_time(time);
    }
  }
}

TEST(ParseTime, TheZoneIsTheTextsOwn) {
  for (const char* rule : kZones) {
    Zone zone(rule);
    constexpr TimeMs kTime = 1'795'313'730'123;
    EXPECT_EQ(parse_time("2026-11-22T10:15:30.123+08:00"), kTime);
    EXPECT_EQ(parse_time("2026-11-22T02:15:30.123Z"), kTime);
    EXPECT_EQ(parse_time("2026-11-21T22:45:30.123-03:30"), kTime);
    EXPECT_EQ(parse_time("2026-11-22T02:15:30.123-00:00"), kTime);
  }
}

TEST(ParseTime, Fractions) {
  EXPECT_EQ(parse_time("1970-01-01T00:00:01Z"), 1000);
  EXPECT_EQ(parse_time("1970-01-01T00:00:01.5Z"), 1500);
  EXPECT_EQ(parse_time("1970-01-01T00:00:01.05Z"), 1050);
  EXPECT_EQ(parse_time("1970-01-01T00:00:01.123456789Z"), 1123);
  EXPECT_EQ(parse_time("1969-12-31T23:59:59.250Z"), -750);
}

TEST(ParseTime, LeapDays) {
  EXPECT_EQ(parse_time("2024-02-29T00:00:00Z"), 1'709'164'800'000);
  EXPECT_EQ(parse_time("2000-02-29T12:00:00Z"), 951'825'600'000);
  EXPECT_EQ(parse_time("2023-02-29T00:00:00Z"), std::nullopt);
  EXPECT_EQ(parse_time("2100-02-29T00:00:00Z"), std::nullopt);
  EXPECT_EQ(parse_time("1900-02-29T00:00:00Z"), std::nullopt);
}

TEST(ParseTime, RefusesEverythingElse) {
  for (const char* text : {"",
                           "2026",
                           "2026-11-22",
                           "2026-11-22T10:15:30",
                           "2026-11-22T10:15:30.123",
                           "2026-11-22 10:15:30Z",
                           "2026-11-22t10:15:30Z",
                           "2026/11/22T10:15:30Z",
                           "2026-11-22T10-15-30Z",
                           "2026-13-01T00:00:00Z",
                           "2026-00-01T00:00:00Z",
                           "2026-01-00T00:00:00Z",
                           "2026-01-32T00:00:00Z",
                           "2026-04-31T00:00:00Z",
                           "2026-01-01T24:00:00Z",
                           "2026-01-01T00:60:00Z",
                           "2026-01-01T00:00:60Z",
                           "2026-01-01T00:00:00.Z",
                           "2026-01-01T00:00:00.+00:00",
                           "2026-01-01T00:00:00,5Z",
                           "2026-01-01T00:00:00+0800",
                           "2026-01-01T00:00:00+08",
                           "2026-01-01T00:00:00+8:00",
                           "2026-01-01T00:00:00 08:00",
                           "2026-01-01T00:00:00+24:00",
                           "2026-01-01T00:00:00+00:60",
                           "2026-01-01T00:00:00ZZ",
                           "2026-01-01T00:00:00z",
                           "2026-01-01T00:00:00Z ",
                           " 2026-01-01T00:00:00Z",
                           "2026-1-01T00:00:00ZZ",
                           "-026-01-01T00:00:00Z",
                           "+026-01-01T00:00:00Z",
                           "２026-01-01T00:00:00Z",
                           "now"}) {
    EXPECT_EQ(parse_time(text), std::nullopt) << text;
  }
  const std::string good = "2026-11-22T10:15:30.123+08:00";
  ASSERT_TRUE(parse_time(good));
  EXPECT_EQ(parse_time(good + '\0'), std::nullopt);
  // Every prefix, and every place with something else in it.
  for (std::size_t i = 0; i < good.size(); ++i) {
    EXPECT_EQ(parse_time(good.substr(0, i)), std::nullopt) << i;
    std::string bad = good;
    bad[i] = '#';
    EXPECT_EQ(parse_time(bad), std::nullopt) << bad;
  }
}

TEST(CompactTime, IsReadBack) {
  const TimeMs time = *parse_compact("20260217_171416");
  EXPECT_EQ(format_compact(time), "20260217_171416");
  EXPECT_EQ(time % 1000, 0);
  for (const char* text : {"", "20261317_171416", "20260230_171416", "20260217_241416",
                           "20260217_176016", "20260217-171416", "2026021_1714160",
                           "20260217_17141x", "00000000_000000", "20260217_1714161"}) {
    EXPECT_FALSE(parse_compact(text)) << text;
  }
}

}  // namespace
}  // namespace runyard
