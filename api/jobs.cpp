#include <fmt/format.h>

#include <boost/json.hpp>

#include "api/routes.h"
#include "core/base/text.h"

namespace runyard {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxKey = 255;
constexpr std::int64_t kMaxPriority = 1'000'000;
constexpr std::int64_t kMaxTimeout = 10LL * 366 * 86'400;
constexpr std::size_t kMaxTags = 50;
constexpr std::size_t kMaxTag = 100;
constexpr std::size_t kMaxNote = 4000;
const std::vector<std::string> kStatuses = {"QUEUED", "RUNNING", "SUCCESS", "FAILED", "CANCELLED"};

/// FNV-1a over what makes a request: it only tells an honest repeat from a mistaken one.
std::string body_hash(const Call& call, const std::string& route) {
  std::uint64_t hash = 1469598103934665603u;
  for (const std::string* part : {&route, &call.body}) {
    for (const char c : *part) {
      hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
    }
    hash = (hash ^ 0xff) * 1099511628211u;
  }
  return fmt::format("{:016x}:{}", hash, call.body.size());
}

Result<std::optional<IdempotencyKey>> read_key(const Call& call, const std::string& route) {
  const std::string key = call.header("idempotency-key");
  if (key.empty()) return std::optional<IdempotencyKey>();
  if (key.size() > kMaxKey) {
    return make_error(ErrorKind::kInvalid, "an Idempotency-Key has at most 255 bytes");
  }
  return std::optional<IdempotencyKey>({key, body_hash(call, route)});
}

/// 422. `detail` is all that some clients show, so it names the field of the first mistake.
Reply refused(const std::vector<FieldError>& mistakes) {
  const FieldError& first = mistakes.front();
  return problem(422, first.pointer.substr(1) + " " + first.message, mistakes);
}

Reply submitted(const Result<JobService::Submitted>& result, bool as_list) {
  if (!result) return problem(result.error());
  std::string body;
  for (const auto& view : result->jobs) body += (body.empty() ? "" : ",") + view.document();
  if (as_list) body = "[" + body + "]";
  Reply reply = json_text(std::move(body), result->repeated ? 200 : 201);
  for (const auto& view : result->jobs) reply.job_ids.push_back(view.job->job_id);
  if (!as_list) reply.headers.emplace_back("Location", "/api/jobs/" + result->jobs[0].job->job_id);
  return reply;
}

/// Takes `_job` out of a body.
json::value take_options(json::object& body) {
  json::value options;
  if (auto* found = body.if_contains("_job")) {
    options = std::move(*found);
    body.erase("_job");
  }
  return options;
}

std::string unknown_type(const JobService& service, std::string_view name) {
  std::string known;
  for (const auto& each : service.job_types()) known += (known.empty() ? "" : ", ") + each->slug;
  return fmt::format("there is no job type '{}'; loaded are: {}", name,
                     known.empty() ? "none" : known);
}

Reply submit(JobService& service, const Call& call) {
  const std::string& slug = call.path.at("slug");
  const JobTypePtr type = service.find_slug(slug);
  if (!type) {
    return problem(404, unknown_type(service, slug));
  }
  auto body = read_object(call);
  if (!body) return problem(body.error());
  const json::value job_options = take_options(*body);
  auto options = service.read_options(*type, &job_options);
  if (!options) return problem(options.error());
  auto key = read_key(call, slug);
  if (!key) return problem(key.error());
  return submitted(service.submit({{type, std::move(*body), std::move(*options), ""}}, *key),
                   false);
}

/// What a member of a batch has to be.
std::string batch_rule(std::string_view name) {
  if (name == "type") return "must be the name of a job type";
  if (name == "params") return "must be an object of inputs";
  if (name == "matrix") return "must be an object of inputs, each with a list of values";
  if (name == "group") return "must be the name of a group";
  return "is not known here; a batch is {type, params, matrix, group, _job}";
}

Reply batch(JobService& service, const Call& call) {
  auto body = read_object(call);
  if (!body) return problem(body.error());
  const json::value job_options = take_options(*body);
  JobTypePtr type;
  json::object params, matrix;
  std::string group;
  std::vector<FieldError> mistakes;
  for (const auto& [name, value] : *body) {
    if (name == "type" && value.is_string()) {
      const std::string wanted(value.get_string());
      type = service.find_slug(wanted);
      for (const auto& each : service.job_types()) {
        if (each->type == wanted) type = each;
      }
      if (!type) {
        const std::string unknown = unknown_type(service, wanted);
        return problem(422, unknown, {{"/type", unknown}});
      }
    } else if (name == "params" && value.is_object()) {
      params = value.get_object();
    } else if (name == "matrix" && value.is_object()) {
      matrix = value.get_object();
    } else if (name == "group" && value.is_string()) {
      group = std::string(value.get_string());
    } else if (!value.is_null()) {
      mistakes.push_back({"/" + std::string(name), batch_rule(name)});
    }
  }
  if (!type && mistakes.empty()) mistakes.push_back({"/type", "is missing: name the job type"});
  if (!mistakes.empty()) return refused(mistakes);
  auto options = service.read_options(*type, &job_options);
  if (!options) return problem(options.error());
  if (!group.empty()) {
    json::object just_group{{"group", group}};
    const json::value wrapped(just_group);
    auto checked = service.read_options(*type, &wrapped);
    if (!checked) return problem(checked.error());
    options->group = checked->group;
  }
  auto all = JobService::expand_matrix(params, matrix);
  if (!all) return problem(all.error());
  auto key = read_key(call, "batch");
  if (!key) return problem(key.error());
  std::vector<Submission> submissions;
  for (auto& each : *all) submissions.push_back({type, std::move(each), *options, ""});
  return submitted(service.submit(std::move(submissions), *key), true);
}

Reply rerun(JobService& service, const Call& call) {
  auto known = service.find(call.path.at("id"));
  if (!known) return problem(known.error());
  const Job& job = *known->job;
  auto read_body = read_object(call);
  if (!read_body) return problem(read_body.error());
  json::object& body = *read_body;
  const JobTypePtr type = [&]() -> JobTypePtr {
    for (const auto& each : service.job_types()) {
      if (each->type == job.job_type) return each;
    }
    return nullptr;
  }();
  if (!type) {
    return problem(409, fmt::format("the job type {} is not loaded any more", job.job_type));
  }
  const json::value job_options = take_options(body);
  json::object params = job.params;
  for (const auto& [name, value] : body) {
    if (name != "params") {
      return refused({{"/" + std::string(name), "is not known here; a rerun is {params, _job}"}});
    }
    if (!value.is_object()) return refused({{"/params", "must be an object of inputs"}});
    for (const auto& [key, replaced] : value.get_object()) params[key] = replaced;
  }
  // The same options as before, but for what it waited for.
  json::object options{{"priority", job.options.priority},
                       {"timeout_sec", job.options.timeout_sec},
                       {"max_retries", job.options.max_retries},
                       {"retry_lost", job.options.retry_lost},
                       {"slots", job.options.slots},
                       {"gpus", job.options.gpus},
                       {"memory_mb", job.options.memory_mb},
                       {"group", job.options.group},
                       {"name", job.options.name}};
  if (job_options.is_object()) {
    for (const auto& [name, value] : job_options.get_object()) options[name] = value;
  } else if (!job_options.is_null()) {
    return refused({{"/_job", "must be an object"}});
  }
  const json::value merged(std::move(options));
  auto read = service.read_options(*type, &merged);
  if (!read) return problem(read.error());
  auto key = read_key(call, "rerun " + job.job_id);
  if (!key) return problem(key.error());
  return submitted(service.submit({{type, std::move(params), std::move(*read), job.job_id}}, *key),
                   false);
}

Reply recent(JobService& service, const Call& call) {
  const auto limit = read_number(call, "limit", 50, 1, 500);
  if (!limit) return problem(limit.error());
  JobFilter filter;
  const auto text = [&](const char* key) {
    const auto found = call.query.find(key);
    return found == call.query.end() ? std::string() : found->second;
  };
  if (const std::string status = text("status"); !status.empty()) {
    filter.status = parse_status(status);
    if (!filter.status) {
      const std::string rule = fmt::format("'status' is one of {}", fmt::join(kStatuses, ", "));
      return problem(422, rule, {{"/status", rule}});
    }
  }
  filter.job_type = text("job_type");
  filter.group = text("group");
  filter.text = text("q");
  filter.before = text("before");
  // A page behind a job that is gone would look like the end of the list.
  if (!filter.before.empty() && !service.find(filter.before)) {
    const std::string rule =
        fmt::format("'before' is the id of a job, and there is no job '{}' (any more)",
                    ellipsize(filter.before, 64));
    return problem(422, rule, {{"/before", rule}});
  }
  const auto page = service.list(filter, static_cast<std::size_t>(*limit));
  if (!page) return problem(page.error());
  std::string body = "[";
  for (const auto& view : page->jobs) body += (body.size() > 1 ? "," : "") + view.document();
  Reply reply = json_text(body + "]");
  reply.headers.emplace_back("X-Total-Count", std::to_string(page->total));
  if (page->has_more && !page->jobs.empty()) {
    std::string next = fmt::format("/api/jobs/recent?limit={}", *limit);
    for (const char* key : {"status", "job_type", "group", "q"}) {
      const std::string value = text(key);
      if (value.empty()) continue;
      next += fmt::format("&{}=", key);
      for (const char c : value) {
        const bool plain = std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-';
        next += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
      }
    }
    next += "&before=" + page->jobs.back().job->job_id;
    reply.headers.emplace_back("Link", "<" + next + ">; rel=\"next\"");
  }
  return reply;
}

Reply cancel(JobService& service, const Call& call) {
  const auto view = service.cancel(call.path.at("id"));
  return view ? json_text(view->document(), 202) : problem(view.error());
}

/// What a member of a PATCH has to be.
std::string change_rule(std::string_view name) {
  if (name == "priority") {
    return fmt::format("must be a whole number from {} to {}", -kMaxPriority, kMaxPriority);
  }
  if (name == "timeout_sec") {
    return fmt::format("must be a whole number of seconds from 0 (never) to {}", kMaxTimeout);
  }
  if (name == "note") {
    return fmt::format("must be a text of at most {} bytes without control characters, or null",
                       kMaxNote);
  }
  if (name == "tags") {
    return fmt::format(
        "must be a list of at most {} texts, each of at most {} bytes without "
        "control characters",
        kMaxTags, kMaxTag);
  }
  if (name == "params") return "must be an object of inputs";
  return "cannot be changed; PATCH takes priority, timeout_sec, tags, note and params";
}

Reply change(JobService& service, const Call& call) {
  const auto body = read_object(call);
  if (!body) return problem(body.error());
  JobChange change;
  std::vector<FieldError> mistakes;
  const auto clean = [](std::string_view text, std::size_t limit) {
    for (const char c : text) {
      if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') return false;
    }
    return text.size() <= limit;
  };
  for (const auto& [name, value] : *body) {
    if (name == "priority" && value.is_int64() && value.get_int64() >= -kMaxPriority &&
        value.get_int64() <= kMaxPriority) {
      change.priority = static_cast<int>(value.get_int64());
    } else if (name == "timeout_sec" && value.is_int64() && value.get_int64() >= 0 &&
               value.get_int64() <= kMaxTimeout) {
      change.timeout_sec = value.get_int64();
    } else if (name == "note" && value.is_string() && clean(value.get_string(), kMaxNote)) {
      change.note = std::string(value.get_string());
    } else if (name == "note" && value.is_null()) {
      change.note = "";
    } else if (name == "params" && value.is_object()) {
      change.params = value.get_object();
    } else if (name == "tags" && value.is_array() && value.get_array().size() <= kMaxTags) {
      change.tags.emplace();
      for (const auto& tag : value.get_array()) {
        if (tag.is_string() && clean(tag.get_string(), kMaxTag)) {
          change.tags->emplace_back(tag.get_string());
        } else {
          mistakes.push_back({"/tags", change_rule(name)});
          break;
        }
      }
    } else {
      mistakes.push_back({"/" + std::string(name), change_rule(name)});
    }
  }
  if (!mistakes.empty()) return refused(mistakes);
  const auto view = service.change(call.path.at("id"), std::move(change));
  return view ? json_text(view->document()) : problem(view.error());
}

}  // namespace

