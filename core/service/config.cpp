#include "core/service/config.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <boost/json.hpp>

#include "core/base/files.h"
#include "core/base/nearest_name.h"
#include "core/service/setting_table.h"

namespace runyard {
namespace {

namespace json = boost::json;

constexpr std::string_view kPrefix = "RUNYARD_";

const Setting* find_setting(std::string_view name) {
  const auto& table = setting_table();
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const auto& one) { return one.name() == name; });
  return found == table.end() ? nullptr : &*found;
}

/// The names of the sections; with a section, of its keys.
std::vector<std::string> known_names(std::string_view section = {}) {
  std::vector<std::string> names;
  for (const Setting& setting : setting_table()) {
    if (section.empty()) {
      if (names.empty() || names.back() != setting.section) names.push_back(setting.section);
    } else if (setting.section == section) {
      names.push_back(setting.key);
    }
  }
  return names;
}

std::string unknown(const std::string& name, const std::vector<std::string>& known) {
  const std::string near = nearest_name(name.substr(name.find('.') + 1), known);
  return fmt::format("unknown setting '{}'{}", name,
                     near.empty() ? fmt::format("; known are: {}", fmt::join(known, ", "))
                                  : fmt::format("; did you mean '{}'?", near));
}

std::string variable_of(const Setting& setting) {
  std::string name = fmt::format("{}{}__{}", kPrefix, setting.section, setting.key);
  for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

/// One underscore for each run of them: what a slip in a variable's name leaves alone.
std::string without_repeats(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c != '_' || out.empty() || out.back() != '_') out += c;
  }
  return out;
}

/// The value of a variable or an option as a node of the file.
YAML::Node to_node(const Setting& setting, const std::string& text) {
  const auto wrapped = [&](char open, char close) {
    const auto first = text.find_first_not_of(" \t");
    const bool has = first != std::string::npos && text[first] == open;
    return YAML::Load(has ? text : open + text + close);
  };
  switch (setting.kind) {
    case Setting::Kind::kList:
      return wrapped('[', ']');
    case Setting::Kind::kMapping:
      return wrapped('{', '}');
    case Setting::Kind::kText:
    case Setting::Kind::kScalar:
      break;
  }
  return YAML::Node(text);
}

/// A scalar as one would write it; lists and mappings in the flow form, which is YAML too.
std::string to_yaml_value(const json::value& value) {
  if (const auto* text = value.if_string()) {
    static constexpr std::string_view kPlain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/";
    const bool plain = !text->empty() && text->front() != '-' && text->front() != '_' &&
                       std::string_view(*text).find_first_not_of(kPlain) == std::string::npos;
    if (plain) return std::string(*text);
  }
  return json::serialize(value);
}

}  // namespace

const std::vector<std::string>& setting_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Setting& setting : setting_table()) all.push_back(setting.name());
    return all;
  }();
  return names;
}

void Settings::read_file(const std::filesystem::path& file) {
  const auto refuse = [&](int line, const std::string& why) {
    mistakes_.push_back(line > 0 ? fmt::format("{}: line {}: {}", file.string(), line, why)
                                 : fmt::format("{}: {}", file.string(), why));
  };
  const auto content = ::runyard::read_file(file, 1u << 20);
  if (!content) return mistakes_.push_back(content.error().message);
  try {
    const YAML::Node root = YAML::Load(*content);
    if (root.IsNull()) return;
    if (!root.IsMap()) return refuse(0, "expects sections such as 'server:' and 'queue:'");
    const auto sections = known_names();
    std::map<std::string, int> seen;  // names with their lines
    const auto is_repeated = [&](const std::string& name, int line) {
      const auto [first, fresh] = seen.emplace(name, line);
      if (!fresh)
        refuse(line, fmt::format("'{}' is there already, in line {}", name, first->second));
      return !fresh;
    };
    for (const auto& section : root) {
      const std::string& name = section.first.Scalar();
      const int line = section.first.Mark().line + 1;
      if (std::find(sections.begin(), sections.end(), name) == sections.end()) {
        refuse(line, unknown(name, sections));
        continue;
      }
      if (is_repeated(name, line) || section.second.IsNull()) continue;
      if (!section.second.IsMap()) {
        refuse(line, fmt::format("'{}' expects settings below it", name));
        continue;
      }
      for (const auto& entry : section.second) {
        const std::string full = name + "." + entry.first.Scalar();
        const int at = entry.first.Mark().line + 1;
        const Setting* setting = find_setting(full);
        if (!setting) {
          refuse(at, unknown(full, known_names(name)));
          continue;
        }
        if (is_repeated(full, at)) continue;
        try {
          setting->read(entry.second, config_);
          origins_[full] = fmt::format("{}, line {}", file.string(), at);
        } catch (const SettingMistake& mistake) {
          refuse(at, fmt::format("'{}' {}", full, mistake.message));
        }
      }
    }
  } catch (const YAML::Exception& error) {
    refuse(error.mark.line + 1, "it is not YAML: " + error.msg);
  }
}

