#include "core/base/nearest_name.h"

#include <gtest/gtest.h>

namespace runyard {
namespace {

TEST(NearestName, IsNearOrNone) {
  EXPECT_EQ(nearest_name("slot", {"slots", "gpus"}), "slots");
  EXPECT_EQ(nearest_name("max_qeued", {"slots", "max_queued"}), "max_queued");
  EXPECT_EQ(nearest_name("zebra", {"slots", "gpus"}), "");
}

}  // namespace
}  // namespace runyard