std::vector<Route> job_routes(JobService& service) {
  const auto bind = [&service](Reply (*handler)(JobService&, const Call&)) {
    return [&service, handler](const Call& call) { return handler(service, call); };
  };
  const auto submitting = [](const char* schema) {
    return answers(schema, 201)
        .answers(schema)
        .header("Idempotency-Key")
        .fails({409, 429, 503, 507});
  };
  return {
      {"GET", "/api/jobs/recent", Role::kViewer, "Jobs, newest first", bind(recent),
       answers("Job[]")
           .sends("Link")
           .sends("X-Total-Count")
           .query(query_integer("limit", 1, 500, 50))
           .query(query_choice("status", kStatuses))
           .query(query_text("job_type"))
           .query(query_text("group"))
           .query(query_text("q", "A text in the id, the name, the note or the inputs"))
           .query(query_text("before", "A job id: only older ones"))},
      {"POST", "/api/jobs/batch", Role::kOperator, "Submit every combination of a matrix",
       bind(batch), submitting("Job[]").takes("Batch")},
      {"POST", "/api/jobs/:slug", Role::kOperator, "Submit a job", bind(submit),
       submitting("Job").of_each_job_type()},
      {"GET", "/api/jobs/:id", Role::kViewer, "One job",
       [&service](const Call& call) {
         const auto view = service.find(call.path.at("id"));
         return view ? json_text(view->document()) : problem(view.error());
       },
       answers("Job")},
      {"PATCH", "/api/jobs/:id", Role::kOperator, "Change a job", bind(change),
       answers("Job").takes("JobChange").fails({409, 503, 507})},
      {"DELETE", "/api/jobs/:id", Role::kOperator, "Remove an ended job, its log and its record",
       [&service](const Call& call) {
         const auto done = service.remove(call.path.at("id"));
         if (!done) return problem(done.error());
         Reply reply;
         reply.status = 204;
         return reply;
       },
       answers("", 204).fails({409, 507})},
      {"POST", "/api/jobs/:id/cancel", Role::kOperator, "Cancel a job", bind(cancel),
       answers("Job", 202).fails({409, 507})},
      {"POST", "/api/jobs/:id/rerun", Role::kOperator, "Submit a job's inputs again", bind(rerun),
       submitting("Job").takes("Rerun")},
  };
}

}  // namespace runyard
