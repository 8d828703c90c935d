#include "core/base/ids.h"

#include <gtest/gtest.h>

#include <set>

namespace runyard {
namespace {

TEST(RandomHex, LengthAndAlphabet) {
  EXPECT_EQ(random_hex(0), "");
  for (const std::size_t count : {1, 4, 16, 256}) {
    const std::string text = random_hex(count);
    EXPECT_EQ(text.size(), 2 * count);
    EXPECT_EQ(text.find_first_not_of("0123456789abcdef"), std::string::npos);
  }
  // All sixteen digits come up, in both halves of a byte.
  std::set<char> high, low;
  const std::string text = random_hex(256);
  for (std::size_t i = 0; i < text.size(); i += 2) high.insert(text[i]), low.insert(text[i + 1]);
  EXPECT_EQ(high.size(), 16u);
  EXPECT_EQ(low.size(), 16u);
}

TEST(JobId, OfTheSameInstantDiffer) {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = make_job_id(1'795'313'730'123);
    EXPECT_TRUE(is_job_id(id)) << id;
    EXPECT_EQ(id.substr(0, 21), "job_" + format_compact(1'795'313'730'123) + "__");
    ids.insert(id);
  }
  EXPECT_EQ(ids.size(), 1000u);
}

TEST(JobId, OnlyTheExactForm) {
  const std::string good = "job_20261122_101530__0af39c7e";
  EXPECT_TRUE(is_job_id(good));
  for (const char* text : {"", "job_", "20261122_101530__0af39c7e", "bt_20261122_101530__0af39c7e",
                           "job_20261122_101530__0af39c7", "job_20261122_101530__0af39c7ef",
                           "job_20261122_101530__0AF39C7E", "job_20261122_101530_00af39c7e",
                           "job_2026112x_101530__0af39c7e", "job_20261122_1015 0__0af39c7e",
                           "jobx20261122_101530__0af39c7e", "Job_20261122_101530__0af39c7e",
                           "job_20261122_101530__0af39c7g", "job_dddddddd_dddddd__xxxxxxxx",
                           "../_20261122_101530__0af39c7e", "job_20261122_101530__0af3/../"}) {
    EXPECT_FALSE(is_job_id(text)) << text;
  }
  EXPECT_FALSE(is_job_id(good + "\n"));
  EXPECT_FALSE(is_job_id(good + '\0'));
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const char c : {'/', '.', '\0', '\n', '\xff'}) {
      std::string bad = good;
      bad[i] = c;
      EXPECT_FALSE(is_job_id(bad)) << i;
    }
  }
}

TEST(RunId, OfRunsAndBacktests) {
  const std::string run = "20260217_171416__0e304dfc";
  EXPECT_TRUE(is_run_id(run));
  EXPECT_TRUE(is_backtest_id("bt_" + run));
  EXPECT_FALSE(is_run_id("bt_" + run));
  EXPECT_FALSE(is_backtest_id(run));
  EXPECT_FALSE(is_job_id(run));
  EXPECT_FALSE(is_run_id("job_" + run));
  for (const std::string& text :
       {std::string(), std::string(".."), run + "0", run.substr(1), run + "/", run + "\n",
        std::string("20260217_171416__0E304DFC"), std::string("20260217-171416__0e304dfc"),
        std::string("2026021x_171416__0e304dfc"), std::string("20260217_171416_00e304dfc"),
        std::string("../../../etc/passwd/......")}) {
    EXPECT_FALSE(is_run_id(text)) << text;
    EXPECT_FALSE(is_backtest_id("bt_" + text)) << text;
  }
}

}  // namespace
}  // namespace runyard
