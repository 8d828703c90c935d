#pragma once

#include <boost/json/object.hpp>

#include "core/base/result.h"

namespace runyard {

/// True when a text anywhere in the inputs has `{hint.name}` in it.
bool has_templates(const boost::json::value& params);

/// The inputs with every `{hint.name}` replaced by that value of `hints`. kInvalid, naming the
/// field, when a hint is not known.
Result<boost::json::object> fill_templates(const boost::json::object& params,
                                           const boost::json::object& hints);

}  // namespace runyard
