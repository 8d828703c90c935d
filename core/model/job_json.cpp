#include <boost/json.hpp>
#include <utility>

#include "core/model/job.h"

namespace runyard {
namespace {

namespace json = boost::json;

template <class T>
json::value or_null(const std::optional<T>& value) {
  return value ? json::value(*value) : json::value(nullptr);
}
json::value time_or_null(const std::optional<TimeMs>& time) {
  return time ? json::value(format_time(*time)) : json::value(nullptr);
}
json::value text_or_null(std::string_view text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}
template <class T>
json::array to_array(const std::vector<T>& values) {
  json::array array;
  for (const auto& value : values) array.emplace_back(value);
  return array;
}

json::array attempts_to_json(const std::vector<Attempt>& attempts) {
  json::array array;
  for (const Attempt& attempt : attempts) {
    array.push_back(json::object{{"attempt", attempt.attempt},
                                 {"started_at", format_time(attempt.started_at)},
                                 {"ended_at", time_or_null(attempt.ended_at)},
                                 {"exit_code", or_null(attempt.exit_code)},
                                 {"signal", or_null(attempt.signal)},
                                 {"end_reason", text_or_null(to_string(attempt.end_reason))},
                                 {"log_start", attempt.log_start},
                                 {"log_end", or_null(attempt.log_end)}});
  }
  return array;
}

/// Reads members of one object leniently: a missing or ill-typed one leaves the target as it is.
class Reader {
 public:
  explicit Reader(const json::object& object) : object_(object) {}

  void text(std::string_view key, std::string& out) const {
    if (const auto* value = find(key); value && value->is_string())
      out = std::string(value->get_string());
  }
  template <class Int>
  void integer(std::string_view key, Int& out) const {
    if (auto value = number(key); value && std::in_range<Int>(*value))
      out = static_cast<Int>(*value);
  }
  template <class Int>
  void integer(std::string_view key, std::optional<Int>& out) const {
    if (auto value = number(key); value && std::in_range<Int>(*value))
      out = static_cast<Int>(*value);
  }
  void real(std::string_view key, double& out) const {
    if (const auto* value = find(key); value && value->is_number())
      out = value->to_number<double>();
  }
  void real(std::string_view key, std::optional<double>& out) const {
    if (const auto* value = find(key); value && value->is_number()) {
      out = value->to_number<double>();
    }
  }
  void boolean(std::string_view key, bool& out) const {
    if (const auto* value = find(key); value && value->is_bool()) out = value->as_bool();
  }
  void time(std::string_view key, std::optional<TimeMs>& out) const {
    if (const auto* value = find(key); value && value->is_string()) {
      out = parse_time(value->as_string());
    }
  }
  void texts(std::string_view key, std::vector<std::string>& out) const {
    const auto* list = array(key);
    if (!list) return;
    for (const auto& item : *list) {
      if (item.is_string()) out.emplace_back(item.get_string());
    }
  }
  const json::array* array(std::string_view key) const {
    const auto* value = find(key);
    return value ? value->if_array() : nullptr;
  }
  const json::object* object(std::string_view key) const {
    const auto* value = find(key);
    return value ? value->if_object() : nullptr;
  }

