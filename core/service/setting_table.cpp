#include "core/service/setting_table.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <boost/json.hpp>
#include <limits>

#include "core/access/network_set.h"

namespace runyard {
namespace {

namespace json = boost::json;
using Kind = Setting::Kind;
using Path = std::filesystem::path;
using YAML::Node;

std::string read_text(const Node& node) {
  if (!node.IsScalar()) throw SettingMistake{"expects a text"};
  return node.Scalar();
}

template <class T>
T read_number(const Node& node, T low, T high) {
  T value{};
  if (!node.IsScalar() || !YAML::convert<T>::decode(node, value) || value < low || value > high) {
    throw SettingMistake{fmt::format("expects a whole number from {} to {}", low, high)};
  }
  return value;
}

template <class F>
void each_item(const Node& node, F&& f) {
  if (!node.IsSequence()) throw SettingMistake{"expects a list"};
  for (const auto& item : node) f(item);
}

template <class F>
void each_entry(const Node& node, F&& f) {
  if (!node.IsMap()) throw SettingMistake{"expects a mapping of names to values"};
  for (const auto& entry : node) f(read_text(entry.first), entry.second);
}

json::value to_value(const std::string& text) { return json::value(text); }
json::value to_value(const Path& path) { return json::value(path.string()); }
json::value to_value(int number) { return json::value(number); }

/// A member of Config with what is between its YAML and its value. `check` may refuse a text.
class Entry {
 public:
  Entry(std::string section, std::string key) : section_(section), key_(key) {}

  Setting text(std::string Config::*member, void (*check)(const std::string&) = nullptr) {
    return make(
        Kind::kText,
        [=](const Node& node, Config& config) {
          std::string value = read_text(node);
          if (check) check(value);
          config.*member = std::move(value);
        },
        [=](const Config& config) { return to_value(config.*member); });
  }
  Setting choice(std::string Config::*member, std::vector<std::string> choices) {
    return make(
        Kind::kText,
        [=](const Node& node, Config& config) {
          const std::string value = read_text(node);
          if (std::find(choices.begin(), choices.end(), value) == choices.end()) {
            throw SettingMistake{fmt::format("expects one of {}", fmt::join(choices, ", "))};
          }
          config.*member = value;
        },
        [=](const Config& config) { return to_value(config.*member); });
  }
  Setting path(Path Config::*member) {
    return make(
        Kind::kText, [=](const Node& node, Config& config) { config.*member = read_text(node); },
        [=](const Config& config) { return to_value(config.*member); });
  }
  Setting flag(bool Config::*member) {
    return make(
        Kind::kScalar,
        [=](const Node& node, Config& config) {
          const std::string text = node.IsScalar() ? node.Scalar() : "";  // YAML has three of each
          const bool is_true = text == "true" || text == "True" || text == "TRUE";
          const bool is_false = text == "false" || text == "False" || text == "FALSE";
          if (!is_true && !is_false) throw SettingMistake{"expects true or false"};
          config.*member = is_true;
        },
        [=](const Config& config) { return json::value(config.*member); });
  }
  template <class T>
  Setting number(T Config::*member, T low, T high) {
    return make(
        Kind::kScalar,
        [=](const Node& node, Config& config) { config.*member = read_number(node, low, high); },
        [=](const Config& config) { return json::value(config.*member); });
  }
  template <class T>
  Setting list(std::vector<T> Config::*member, T (*read)(const Node&)) {
    return make(
        Kind::kList,
        [=](const Node& node, Config& config) {
          std::vector<T> values;
          each_item(node, [&](const Node& item) {
            T value = read(item);
            if (std::find(values.begin(), values.end(), value) != values.end()) {
              throw SettingMistake{fmt::format("names {} twice", json::serialize(to_value(value)))};
            }
            values.push_back(std::move(value));
          });
          config.*member = std::move(values);
        },
        [=](const Config& config) {
          json::array values;
          for (const T& value : config.*member) values.push_back(to_value(value));
          return json::value(values);
        });
  }
  template <class T>
  Setting mapping(std::map<std::string, T> Config::*member,
                  T (*read)(const std::string&, const Node&)) {
    return make(
        Kind::kMapping,
        [=](const Node& node, Config& config) {
          std::map<std::string, T> values;
          each_entry(node, [&](const std::string& name, const Node& value) {
            if (!values.emplace(name, read(name, value)).second) {
              throw SettingMistake{fmt::format("names '{}' twice", name)};
            }
          });
          config.*member = std::move(values);
        },
        [=](const Config& config) {
          json::object values;
          for (const auto& [name, value] : config.*member) values[name] = to_value(value);
          return json::value(values);
        });
  }

