#include "core/service/config.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "core/base/files.h"

namespace runyard {
namespace {

/// What one setting does with its YAML node; throws YAML::Exception or std::invalid_argument.
using Setter = std::function<void(const YAML::Node&)>;
using Section = std::map<std::string, Setter>;

struct Mistake {
  std::string message;
};

template <class T>
T number(const YAML::Node& node, T low, T high) {
  T value{};
  if (!node.IsScalar() || !YAML::convert<T>::decode(node, value) || value < low || value > high) {
    throw Mistake{fmt::format("expects a whole number from {} to {}", low, high)};
  }
  return value;
}

std::string text(const YAML::Node& node) {
  if (!node.IsScalar()) throw Mistake{"expects a text"};
  return node.Scalar();
}

template <class F>
void each_item(const YAML::Node& node, F&& f) {
  if (!node.IsSequence()) throw Mistake{"expects a list"};
  for (const auto& item : node) f(item);
}

template <class F>
void each_entry(const YAML::Node& node, F&& f) {
  if (!node.IsMap()) throw Mistake{"expects a mapping of names to values"};
  for (const auto& entry : node) f(text(entry.first), entry.second);
}

std::map<std::string, Section> sections(Config& config) {
  constexpr std::int64_t kBig = 1'000'000'000'000;
  const auto paths = [](std::vector<std::filesystem::path>& out) {
    return [&out](const YAML::Node& node) {
      out.clear();
      each_item(node, [&](const YAML::Node& item) { out.emplace_back(text(item)); });
    };
  };
  const auto texts = [](std::vector<std::string>& out) {
    return [&out](const YAML::Node& node) {
      out.clear();
      each_item(node, [&](const YAML::Node& item) { out.push_back(text(item)); });
    };
  };
  return {
      {"server",
       {{"host", [&](auto& n) { config.host = text(n); }},
        {"port", [&](auto& n) { config.port = number<std::uint16_t>(n, 0, 65535); }},
        {"http_threads", [&](auto& n) { config.http_threads = number(n, 1, 256); }},
        {"allowed_hosts", texts(config.allowed_hosts)},
        {"allowed_origins", texts(config.allowed_origins)},
        {"state_dir", [&](auto& n) { config.state_dir = text(n); }}}},
      {"workspace",
       {{"roots", paths(config.roots)}, {"python", [&](auto& n) { config.python = text(n); }}}},
      {"plugins", {{"dirs", paths(config.plugin_dirs)}, {"allow", texts(config.allow)}}},
      {"queue",
       {{"slots", [&](auto& n) { config.slots = number(n, 0, 100'000); }},
        {"groups",
         [&](auto& n) {
           config.group_slots.clear();
           each_entry(n, [&](const std::string& name, const YAML::Node& slots) {
             config.group_slots[name] = number(slots, 1, 100'000);
           });
         }},
        {"gpus",
         [&](auto& n) {
           config.gpus.clear();
           each_item(n, [&](const YAML::Node& item) {
             const int id = number(item, 0, 4095);
             if (std::find(config.gpus.begin(), config.gpus.end(), id) != config.gpus.end()) {
               throw Mistake{fmt::format("names GPU {} twice", id)};
             }
             config.gpus.push_back(id);
           });
         }},
        {"jobs_per_gpu", [&](auto& n) { config.jobs_per_gpu = number(n, 1, 1000); }},
        {"max_queued", [&](auto& n) { config.max_queued = number(n, 0, 10'000'000); }},
        {"ageing_sec",
         [&](auto& n) { config.ageing_sec = number<std::int64_t>(n, 0, 1'000'000); }}}},
      {"jobs",
       {{"env",
         [&](auto& n) {
           config.env.clear();
           each_entry(n, [&](const std::string& name, const YAML::Node& value) {
             if (name.empty() || name.find('=') != std::string::npos) {
               throw Mistake{fmt::format("has a name that no variable can have: '{}'", name)};
             }
             config.env[name] = text(value);
           });
         }},
        {"grace_sec", [&](auto& n) { config.grace_sec = number<std::int64_t>(n, 0, 86'400); }},
        {"log_max_bytes",
         [&](auto& n) { config.log_max_bytes = number<std::int64_t>(n, 0, kBig * 1000); }},
        {"retry_backoff_sec",
         [&](auto& n) { config.retry_backoff_sec = number<std::int64_t>(n, 0, 86'400); }},
        {"keep_days", [&](auto& n) { config.keep_days = number<std::int64_t>(n, 0, 1'000'000); }},
        {"keep_jobs", [&](auto& n) { config.keep_jobs = number<std::int64_t>(n, 0, kBig); }}}}};
}

template <class Map>
std::vector<std::string> names_of(const Map& map) {
  std::vector<std::string> names;
  for (const auto& [name, ignored] : map) names.push_back(name);
  return names;
}

std::string unknown(const YAML::Mark& mark, const std::string& what,
                    const std::vector<std::string>& known) {
  const std::string near = nearest_name(what.substr(what.find('.') + 1), known);
  return fmt::format("line {}: unknown setting '{}'{}", mark.line + 1, what,
                     near.empty() ? fmt::format("; known are: {}", fmt::join(known, ", "))
                                  : fmt::format("; did you mean '{}'?", near));
}

}  // namespace

std::string nearest_name(const std::string& name, const std::vector<std::string>& known) {
  std::string best;
  std::size_t best_distance = 1 + name.size() / 3;  // further away is another word
  for (const auto& candidate : known) {
    // Levenshtein's distance, one row at a time.
    std::vector<std::size_t> row(candidate.size() + 1);
    std::iota(row.begin(), row.end(), 0u);
    for (std::size_t i = 1; i <= name.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i;
      for (std::size_t j = 1; j <= candidate.size(); ++j) {
        const std::size_t above = row[j];
        row[j] = std::min(
            {row[j] + 1, row[j - 1] + 1, diagonal + (name[i - 1] == candidate[j - 1] ? 0u : 1u)});
        diagonal = above;
      }
    }
    if (row.back() <= best_distance) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

Result<Config> load_config(const std::filesystem::path& file, Config defaults) {
  const auto content = read_file(file, 1u << 20);
  if (!content) return content.error();
  Config config = std::move(defaults);
  const auto refuse = [&](const std::string& why) {
    return make_error(ErrorKind::kInvalid, file.string() + ": " + why);
  };
  try {
    const YAML::Node root = YAML::Load(*content);
    if (root.IsNull()) return config;
    if (!root.IsMap()) return refuse("expects sections such as 'server:' and 'queue:'");
    const auto known = sections(config);
    for (const auto& section : root) {
      const std::string name = text(section.first);
      const auto found = known.find(name);
      if (found == known.end()) return refuse(unknown(section.first.Mark(), name, names_of(known)));
      if (section.second.IsNull()) continue;
      if (!section.second.IsMap()) {
        return refuse(fmt::format("line {}: '{}' expects settings below it",
                                  section.first.Mark().line + 1, name));
      }
      for (const auto& entry : section.second) {
        const std::string key = text(entry.first);
        const auto setter = found->second.find(key);
        if (setter == found->second.end()) {
          return refuse(unknown(entry.first.Mark(), name + "." + key, names_of(found->second)));
        }
        try {
          setter->second(entry.second);
        } catch (const Mistake& mistake) {
          return refuse(fmt::format("line {}: '{}.{}' {}", entry.first.Mark().line + 1, name, key,
                                    mistake.message));
        }
      }
    }
  } catch (const Mistake& mistake) {
    return refuse(mistake.message);
  } catch (const YAML::Exception& error) {
    return refuse(fmt::format("line {}: it is not YAML: {}", error.mark.line + 1, error.msg));
  }
  return config;
}

}  // namespace runyard