 private:
  const json::value* find(std::string_view key) const { return object_.if_contains(key); }
  std::optional<std::int64_t> number(std::string_view key) const {
    const auto* value = find(key);
    if (!value) return std::nullopt;
    boost::system::error_code error;
    const auto result = value->to_number<std::int64_t>(error);
    return error ? std::nullopt : std::optional(result);
  }
  const json::object& object_;
};

Attempt attempt_from_json(const json::object& document) {
  const Reader read(document);
  Attempt attempt;
  read.integer("attempt", attempt.attempt);
  std::optional<TimeMs> started;
  read.time("started_at", started);
  attempt.started_at = started.value_or(0);
  read.time("ended_at", attempt.ended_at);
  read.integer("exit_code", attempt.exit_code);
  read.integer("signal", attempt.signal);
  std::string reason;
  read.text("end_reason", reason);
  attempt.end_reason = parse_end_reason(reason).value_or(EndReason::kNone);
  read.integer("log_start", attempt.log_start);
  read.integer("log_end", attempt.log_end);
  return attempt;
}

}  // namespace

json::object to_json(const Job& job, Form form) {
  json::object doc;
  doc["job_id"] = job.job_id;
  doc["job_type"] = job.job_type;
  doc["status"] = to_string(job.status);
  doc["created_at"] = format_time(job.created_at);
  doc["started_at"] = time_or_null(job.started_at);
  doc["ended_at"] = time_or_null(job.ended_at);
  doc["command"] = to_array(job.command);
  doc["cwd"] = job.cwd;
  doc["artifacts_hint"] =
      job.artifacts_hint.empty() ? json::value(nullptr) : json::value(job.artifacts_hint);
  doc["log_path"] = job.log_path();
  doc["meta_path"] = job.meta_path();
  doc["params"] = job.params;
  doc["dry_run"] = job.dry_run;
  doc["exit_code"] = or_null(job.exit_code);
  doc["signal"] = or_null(job.signal);
  doc["error_message"] = text_or_null(job.error_message);
  doc["end_reason"] = text_or_null(to_string(job.end_reason));
  // A running job's duration ticks, so the record has it only when it is final.
  doc["duration_sec"] =
      form == Form::kApi || job.ended_at ? or_null(job.duration_sec()) : json::value(nullptr);
  doc["attempt"] = job.attempt;
  doc["priority"] = job.options.priority;
  doc["timeout_sec"] = job.options.timeout_sec;
  doc["max_retries"] = job.options.max_retries;
  doc["retry_lost"] = job.options.retry_lost;
  doc["group"] = text_or_null(job.options.group);
  doc["after"] = to_array(job.options.after);
  doc["name"] = text_or_null(job.options.name);
  doc["rerun_of"] = text_or_null(job.rerun_of);
  doc["tags"] = to_array(job.tags);
  doc["note"] = text_or_null(job.note);
  doc["git"] =
      job.git ? json::value(json::object{{"commit", job.git->commit}, {"dirty", job.git->dirty}})
              : json::value(nullptr);
  doc["instance"] = job.instance;
  doc["seq"] = job.seq;
  doc["number"] = job.number;
  doc["attempts"] = attempts_to_json(job.attempts);
  json::array links;
  for (const Link& link : job.links) {
    links.push_back(json::object{
        {"name", link.name}, {"value", link.value}, {"href", text_or_null(link.href)}});
  }
  doc["links"] = std::move(links);
  doc["resources"] = json::object{{"slots", job.options.slots},
                                  {"gpu_count", job.options.gpus},
                                  {"memory_mb", job.options.memory_mb},
                                  {"gpus", to_array(job.gpu_ids)}};
  doc["usage"] = job.usage ? json::value(json::object{{"user_sec", job.usage->user_sec},
                                                      {"system_sec", job.usage->system_sec},
                                                      {"max_rss_kb", job.usage->max_rss_kb}})
                           : json::value(nullptr);
  doc["executor"] = job.executor;
  doc["plugin_version"] = job.plugin_version;
  doc["warnings"] = to_array(job.warnings);
  doc["not_before"] = time_or_null(job.not_before);
  doc["cancel_requested"] = job.cancel_requested;
  if (form == Form::kRecord) return doc;
  doc["progress"] = job.progress
                        ? json::value(json::object{{"current", job.progress->current},
                                                   {"total", job.progress->total},
                                                   {"fraction", job.progress->fraction()},
                                                   {"eta_sec", or_null(job.progress->eta_sec)}})
                        : json::value(nullptr);
  doc["status_text"] = text_or_null(job.status_text);
  doc["waiting_for"] = text_or_null(job.waiting_for);
  doc["log_size"] = job.log_size;
  if (form == Form::kStore) doc["scan_offset"] = job.scan_offset;
  return doc;
}

json::parse_options record_parse_options() {
  json::parse_options options;
  options.max_depth = 64;
  return options;
}

Result<Job> job_from_json(const json::value& document) {
  const auto* object = document.if_object();
  if (!object) return make_error(ErrorKind::kInvalid, "the record of a job is not an object");
  const Reader read(*object);
  Job job;
  read.text("job_id", job.job_id);
  read.text("job_type", job.job_type);
  std::string status, reason;
  read.text("status", status);
  std::optional<TimeMs> created;
  read.time("created_at", created);
  const auto parsed = parse_status(status);
  if (job.job_id.empty() || job.job_type.empty() || !parsed || !created) {
    return make_error(ErrorKind::kInvalid,
                      "the record of a job lacks job_id, job_type, status or created_at");
  }
  job.status = *parsed;
  job.created_at = *created;
  read.time("started_at", job.started_at);
  read.time("ended_at", job.ended_at);
  read.texts("command", job.command);
  read.text("cwd", job.cwd);
  if (const auto* hints = read.object("artifacts_hint")) job.artifacts_hint = *hints;
  if (const auto* params = read.object("params")) job.params = *params;
  read.boolean("dry_run", job.dry_run);
  read.integer("exit_code", job.exit_code);
  read.integer("signal", job.signal);
  read.text("error_message", job.error_message);
  read.text("end_reason", reason);
  job.end_reason = parse_end_reason(reason).value_or(EndReason::kNone);
  read.integer("attempt", job.attempt);
  read.integer("priority", job.options.priority);
  read.integer("timeout_sec", job.options.timeout_sec);
  read.integer("max_retries", job.options.max_retries);
  read.boolean("retry_lost", job.options.retry_lost);
  read.text("group", job.options.group);
  read.texts("after", job.options.after);
  read.text("name", job.options.name);
  read.text("rerun_of", job.rerun_of);
  read.texts("tags", job.tags);
  read.text("note", job.note);
  if (const auto* git = read.object("git")) {
    GitState state;
    Reader(*git).text("commit", state.commit);
    Reader(*git).boolean("dirty", state.dirty);
    job.git = std::move(state);
  }
  read.text("instance", job.instance);
  read.integer("seq", job.seq);
  read.integer("number", job.number);
  if (const auto* attempts = read.array("attempts")) {
    for (const auto& attempt : *attempts) {
      if (attempt.is_object()) job.attempts.push_back(attempt_from_json(attempt.get_object()));
    }
  }
  if (const auto* links = read.array("links")) {
    for (const auto& item : *links) {
      if (!item.is_object()) continue;
      Link link;
      const Reader fields(item.get_object());
      fields.text("name", link.name);
      fields.text("value", link.value);
      fields.text("href", link.href);
      job.links.push_back(std::move(link));
    }
  }
  if (const auto* resources = read.object("resources")) {
    const Reader fields(*resources);
    fields.integer("slots", job.options.slots);
    fields.integer("gpu_count", job.options.gpus);
    fields.integer("memory_mb", job.options.memory_mb);
    if (const auto* ids = fields.array("gpus")) {
      for (const auto& id : *ids) {
        if (id.is_int64()) job.gpu_ids.push_back(static_cast<int>(id.get_int64()));
      }
    }
  }
  if (const auto* usage = read.object("usage")) {
    Usage value;
    const Reader fields(*usage);
    fields.real("user_sec", value.user_sec);
    fields.real("system_sec", value.system_sec);
    fields.integer("max_rss_kb", value.max_rss_kb);
    job.usage = value;
  }
  read.text("executor", job.executor);
  read.text("plugin_version", job.plugin_version);
  read.texts("warnings", job.warnings);
  read.time("not_before", job.not_before);
  read.boolean("cancel_requested", job.cancel_requested);
  if (const auto* progress = read.object("progress")) {
    Progress value;
    const Reader fields(*progress);
    fields.real("current", value.current);
    fields.real("total", value.total);
    fields.real("eta_sec", value.eta_sec);
    job.progress = value;
  }
  read.text("status_text", job.status_text);
  read.text("waiting_for", job.waiting_for);
  read.integer("log_size", job.log_size);
  read.integer("scan_offset", job.scan_offset);
  return job;
}

}  // namespace runyard
