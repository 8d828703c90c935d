#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/plugin/schema_walk.h"

namespace runyard {

/// One complaint of the validator: where, and its description (valijson's, or ours).
struct Complaint {
  InputPath path;
  std::string description;
};

/// What our own checks of `pattern` and `format` complain with.
inline constexpr const char* kPatternComplaint = "runyard: pattern";
inline constexpr const char* kFormatComplaint = "runyard: format";

/// Sentences that a submitter understands, at most one for each input, in the order of complaints.
/// A schema's own `x-message` ("must be key=value") stands for a failed pattern, format, enum or
/// const. Complaints that only repeat a deeper one are left out. Never empty.
std::vector<FieldError> explain(const boost::json::object& schema,
                                const std::vector<Complaint>& complaints);

/// "'confg_path' is not known here; did you mean 'config_path'?"
std::string unknown_field(std::string_view name, const std::vector<std::string_view>& known);

}  // namespace runyard
