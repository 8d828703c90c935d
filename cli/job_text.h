#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <string>

#include "cli/output.h"
#include "core/base/clock.h"

namespace runyard::cli {

/// SUCCESS, FAILED or CANCELLED.
bool has_ended(const boost::json::object& job);
/// What a command that followed the job to its end returns: the job's exit code; 128 + n for a
/// signal; 130 for CANCELLED; 1 for a failure without a code.
int exit_code_of_job(const boost::json::object& job);

/// `FAILED (exit code 2) after 1m05s: <message>`
std::string outcome(const boost::json::object& job);
/// ` 45% 2m10s left`, `done`; "" when nothing is known.
std::string progress_text(const boost::json::object& job);
/// Why it waits, what went wrong, or its name: the most useful one.
std::string remark(const boost::json::object& job);

/// The table of `ls`, `group` and `top`.
Table job_table(const boost::json::array& jobs, TimeMs now);
/// Everything about one job, for `show`; `url` is put before the links.
std::string describe_job(const boost::json::object& job, const std::string& url, TimeMs now,
                         bool colour);
/// `name: value  <url>` for each link.
std::string link_lines(const boost::json::object& job, const std::string& url);

/// A word as a shell would need it.
std::string shell_quote(std::string_view word);
/// The `command` of a document as a line for a shell; "" when it has none.
std::string command_line(const boost::json::object& document);

}  // namespace runyard::cli
