#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <memory>

#include "cli/commands.h"
#include "cli/follow.h"
#include "cli/interrupt.h"
#include "cli/job_options.h"
#include "cli/job_text.h"
#include "cli/json_access.h"
#include "cli/output.h"
#include "cli/schema_flags.h"
#include "cli/terminal.h"

namespace runyard::cli {
namespace {

namespace json = boost::json;

constexpr const char* kName = "runyard submit";
constexpr const char* kRules =
    "How inputs become flags:\n"
    "  Every input of the job type is a flag: config_path is --config-path.\n"
    "  A flag that may be repeated takes one item each time; items that cannot hold a\n"
    "  comma may be joined by commas. A value that starts with '-': --flag=-value.\n"
    "  An input that has the name of an option above is --param-NAME. Inputs without a\n"
    "  flag, and whole documents, go through --params; flags win over it.\n"
    "\n"
    "  --then TYPE starts the next job of a chain: it runs after the one before has\n"
    "  succeeded, and its inputs may say '{hint.run_id}' for what that one produced.\n"
    "    runyard submit train --config-path configs/smoke.yaml \\\n"
    "        --then eval-metrics --run-id '{hint.run_id}' --follow\n"
    "\n"
    "  With --follow the exit code is the job's: 128 + n for signal n, 130 when it was\n"
    "  cancelled. With --json the log goes to stderr.";

/// What belongs to the whole command line, whichever job of the chain it stands behind.
struct Shared {
  Target target;
  bool json = false;
  bool follow = false;
  bool preview = false;
};

/// One job of the chain: its type, and the parser with the flags of that type.
struct Link {
  std::string slug;
  CLI::App app{"", kName};
  std::string params;
  std::unique_ptr<SchemaOptions> inputs;
  JobOptionFlags options;
};

void declare_shared(CLI::App& app, Shared& shared) {
  add_common_options(app, shared.target, shared.json);
  auto* follow = app.add_flag("-f,--follow", shared.follow,
                              "Print the log, wait, and exit with the job's code");
  app.add_flag("--preview", shared.preview, "Print the command that would run, and queue nothing")
      ->excludes(follow);
}

void declare(Link& link, const json::object& type, Shared& shared) {
  const std::string title = text_of(type, "title"), description = text_of(type, "description");
  link.slug = text_of(type, "slug");
  link.app.name(fmt::format("{} {}", kName, link.slug));
  link.app.description(escape_controls(title) +
                       (description.empty() ? "" : "\n" + wrap(escape_controls(description), 88)));
  link.app.footer(kRules);
  link.app.get_formatter()->column_width(30);
  const auto* schema = object_of(type, "input_schema");
  link.inputs = std::make_unique<SchemaOptions>(
      link.app, flags_of_schema(schema ? *schema : json::object()), "Inputs of " + link.slug);
  link.app
      .add_option("--params", link.params, "All inputs as a JSON object; @FILE, or - for stdin")
      ->type_name("JSON")
      ->group("Inputs of " + link.slug);
  link.options.declare(link.app, "How it is run");
  declare_shared(link.app, shared);
}

/// The words of each job: split at --then.
std::vector<Args> split_chain(const Args& args) {
  std::vector<Args> parts(1);
  for (const std::string& arg : args) {
    if (arg == "--then") {
      parts.emplace_back();
    } else {
      parts.back().push_back(arg);
    }
  }
  return parts;
}

/// --server and --token have to be known before the flags are.
Target find_target(const Args& args) {
  const auto value_of = [&args](const std::string& option) -> std::string {
    for (std::size_t i = 0; i < args.size(); ++i) {
      if (args[i].starts_with(option + "=")) return args[i].substr(option.size() + 1);
      if (args[i] == option && i + 1 < args.size()) return args[i + 1];
    }
    return "";
  };
  return {value_of("--server"), value_of("--token")};
}

/// Help without a job type: the rules, and which types there are if the server answers.
int general_help(const Target& target) {
  Shared shared;
  CLI::App app("Submit a job: runyard submit TYPE [flags of the type] [options] [--then TYPE ...]",
               kName);
  app.footer(kRules);
  declare_shared(app, shared);
  JobOptionFlags().declare(app, "How it is run");
  print(app.help());
  print("\nJob types (runyard submit TYPE --help shows the flags):\n");
  auto api = connect_to(target);
  auto types = api ? api->job_types() : Result<json::array>(api.error());
  if (!types) {
    print(fmt::format("  not known: {}\n", escape_controls(types.error().message)));
    return kOk;
  }
  for (const auto& item : *types) {
    if (const auto* type = item.if_object()) {
      print(fmt::format("  {:<20} {}\n", escape_controls(text_of(*type, "slug")),
                        escape_controls(text_of(*type, "title"))));
    }
  }
  return kOk;
}

Result<json::object> request_body(Api& api, const Link& link, const std::string& previous) {
  json::object body;
  if (!link.params.empty()) {
    auto params = read_params(link.params);
    if (!params) return params.error();
    body = std::move(*params);
  }
  if (auto collected = link.inputs->collect(body); !collected) return collected.error();
  auto options = link.options.to_json(api);
  if (!options) return options.error();
  if (!previous.empty()) {
    auto& after = (*options)["after"];
    if (!after.is_array()) after.emplace_array();
    after.get_array().emplace_back(previous);
  }
  if (!options->empty()) body["_job"] = std::move(*options);
  return body;
}

/// Inputs that name what the job before will have found: its command is not known yet.
bool has_hints(const json::object& params) {
  return json::serialize(params).find("{hint.") != std::string::npos;
}

/// Prints what each job would run; with --json its documents.
int preview_chain(Api& api, const std::vector<std::unique_ptr<Link>>& links, bool json_output) {
  json::array all;
  for (const auto& link : links) {
    auto body = request_body(api, *link, "");
    if (!body) return fail(body.error());
    json::object request;
    if (auto* options = body->if_contains("_job")) {
      request["_job"] = std::move(*options);
      body->erase("_job");
    }
    if (&link != &links.front() && has_hints(*body)) {
      all.push_back(json::object{{"params", std::move(*body)}, {"command", json::array()}});
      continue;
    }
    request["params"] = std::move(*body);
    auto answer = api.post("/api/job-types/" + percent_encode(link->slug) + "/preview", request);
    if (!answer) return fail(answer.error());
    all.push_back(std::move(*answer));
  }
  if (json_output) {
    print_json(all.size() == 1 ? all.front() : json::value(all));
    return kOk;
  }
  for (const auto& plan : all) {
    const std::string line = plan.is_object() ? command_line(plan.get_object()) : "";
    print((line.empty() ? "# known when the job before it has ended" : line) + "\n");
  }
  return kOk;
}

/// A chain is submitted whole or not at all: what was accepted before the failure is cancelled.
void take_back(Api& api, const json::array& jobs) {
  for (const auto& job : jobs) {
    const std::string id = text_of(job.get_object(), "job_id");
    const auto cancelled = api.post("/api/jobs/" + id + "/cancel", {});
    note(cancelled ? fmt::format("cancelled {} of the same chain", id)
                   : fmt::format("could not cancel {}: {}", id, cancelled.error().message));
  }
}

Result<json::array> submit_chain(Api& api, const std::vector<std::unique_ptr<Link>>& links) {
  json::array jobs;
  std::string previous;
  for (const auto& link : links) {
    auto body = request_body(api, *link, previous);
    auto job = body ? api.post_once("/api/jobs/" + percent_encode(link->slug), *body)
                    : Result<json::value>(body.error());
    if (job && !job->is_object()) job = make_error(ErrorKind::kInternal, "no job came back");
    if (!job) {
      take_back(api, jobs);
      Error error = job.error();
      if (links.size() > 1) error.message = link->slug + ": " + error.message;
      return error;
    }
    previous = text_of(job->get_object(), "job_id");
    jobs.push_back(std::move(*job));
  }
  return jobs;
}

/// Follows the jobs in turn and stops at the first that fails. `jobs` get their last documents.
int follow_chain(Api& api, json::array& jobs, bool json_output) {
  catch_interrupts();
  int code = kOk;
  for (auto& job : jobs) {
    const std::string id = text_of(job.get_object(), "job_id");
    fmt::print(stderr, "{} {}\n", id, escape_controls(text_of(job.get_object(), "job_type")));
    code = follow_job(api, id, json_output ? stderr : stdout, 0, job.get_object());
    if (code != kOk) break;
  }
  return code;
}

}  // namespace

int run_submit(const Args& args) {
  const Target target = find_target(args);
  const auto parts = split_chain(args);
  const bool typeless = parts.front().empty() || parts.front().front().starts_with("-");
  if (typeless) {
    const auto& words = parts.front();
    const bool help = std::find(words.begin(), words.end(), "--help") != words.end() ||
                      std::find(words.begin(), words.end(), "-h") != words.end();
    if (help || words.empty()) return general_help(target);
    return fail(make_error(ErrorKind::kInvalid,
                           "the job type comes first: runyard submit TYPE [flags]; "
                           "`runyard submit --help` lists the types"));
  }
  auto api = connect_to(target);
  if (!api) return fail(api.error());

  Shared shared;
  std::vector<std::unique_ptr<Link>> links;
  for (const Args& part : parts) {
    if (part.empty() || part.front().starts_with("-")) {
      return fail(make_error(ErrorKind::kInvalid, "--then needs a job type behind it"));
    }
    auto type = api->job_type(part.front());
    if (!type) return fail(type.error());
    auto link = std::make_unique<Link>();
    declare(*link, *type, shared);
    if (auto code = parse_args(link->app, Args(part.begin() + 1, part.end()))) return *code;
    links.push_back(std::move(link));
  }

  if (shared.preview) return preview_chain(*api, links, shared.json);
  auto jobs = submit_chain(*api, links);
  if (!jobs) return fail(jobs.error());
  const int code = shared.follow ? follow_chain(*api, *jobs, shared.json) : kOk;
  if (shared.json) {
    print_json(jobs->size() == 1 ? jobs->front() : json::value(*jobs));
  } else if (!shared.follow) {
    for (const auto& job : *jobs) print(text_of(job.get_object(), "job_id") + "\n");
  }
  return code;
}

}  // namespace runyard::cli
