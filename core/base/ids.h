#pragma once

#include <string>
#include <string_view>

#include "core/base/clock.h"

namespace runyard {

/// `count` random bytes of the kernel as lower-case hex. Any thread.
std::string random_hex(std::size_t count);

/// A new id: `job_YYYYMMDD_HHMMSS__<8 hex>`, local time. Any thread.
std::string make_job_id(TimeMs now);
/// True when the text has exactly the form of make_job_id: safe as a part of a file name.
bool is_job_id(std::string_view text);
/// The same for the folders of the workspace: `YYYYMMDD_HHMMSS__<8 hex>`, and `bt_` before it.
bool is_run_id(std::string_view text);
bool is_backtest_id(std::string_view text);

}  // namespace runyard
