#include "core/plugin/descriptor.h"

#include <re2/re2.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <set>

#include "core/base/confined_path.h"

namespace runyard {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxText = 4096;
constexpr std::size_t kMaxPattern = 1000;
constexpr std::size_t kMaxEntries = 100;

/// The first defect that was found; later ones are not looked for.
struct Defect {
  std::string message;
  bool found() const { return !message.empty(); }
  void report(const std::string& where, const std::string& what) {
    if (!found()) message = where + ": " + what;
  }
};

std::string quote(std::string_view text) { return "'" + std::string(text) + "'"; }

/// Reads the fields of one object of the descriptor; finish() refuses those that nobody read.
class Fields {
 public:
  Fields(const json::object& object, std::string where, Defect& defect)
      : object_(object), where_(std::move(where)), defect_(defect) {}

  std::string at(std::string_view name) const {
    return where_.empty() ? std::string(name) : where_ + "." + std::string(name);
  }

  const json::value* find(std::string_view name) {
    known_.insert(std::string(name));
    return object_.if_contains(name);
  }

  std::string text(std::string_view name, bool required) {
    const json::value* value = find(name);
    if (!value) {
      if (required) defect_.report(at(name), "is missing");
      return {};
    }
    if (!value->is_string()) {
      defect_.report(at(name), "must be a string");
      return {};
    }
    std::string out(value->get_string());
    if (required && out.empty()) defect_.report(at(name), "must not be empty");
    if (out.size() > kMaxText) defect_.report(at(name), "is too long");
    if (out.find('\0') != std::string::npos) defect_.report(at(name), "has a NUL in it");
    return out;
  }

  /// A text that matches the pattern as a whole.
  std::string name(std::string_view name, const char* pattern, bool required) {
    std::string out = text(name, required);
    if (!out.empty() && !RE2::FullMatch(out, pattern)) {
      defect_.report(at(name), quote(out) + " does not match " + pattern);
    }
    return out;
  }

  std::int64_t integer(std::string_view name, std::int64_t low, std::int64_t high,
                       std::int64_t fallback) {
    const json::value* value = find(name);
    if (!value) return fallback;
    if (!value->is_int64() || value->get_int64() < low || value->get_int64() > high) {
      defect_.report(at(name), "must be an integer from " + std::to_string(low) + " to " +
                                   std::to_string(high));
      return fallback;
    }
    return value->get_int64();
  }

  bool boolean(std::string_view name) {
    const json::value* value = find(name);
    if (value && !value->is_bool()) defect_.report(at(name), "must be true or false");
    return value && value->is_bool() && value->get_bool();
  }

  const json::object* object(std::string_view name, bool required) {
    const json::value* value = find(name);
    if (value && !value->is_object()) defect_.report(at(name), "must be an object");
    if (!value && required) defect_.report(at(name), "is missing");
    return value ? value->if_object() : nullptr;
  }

  /// Empty when it is missing.
  const json::array& array(std::string_view name) {
    static const json::array kNone;
    const json::value* value = find(name);
    if (!value) return kNone;
    if (!value->is_array()) {
      defect_.report(at(name), "must be an array");
      return kNone;
    }
    if (value->get_array().size() > kMaxEntries) defect_.report(at(name), "has too many entries");
    return value->get_array();
  }

  /// Calls `read(Fields&)` for each entry of an array of objects.
  template <class Read>
  void each(std::string_view name, Read read) {
    const json::array& entries = array(name);
    for (std::size_t i = 0; i < entries.size() && !defect_.found(); ++i) {
      const std::string where = at(name) + "[" + std::to_string(i) + "]";
      const json::object* entry = entries[i].if_object();
      if (!entry) {
        defect_.report(where, "must be an object");
        return;
      }
      Fields fields(*entry, where, defect_);
      read(fields);
      fields.finish();
    }
  }

