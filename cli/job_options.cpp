#include "cli/job_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/json/parse.hpp>
#include <charconv>
#include <iostream>
#include <iterator>

#include "cli/command.h"
#include "core/base/files.h"

namespace runyard::cli {

namespace json = boost::json;

std::optional<std::int64_t> parse_seconds(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string unit(end, text.data() + text.size());
  std::int64_t factor = 0;
  if (unit.empty() || unit == "s") factor = 1;
  if (unit == "m") factor = 60;
  if (unit == "h") factor = 3600;
  if (unit == "d") factor = 86400;
  constexpr std::int64_t kMax = 100LL * 365 * 86400;
  if (error != std::errc() || number < 0 || factor == 0 || number > kMax / factor) {
    return std::nullopt;
  }
  return number * factor;
}

std::optional<std::int64_t> parse_megabytes(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string unit(end, text.data() + text.size());
  std::int64_t factor = 0;
  if (unit.empty() || unit == "M") factor = 1;
  if (unit == "G") factor = 1024;
  if (unit == "T") factor = 1024 * 1024;
  constexpr std::int64_t kMax = 1LL << 30;
  if (error != std::errc() || number < 0 || factor == 0 || number > kMax / factor) {
    return std::nullopt;
  }
  return number * factor;
}

Result<json::object> read_params(const std::string& argument) {
  std::string text = argument, source = "--params";
  if (argument == "-") {
    text.assign(std::istreambuf_iterator<char>(std::cin), {});
    source = "--params - (standard input)";
  } else if (argument.starts_with("@")) {
    auto content = read_file(argument.substr(1), 1u << 20);
    if (!content) return make_error(ErrorKind::kInvalid, "--params: " + content.error().message);
    text = std::move(*content);
    source = "--params " + argument;
  }
  boost::system::error_code bad;
  json::value document = json::parse(text, bad);
  if (bad || !document.is_object()) {
    return make_error(
        ErrorKind::kInvalid,
        fmt::format("{}: this is not a JSON object such as {{\"key\": \"value\"}}", source));
  }
  return std::move(document.get_object());
}

void JobOptionFlags::declare(CLI::App& app, const std::string& group) {
  app.add_option("--priority", priority_, "A job with a higher number starts first")
      ->group(group)
      ->type_name("N");
  app.add_option("--timeout", timeout_, "End it after this time: 90, 15m, 2h, 1d; 0 is never")
      ->group(group)
      ->type_name("TIME")
      ->check(CLI::Validator(
          [](std::string& text) {
            return parse_seconds(text) ? "" : "'" + text + "' is not a time such as 90, 15m or 2h";
          },
          ""));
  app.add_option("--retries", retries_, "Start it again up to N times when it fails")
      ->group(group)
      ->type_name("N");
  app.add_flag("--retry-lost", retry_lost_,
               "Such a retry also when the machine or the supervisor died under it")
      ->group(group);
  app.add_option("--slots", slots_, "How many of the server's slots it takes")
      ->group(group)
      ->type_name("N");
  app.add_option("--gpus", gpus_, "How many GPUs it takes")->group(group)->type_name("N");
  app.add_option("--memory", memory_,
                 "Megabytes that it asks of a cluster, or with a unit: 500M, 4G")
      ->group(group)
      ->type_name("SIZE")
      ->check(CLI::Validator(
          [](std::string& text) {
            return parse_megabytes(text) ? ""
                                         : "'" + text + "' is not a size such as 500, 500M or 4G";
          },
          ""));
  app.add_option("--group", group_, "Group of jobs it belongs to")->group(group)->type_name("NAME");
  app.add_option("--after", after_, "Start it only after this job has succeeded\n[may be repeated]")
      ->group(group)
      ->type_name("JOB")
      ->allow_extra_args(false);
  app.add_option("--name", name_, "A name for people")->group(group)->type_name("TEXT");
}

Result<json::object> JobOptionFlags::to_json(Api& api) const {
  json::object job;
  if (priority_) job["priority"] = *priority_;
  if (timeout_) job["timeout_sec"] = *parse_seconds(*timeout_);
  if (retries_) job["max_retries"] = *retries_;
  if (retry_lost_) job["retry_lost"] = true;
  if (slots_) job["slots"] = *slots_;
  if (gpus_) job["gpus"] = *gpus_;
  if (memory_) job["memory_mb"] = *parse_megabytes(*memory_);
  if (group_) job["group"] = *group_;
  if (name_) job["name"] = *name_;
  if (!after_.empty()) {
    auto ids = resolve_all(api, after_);
    if (!ids) return ids.error();
    job["after"] = json::array(ids->begin(), ids->end());
  }
  return job;
}

}  // namespace runyard::cli