void Settings::read_environment(const char* const* entries) {
  std::vector<std::string> variables;
  for (const Setting& setting : setting_table()) variables.push_back(variable_of(setting));
  for (; *entries; ++entries) {
    const std::string_view entry = *entries;
    const auto equals = entry.find('=');
    if (!entry.starts_with(kPrefix) || equals == std::string_view::npos) continue;
    const std::string variable(entry.substr(0, equals));
    const auto found = std::find(variables.begin(), variables.end(), variable);
    if (found != variables.end()) {
      set(setting_names()[static_cast<std::size_t>(found - variables.begin())],
          std::string(entry.substr(equals + 1)), "environment " + variable);
      continue;
    }
    // Two underscores make it a setting. One too few is the slip that is made most; but it may be
    // another program's variable, so that is no mistake.
    if (variable.find("__", kPrefix.size()) == std::string::npos) {
      for (const auto& known : variables) {
        if (without_repeats(known) != without_repeats(variable)) continue;
        warnings_.push_back(
            fmt::format("environment {}: is not used; did you mean {}?", variable, known));
      }
      continue;
    }
    const std::string near = nearest_name(variable, variables);
    mistakes_.push_back(fmt::format("environment {}: no such setting{}", variable,
                                    near.empty() ? "; runyard config show lists all"
                                                 : fmt::format("; did you mean {}?", near)));
  }
}

void Settings::set(std::string_view name, const std::string& text, const std::string& origin) {
  const Setting* setting = find_setting(name);
  if (!setting) {
    mistakes_.push_back(origin + ": " + unknown(std::string(name), setting_names()));
    return;
  }
  try {
    setting->read(to_node(*setting, text), config_);
    origins_[setting->name()] = origin;
  } catch (const SettingMistake& mistake) {
    mistakes_.push_back(fmt::format("{}: '{}' {}", origin, setting->name(), mistake.message));
  } catch (const YAML::Exception& error) {
    mistakes_.push_back(fmt::format("{}: it is not YAML: {}", origin, error.msg));
  }
}

void Settings::finish(const std::filesystem::path& workspace) {
  std::error_code ignored;
  config_.workspace = workspace;
  const auto folder = std::filesystem::absolute(workspace, ignored).lexically_normal();
  const auto resolve = [&](std::filesystem::path& path) {
    if (!path.empty() && path.is_relative()) path = folder / path;
  };
  resolve(config_.state_dir);
  resolve(config_.web_dir);
  resolve(config_.log_file);
  for (auto& path : config_.roots) resolve(path);
  for (auto& path : config_.plugin_dirs) resolve(path);

  const auto about = [&](const std::string& name, const std::string& what) {
    return fmt::format("{}: '{}' {}", origin_of(name), name, what);
  };
  for (const auto& root : config_.roots) {
    if (!std::filesystem::is_directory(root, ignored)) {
      mistakes_.push_back(
          about("workspace.roots", "names " + root.string() + ", which is no folder"));
    }
  }
  for (const auto& dir : config_.plugin_dirs) {
    if (!std::filesystem::is_directory(dir, ignored)) {
      warnings_.push_back(about("plugins.dirs", "names " + dir.string() + ", which is no folder"));
    }
  }
  for (const auto& [group, slots] : config_.group_slots) {
    if (config_.slots > 0 && slots > config_.slots) {
      warnings_.push_back(about(
          "queue.groups", fmt::format("gives '{}' {} slots, but 'queue.slots' has {} for all jobs",
                                      group, slots, config_.slots)));
    }
  }
  if (config_.jobs_per_gpu > 1 && config_.gpus.empty()) {
    warnings_.push_back(about("queue.jobs_per_gpu", "has no effect without 'queue.gpus'"));
  }
}

void Settings::set_default(std::string_view name, const std::string& text, const std::string& why) {
  if (!origins_.contains(std::string(name))) set(name, text, "default: " + why);
}

Result<Config> Settings::config() const {
  if (mistakes_.empty()) return config_;
  if (mistakes_.size() == 1) return make_error(ErrorKind::kInvalid, mistakes_.front());
  Error error{
      ErrorKind::kInvalid, fmt::format("the configuration has {} mistakes", mistakes_.size()), {}};
  for (const auto& mistake : mistakes_) error.fields.push_back({{}, mistake});
  return error;
}

std::string Settings::origin_of(const std::string& name) const {
  const auto found = origins_.find(name);
  return found == origins_.end() ? "default" : found->second;
}

std::string Settings::to_yaml() const {
  std::string out, section;
  for (const Setting& setting : setting_table()) {
    if (setting.section != section) {
      out += fmt::format("{}{}:\n", section.empty() ? "" : "\n", setting.section);
      section = setting.section;
    }
    out +=
        fmt::format("  {:<36}  # {}\n", setting.key + ": " + to_yaml_value(setting.value(config_)),
                    origin_of(setting.name()));
  }
  return out;
}

json::object Settings::to_json() const {
  json::object out;
  for (const Setting& setting : setting_table()) {
    out[setting.name()] = {{"value", setting.value(config_)}, {"from", origin_of(setting.name())}};
  }
  return out;
}

Result<Config> load_config(const std::filesystem::path& file, Config defaults) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) {
    return make_error(ErrorKind::kNotFound, "there is no file " + file.string());
  }
  Settings settings(std::move(defaults));
  settings.read_file(file);
  return settings.config();
}

}  // namespace runyard