  /// A regex with at least `groups` groups; the number of its groups. "" when it is not required.
  int pattern(std::string_view name, bool required, int groups, std::string& out) {
    out = text(name, required);
    if (out.empty()) return 0;
    if (out.size() > kMaxPattern) {
      defect_.report(at(name), "is longer than " + std::to_string(kMaxPattern) + " bytes");
      return 0;
    }
    RE2::Options options;
    options.set_log_errors(false);
    const RE2 regex(out, options);
    if (!regex.ok()) {
      defect_.report(at(name), "is no RE2 regex: " + regex.error());
      return 0;
    }
    if (regex.NumberOfCapturingGroups() < groups) {
      defect_.report(at(name), "needs a group (...) around the value");
    }
    return regex.NumberOfCapturingGroups();
  }

  void finish() {
    for (const auto& member : object_) {
      const std::string name(member.key());
      if (!known_.contains(name) && !name.starts_with("x-")) {
        defect_.report(at(name), "is no field of a descriptor");
      }
    }
  }

 private:
  const json::object& object_;
  std::string where_;
  Defect& defect_;
  std::set<std::string> known_;
};

constexpr const char* kTypePattern = "[a-z][a-z0-9_]{0,63}";
constexpr const char* kNamePattern = "[A-Za-z_][A-Za-z0-9_.-]{0,63}";

const json::object* properties_of(const json::object& schema) {
  const json::value* properties = schema.if_contains("properties");
  return properties ? properties->if_object() : nullptr;
}

void read_program(Fields& fields, JobType& type, Defect& defect) {
  const json::object* object = fields.object("program", true);
  if (!object) return;
  Fields program(*object, "program", defect);
  const std::string module =
      program.name("python_module", "[A-Za-z_][A-Za-z0-9_]*(\\.[A-Za-z_][A-Za-z0-9_]*)*", false);
  const std::string executable = program.text("executable", false);
  if (module.empty() == executable.empty()) {
    defect.report("program", "needs either 'python_module' or 'executable'");
  }
  if (!executable.empty()) {
    // With a path, so that it is no question of the server's PATH what runs.
    const bool absolute = executable.starts_with('/');
    if (executable.find('/') == std::string::npos ||
        !Confinement::normalize(absolute ? executable.substr(1) : executable)) {
      defect.report("program.executable",
                    quote(executable) +
                        " must be an absolute path, or one relative to the workspace "
                        "with a '/' in it, and without '..'");
    }
  }
  type.program = module.empty() ? Program{Program::Kind::kExecutable, executable}
                                : Program{Program::Kind::kPythonModule, module};
  program.finish();
}

void read_hints(Fields& fields, JobType& type, Defect& defect) {
  std::set<std::string> names;
  fields.each("hints", [&](Fields& hint) {
    HintSpec spec;
    spec.name = hint.name("name", kNamePattern, true);
    hint.pattern("pattern", false, 1, spec.pattern);
    spec.param = hint.text("param", false);
    spec.link = hint.text("link", false);
    spec.expected = hint.boolean("expected");
    if (spec.pattern.empty() == spec.param.empty()) {
      defect.report(hint.at("pattern"), "a hint has either a 'pattern' or a 'param'");
    }
    if (!names.insert(spec.name).second) {
      defect.report(hint.at("name"), quote(spec.name) + " is there twice");
    }
    const json::object* properties = properties_of(type.input_schema);
    if (!spec.param.empty() && (!properties || !properties->contains(spec.param))) {
      defect.report(hint.at("param"), quote(spec.param) + " is no input of the schema");
    }
    // '//host' would lead to another site.
    if (!spec.link.empty() && (spec.link[0] != '/' || spec.link.starts_with("//") ||
                               spec.link.find("{value}") == std::string::npos)) {
      defect.report(hint.at("link"),
                    "must be a path of the web UI with {value} in it, such as "
                    "/runs/{value}");
    }
    type.hints.push_back(std::move(spec));
  });
}

/// `runs/{run_id}/config.yaml`: a path beneath the workspace whose placeholders are hints or
/// inputs.
void check_template(const std::string& path, const std::string& where, const JobType& type,
                    Defect& defect) {
  if (!Confinement::normalize(path)) {
    defect.report(where, quote(path) + " is no path relative to the workspace");
  }
  static const RE2 kPlaceholder("\\{([^{}]*)\\}");
  re2::StringPiece rest(path);
  std::string name;
  const json::object* properties = properties_of(type.input_schema);
  while (RE2::FindAndConsume(&rest, kPlaceholder, &name)) {
    const bool known = std::any_of(type.hints.begin(), type.hints.end(),
                                   [&](const HintSpec& hint) { return hint.name == name; }) ||
                       (properties && properties->contains(name));
    if (!known) defect.report(where, "{" + name + "} is neither a hint nor an input");
  }
}

void read_progress(Fields& fields, JobType& type, Defect& defect) {
  fields.each("progress", [&](Fields& progress) {
    ProgressSpec spec;
    const int groups = progress.pattern("pattern", true, 1, spec.pattern);
    spec.current_group = static_cast<int>(progress.integer("current", 1, groups, 1));
    spec.total_group = static_cast<int>(progress.integer("total", 1, groups, 0));
    const json::object* from = progress.object("total_from", false);
    spec.total = static_cast<double>(progress.integer("total_value", 1, 1'000'000'000'000, 0));
    if ((spec.total_group > 0) + (spec.total > 0) + (from != nullptr) != 1) {
      defect.report(progress.at("total"),
                    "needs one of 'total' (a group of the pattern), "
                    "'total_value' (a number) and 'total_from'");
    }
    if (from) {
      Fields source(*from, progress.at("total_from"), defect);
      spec.yaml_path = source.text("yaml", true);
      spec.yaml_key = source.name("key", "[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*", true);
      check_template(spec.yaml_path, source.at("yaml"), type, defect);
      source.finish();
    }
    type.progress.push_back(std::move(spec));
  });
}

void read_series(Fields& fields, JobType& type, Defect& defect) {
  std::set<std::string> names;
  fields.each("series", [&](Fields& series) {
    SeriesSpec spec;
    spec.name = series.name("name", kNamePattern, true);
    series.pattern("pattern", true, 1, spec.pattern);
    series.pattern("block_end", false, 0, spec.block_end);
    if (const json::object* object = series.object("x", false)) {
      Fields x(*object, series.at("x"), defect);
      spec.x_name = x.name("name", kNamePattern, true);
      x.pattern("pattern", true, 1, spec.x_pattern);
      x.finish();
    }
    if (!names.insert(spec.name).second) {
      defect.report(series.at("name"), quote(spec.name) + " is there twice");
    }
    type.series.push_back(std::move(spec));
  });
}

void read_flags(Fields& fields, JobType& type, Defect& defect) {
  for (const json::value& value : fields.array("flags")) {
    const json::string* flag = value.if_string();
    if (!flag || !RE2::FullMatch(re2::StringPiece(flag->data(), flag->size()),
                                 "--?[A-Za-z0-9][A-Za-z0-9_.-]*")) {
      defect.report("flags", json::serialize(value) + " is no flag such as \"--config\"");
      return;
    }
    type.flags.emplace_back(*flag);
  }
}

void read_defaults(Fields& fields, JobType& type, Defect& defect) {
  const json::object* object = fields.object("defaults", false);
  if (!object) return;
  Fields defaults(*object, "defaults", defect);
  constexpr std::int64_t kMax = 1'000'000;
  type.defaults.timeout_sec = defaults.integer("timeout_sec", 0, 1000 * kMax, 0);
  type.defaults.slots = static_cast<int>(defaults.integer("slots", 1, 1000, 1));
  type.defaults.gpus = static_cast<int>(defaults.integer("gpus", 0, 1000, 0));
  type.defaults.memory_mb = defaults.integer("memory_mb", 0, 1LL << 30, 0);
  type.defaults.max_retries = static_cast<int>(defaults.integer("max_retries", 0, 1000, 0));
  type.defaults.priority = static_cast<int>(defaults.integer("priority", -kMax, kMax, 0));
  defaults.finish();
}

void read_follow_ups(Fields& fields, JobType& type) {
  fields.each("on_success", [&](Fields& next) {
    FollowUp follow_up;
    follow_up.type = next.name("type", kTypePattern, true);
    if (const json::object* params = next.object("params", false)) follow_up.params = *params;
    type.on_success.push_back(std::move(follow_up));
  });
}

void read_inputs(Fields& fields, JobType& type, Defect& defect) {
  if (const json::object* schema = fields.object("input_schema", true)) {
    type.input_schema = *schema;
    const json::object* properties = properties_of(*schema);
    if (properties && properties->contains("_job")) {
      defect.report("input_schema.properties._job", "this name is reserved for the job's options");
    }
  }
  if (const json::object* ui = fields.object("ui_schema", false)) type.ui_schema = *ui;
  type.examples = fields.array("examples");
  if (type.examples.empty()) {
    defect.report("examples",
                  "needs at least one example of the inputs: the plugin is tried with it");
  }
  for (const json::value& example : type.examples) {
    if (!example.is_object())
      defect.report("examples", "each must be an object, the inputs of a job");
  }
}

}  // namespace

