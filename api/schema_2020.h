#pragma once

#include <boost/json/object.hpp>
#include <string>

namespace runyard {

/// A job type's input schema (draft-07) in the dialect of OpenAPI 3.1 (2020-12): `definitions`
/// become `$defs` and references to them begin with `base` (a JSON pointer such as
/// `#/components/schemas/Inputs.train`), tuples become `prefixItems`, `dependencies` their two
/// successors. Fields that the schema does not name are refused, as the registry does, whatever it
/// says itself. The schema is one that the registry has accepted.
boost::json::object to_schema_2020(const boost::json::object& draft_07, const std::string& base);

}  // namespace runyard
