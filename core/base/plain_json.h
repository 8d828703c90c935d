#pragma once

#include <boost/json/fwd.hpp>
#include <string>

namespace runyard {

/// The value as JSON text on one line, with fractions as people write them: 0.25, where
/// boost::json::serialize() says 2.5E-1. A double reads back as the same double, and a whole one
/// keeps its point (12.0); what is not finite becomes null.
std::string plain_json(const boost::json::value& value);

}  // namespace runyard