 private:
  template <class Read, class Value>
  Setting make(Kind kind, Read read, Value value) {
    return {std::move(section_), std::move(key_), kind, std::move(read), std::move(value)};
  }
  std::string section_, key_;
};

Path read_path(const Node& node) { return read_text(node); }

/// A host name or address as in a `Host` header, without the port.
std::string read_host(const Node& node) {
  const std::string host = read_text(node);
  const auto colons = std::count(host.begin(), host.end(), ':');
  if (host.empty() || colons == 1 || host.find_first_of("/[] \t") != std::string::npos) {
    throw SettingMistake{fmt::format("expects host names without scheme and port, not '{}'", host)};
  }
  return host;
}

std::string read_network(const Node& node) {
  std::string text = read_text(node);
  if (const auto known = NetworkSet::parse({text}); !known) {
    throw SettingMistake{"expects addresses and networks: " + known.error().message};
  }
  return text;
}

/// What a browser sends as `Origin`.
std::string read_origin(const Node& node) {
  const std::string origin = read_text(node);
  const auto at = origin.find("://");
  const bool http = origin.starts_with("http://") || origin.starts_with("https://");
  if (!http || at + 3 == origin.size() || origin.find('/', at + 3) != std::string::npos) {
    throw SettingMistake{fmt::format(
        "expects origins such as http://localhost:5173, without a path, not '{}'", origin)};
  }
  return origin;
}

int read_gpu(const Node& node) { return read_number(node, 0, 4095); }

int read_slots(const std::string&, const Node& node) { return read_number(node, 1, 100'000); }

std::string read_sha256(const std::string& file, const Node& node) {
  const std::string hash = read_text(node);
  if (hash.size() != 64 || hash.find_first_not_of("0123456789abcdef") != std::string::npos) {
    throw SettingMistake{
        fmt::format("expects the SHA-256 of '{}', 64 digits as sha256sum prints them", file)};
  }
  return hash;
}

std::string read_variable(const std::string& name, const Node& node) {
  if (name.empty() || name.find('=') != std::string::npos) {
    throw SettingMistake{fmt::format("has a name that no variable can have: '{}'", name)};
  }
  return read_text(node);
}

std::string read_executor(const std::string&, const Node& node) {
  const std::string name = read_text(node);
  if (name != "local" && name != "slurm") throw SettingMistake{"expects local or slurm"};
  return name;
}

std::string read_flag(const Node& node) {
  const std::string flag = read_text(node);
  if (!flag.starts_with("--")) {
    throw SettingMistake{fmt::format("expects options such as --mem=4G, not '{}'", flag)};
  }
  return flag;
}

std::vector<Setting> make_table() {
  constexpr std::int64_t kZero = 0, kBig = 1'000'000'000'000;
  return {
      Entry("server", "host").text(&Config::host),
      Entry("server", "port").number<std::uint16_t>(&Config::port, 0, 65535),
      Entry("server", "http_threads").number(&Config::http_threads, 1, 256),
      Entry("server", "max_streams").number(&Config::max_streams, 1, 1'000'000),
      Entry("server", "max_streams_per_client")
          .number(&Config::max_streams_per_client, 1, 1'000'000),
      Entry("server", "web_dir").path(&Config::web_dir),
      Entry("server", "state_dir").path(&Config::state_dir),
      Entry("server", "auth").choice(&Config::auth, {"auto", "required"}),
      Entry("server", "trusted_proxies").list(&Config::trusted_proxies, read_network),
      Entry("server", "allowed_hosts").list(&Config::allowed_hosts, read_host),
      Entry("server", "allowed_origins").list(&Config::allowed_origins, read_origin),

      Entry("workspace", "python").text(&Config::python),
      Entry("workspace", "roots").list(&Config::roots, read_path),

      Entry("plugins", "dirs").list(&Config::plugin_dirs, read_path),
      Entry("plugins", "allow").list(&Config::allow, read_text),
      Entry("plugins", "pinned").mapping(&Config::pinned, read_sha256),
      Entry("plugins", "watch").flag(&Config::watch_plugins),

      Entry("queue", "slots").number(&Config::slots, 0, 100'000),
      Entry("queue", "groups").mapping(&Config::group_slots, read_slots),
      Entry("queue", "gpus").list(&Config::gpus, read_gpu),
      Entry("queue", "jobs_per_gpu").number(&Config::jobs_per_gpu, 1, 1000),
      Entry("queue", "max_queued").number(&Config::max_queued, 0, 10'000'000),
      Entry("queue", "ageing_sec").number<std::int64_t>(&Config::ageing_sec, 0, 1'000'000),

      Entry("jobs", "env").mapping(&Config::env, read_variable),
      Entry("jobs", "grace_sec").number<std::int64_t>(&Config::grace_sec, 0, 86'400),
      Entry("jobs", "log_max_bytes").number(&Config::log_max_bytes, kZero, kBig * 1000),
      Entry("jobs", "retry_backoff_sec")
          .number<std::int64_t>(&Config::retry_backoff_sec, 0, 86'400),
      Entry("jobs", "keep_days").number<std::int64_t>(&Config::keep_days, 0, 1'000'000),
      Entry("jobs", "keep_jobs").number(&Config::keep_jobs, kZero, kBig),
      Entry("jobs", "executor").choice(&Config::executor, {"local", "slurm"}),
      Entry("jobs", "group_executors").mapping(&Config::group_executors, read_executor),
      Entry("jobs", "type_executors").mapping(&Config::type_executors, read_executor),

      Entry("slurm", "folder").path(&Config::slurm_folder),
      Entry("slurm", "shim").path(&Config::slurm_shim),
      Entry("slurm", "slots").number(&Config::slurm_slots, 1, 1'000'000),
      Entry("slurm", "partition").text(&Config::slurm_partition),
      Entry("slurm", "account").text(&Config::slurm_account),
      Entry("slurm", "qos").text(&Config::slurm_qos),
      Entry("slurm", "flags").list(&Config::slurm_flags, read_flag),
      Entry("slurm", "command_timeout_sec").number(&Config::slurm_command_timeout_sec, 1, 600),

      Entry("log", "level").choice(&Config::log_level, {"debug", "info", "warn", "error"}),
      Entry("log", "format").choice(&Config::log_format, {"text", "json"}),
      Entry("log", "access").flag(&Config::log_access),
      Entry("log", "file").path(&Config::log_file),
      Entry("log", "file_bytes").number<std::int64_t>(&Config::log_file_bytes, 1 << 16, kBig),
      Entry("log", "file_keep").number(&Config::log_file_keep, 1, 1000),
  };
}

}  // namespace

const std::vector<Setting>& setting_table() {
  static const std::vector<Setting> table = make_table();
  return table;
}

}  // namespace runyard
