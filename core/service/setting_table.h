#pragma once

#include <yaml-cpp/node/node.h>

#include <boost/json/value.hpp>
#include <functional>
#include <string>
#include <vector>

#include "core/service/config.h"

namespace runyard {

/// Thrown by Setting::read; ends a sentence that begins with the setting's name.
struct SettingMistake {
  std::string message;
};

/// How one setting is read from YAML and shown again.
struct Setting {
  enum class Kind { kScalar, kText, kList, kMapping };
  std::string section, key;
  Kind kind;
  /// Throws SettingMistake; the Config is unchanged then.
  std::function<void(const YAML::Node&, Config&)> read;
  std::function<boost::json::value(const Config&)> value;

  std::string name() const { return section + "." + key; }
};

/// Every setting there is: the only list of them. Sections are kept together.
const std::vector<Setting>& setting_table();

}  // namespace runyard
