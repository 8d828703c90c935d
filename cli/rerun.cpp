#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "cli/commands.h"
#include "cli/follow.h"
#include "cli/interrupt.h"
#include "cli/job_options.h"
#include "cli/json_access.h"
#include "cli/output.h"
#include "cli/schema_flags.h"

namespace runyard::cli {
namespace {

namespace json = boost::json;

/// Reads `--set key=value`s with the types that the job type's schema gives to its inputs.
Result<> apply_settings(const std::vector<std::string>& settings, const json::object& type,
                        json::object& params) {
  const auto* schema = object_of(type, "input_schema");
  const auto flags = flags_of_schema(schema ? *schema : json::object());
  std::set<std::string> seen;
  for (const std::string& setting : settings) {
    const auto equals = setting.find('=');
    if (equals == std::string::npos || equals == 0) {
      return make_error(ErrorKind::kInvalid,
                        fmt::format("--set '{}': write it as key=value", setting));
    }
    std::string key = setting.substr(0, equals);
    std::replace(key.begin(), key.end(), '-', '_');
    const auto flag = std::find_if(flags.begin(), flags.end(), [&](const SchemaFlag& candidate) {
      std::string property = candidate.property;
      std::replace(property.begin(), property.end(), '-', '_');
      return property == key;
    });
    if (flag == flags.end()) {
      std::vector<std::string> names;
      for (const SchemaFlag& known : flags) names.push_back(known.property);
      return make_error(ErrorKind::kInvalid, fmt::format("--set: there is no input '{}'; there "
                                                         "are: {}",
                                                         key, fmt::join(names, ", ")));
    }
    const bool fresh = seen.insert(key).second;
    if (auto added = add_value(params, *flag, setting.substr(equals + 1), fresh); !added) {
      return added.error();
    }
  }
  return {};
}

}  // namespace

int run_rerun(const Args& args) {
  Command command("runyard rerun",
                  "Submit a job again, with the same inputs or with changed ones.");
  std::string reference, params_argument;
  std::vector<std::string> settings;
  bool follow = false;
  JobOptionFlags options;
  command.app()
      .add_option("job", reference, "The job: its id, a unique part of it, or @")
      ->required()
      ->type_name("");
  command.app()
      .add_option("--set,--param", settings,
                  "Replace one input; repeated for a list, its items one by one")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command.app()
      .add_option("--params", params_argument,
                  "Inputs to replace as a JSON object; @FILE, or - for stdin")
      ->type_name("JSON");
  command.app().add_flag("-f,--follow", follow,
                         "Print the log, wait, and exit with the job's code");
  options.declare(command.app(), "How it is run");
  if (auto code = command.parse(args)) return *code;

  auto api = command.connect();
  if (!api) return fail(api.error());
  auto id = api->resolve(reference);
  if (!id) return fail(id.error());
  json::object params, body;
  if (!params_argument.empty()) {
    auto read = read_params(params_argument);
    if (!read) return fail(read.error());
    params = std::move(*read);
  }
  if (!settings.empty()) {
    auto job = api->job(*id);
    if (!job) return fail(job.error());
    auto type = api->job_type(text_of(*job, "job_type"));
    if (!type) return fail(type.error());
    if (auto applied = apply_settings(settings, *type, params); !applied) {
      return fail(applied.error());
    }
  }
  auto job_options = options.to_json(*api);
  if (!job_options) return fail(job_options.error());
  if (!params.empty()) body["params"] = std::move(params);
  if (!job_options->empty()) body["_job"] = std::move(*job_options);

  auto job = api->post_once("/api/jobs/" + *id + "/rerun", body);
  if (!job) return fail(job.error());
  if (!job->is_object()) return fail(make_error(ErrorKind::kInternal, "no job came back"));
  const std::string new_id = text_of(job->get_object(), "job_id");
  int code = kOk;
  if (follow) {
    catch_interrupts();
    fmt::print(stderr, "{}\n", new_id);
    code = follow_job(*api, new_id, command.json() ? stderr : stdout, 0, job->get_object());
  }
  if (command.json()) {
    print_json(*job);
  } else if (!follow) {
    print(new_id + "\n");
  }
  return code;
}

}  // namespace runyard::cli
