#pragma once

#include <boost/json/object.hpp>
#include <string>

namespace runyard::cli {

/// The state of the queue on one line: `paused  slots 2/4 [#####-----]  gpus 0:1 1:0  3 queued`.
std::string queue_line(const boost::json::object& queue);

}  // namespace runyard::cli
