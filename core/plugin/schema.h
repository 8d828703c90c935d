#pragma once

#include <boost/json/object.hpp>
#include <memory>

#include "core/base/confined_path.h"
#include "core/base/result.h"

namespace runyard {

/// A job type's input schema (JSON Schema draft-07), compiled. Immutable, cheap to copy; any thread
/// may call it. It decides what reaches a plugin, so it distrusts the inputs: bounds come before
/// anything else, and no regex of a schema is evaluated by anything but RE2.
class InputSchema {
 public:
  /// Refuses, with a sentence for the plugin's author, what is not a draft-07 schema of an object
  /// and what docs/plugin-guide.md excludes.
  static Result<InputSchema> compile(const boost::json::object& schema);

  /// Returns the inputs with the schema's defaults; kInvalid with every bad field otherwise.
  /// Paths are checked by their spelling alone (see check below).
  Result<boost::json::object> check(boost::json::object params) const;
  /// Also confines every `x-workspace-path` value and replaces it by its normal form.
  Result<boost::json::object> check(boost::json::object params,
                                    const Confinement& confinement) const;

 private:
  struct Compiled;
  Result<boost::json::object> check(boost::json::object params,
                                    const Confinement* confinement) const;
  explicit InputSchema(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace runyard
