#include "core/log/byte_scan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

namespace runyard {
namespace {

TEST(ByteScan, SaysWhatOneByteAfterTheOtherSays) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes(random() % 700, 'x');
    // From plain text to bytes of all kinds, with the first hit anywhere.
    for (char& c : bytes) {
      if (random() % 300 < static_cast<unsigned>(round % 300))
        c = static_cast<char>(random() % 256);
    }
    const std::string_view view =
        std::string_view(bytes).substr(std::min<std::size_t>(bytes.size(), random() % 9));
    const auto byte = [](char c) { return static_cast<unsigned char>(c); };
    EXPECT_EQ(count_newlines(view), std::count(view.begin(), view.end(), '\n'));
    EXPECT_EQ(count_characters(view), std::count_if(view.begin(), view.end(), [&](char c) {
                return (byte(c) & 0xC0) != 0x80;
              }));
    const auto index = [&](auto holds) {
      return static_cast<std::size_t>(std::find_if(view.begin(), view.end(), holds) - view.begin());
    };
    const auto control = [&](char c) { return (byte(c) < 0x20 && c != '\t') || c == 0x7f; };
    EXPECT_EQ(find_control(view), index(control));
    EXPECT_EQ(find_special(view), index([&](char c) { return control(c) && c != '\n'; }));
    EXPECT_EQ(is_ascii(view), index([&](char c) { return byte(c) >= 0x80; }) == view.size());
  }
  EXPECT_EQ(count_newlines(std::string(100'000, '\n')), 100'000);
  EXPECT_EQ(find_control(""), 0u);
}

}  // namespace
}  // namespace runyard