bool is_reserved_slug(std::string_view slug) { return slug == "batch" || slug == "recent"; }

std::string default_slug(std::string_view type) {
  std::string slug(type);
  std::replace(slug.begin(), slug.end(), '_', '-');
  return slug;
}

Result<JobType> parse_descriptor(std::string_view text) {
  boost::system::error_code error;
  json::value value = json::parse({text.data(), text.size()}, error);
  if (error)
    return make_error(ErrorKind::kInvalid, "the descriptor is not JSON: " + error.message());
  if (!value.is_object())
    return make_error(ErrorKind::kInvalid, "the descriptor is no JSON object");

  JobType type;
  type.descriptor = std::move(value.get_object());
  Defect defect;
  Fields fields(type.descriptor, "", defect);
  type.type = fields.name("type", kTypePattern, true);
  type.slug = fields.name("slug", "[a-z][a-z0-9-]{0,63}", false);
  if (type.slug.empty()) type.slug = default_slug(type.type);
  if (is_reserved_slug(type.slug)) {
    defect.report("slug", quote(type.slug) + " is reserved; choose another");
  }
  type.version =
      fields.name("version", "\\d{1,9}\\.\\d{1,9}\\.\\d{1,9}(-[0-9A-Za-z.-]{1,64})?", true);
  type.title = fields.text("title", true);
  type.description = fields.text("description", false);
  read_program(fields, type, defect);
  read_inputs(fields, type, defect);
  read_flags(fields, type, defect);
  read_hints(fields, type, defect);
  read_progress(fields, type, defect);
  read_series(fields, type, defect);
  read_defaults(fields, type, defect);
  type.singleton = fields.boolean("singleton");
  read_follow_ups(fields, type);
  fields.finish();
  if (defect.found()) {
    return make_error(ErrorKind::kInvalid, "the descriptor is wrong: " + defect.message);
  }
  return type;
}

bool is_allowed(const Program& program, const std::vector<std::string>& allow) {
  return std::any_of(allow.begin(), allow.end(), [&](const std::string& entry) {
    if (!entry.ends_with('*')) return program.name == entry;
    const std::string_view head = std::string_view(entry).substr(0, entry.size() - 1);
    // A lone '*' allows every module; executables are always named by their path.
    if (program.kind == Program::Kind::kExecutable && head.find('/') == std::string_view::npos) {
      return false;
    }
    return program.name.starts_with(head);
  });
}

}  // namespace runyard
