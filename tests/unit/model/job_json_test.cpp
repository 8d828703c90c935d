#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "core/model/job.h"
#include "tests/unit/model/sample_job.h"

namespace runyard {
namespace {

namespace json = boost::json;
using Names = std::vector<std::string>;

const Names kV1 = {"job_id",  "job_type", "status",         "created_at", "started_at", "ended_at",
                   "command", "cwd",      "artifacts_hint", "log_path",   "meta_path"};
const Names kAdded = {"params",      "dry_run",      "exit_code", "signal",      "error_message",
                      "end_reason",  "duration_sec", "attempt",   "priority",    "group",
                      "after",       "name",         "rerun_of",  "tags",        "note",
                      "git",         "instance",     "attempts",  "progress",    "links",
                      "resources",   "usage",        "executor",  "waiting_for", "plugin_version",
                      "status_text", "log_size"};
const Names kOurs = {"timeout_sec", "max_retries", "retry_lost", "seq",
                     "number",      "warnings",    "not_before", "cancel_requested"};

std::set<std::string> names_of(const json::object& document) {
  std::set<std::string> names;
  for (const auto& [name, value] : document) names.emplace(name);
  return names;
}

/// Through the text, as every reader gets it.
json::value reparsed(const json::object& document) {
  return json::parse(json::serialize(document), {}, record_parse_options());
}

Job round_trip(const Job& job, Form form) {
  auto result = job_from_json(reparsed(to_json(job, form)));
  EXPECT_TRUE(result) << (result ? "" : result.error().message);
  return result ? *result : Job();
}

/// Every member that a record keeps.
void expect_same_record(const Job& a, const Job& b) {
  EXPECT_EQ(a.job_id, b.job_id);
  EXPECT_EQ(a.number, b.number);
  EXPECT_EQ(a.seq, b.seq);
  EXPECT_EQ(a.instance, b.instance);
  EXPECT_EQ(a.job_type, b.job_type);
  EXPECT_EQ(a.plugin_version, b.plugin_version);
  EXPECT_EQ(a.status, b.status);
  EXPECT_EQ(a.created_at, b.created_at);
  EXPECT_EQ(a.started_at, b.started_at);
  EXPECT_EQ(a.ended_at, b.ended_at);
  EXPECT_EQ(a.params, b.params);
  EXPECT_EQ(a.dry_run, b.dry_run);
  EXPECT_EQ(a.options.priority, b.options.priority);
  EXPECT_EQ(a.options.timeout_sec, b.options.timeout_sec);
  EXPECT_EQ(a.options.max_retries, b.options.max_retries);
  EXPECT_EQ(a.options.retry_lost, b.options.retry_lost);
  EXPECT_EQ(a.options.slots, b.options.slots);
  EXPECT_EQ(a.options.gpus, b.options.gpus);
  EXPECT_EQ(a.options.memory_mb, b.options.memory_mb);
  EXPECT_EQ(a.options.group, b.options.group);
  EXPECT_EQ(a.options.name, b.options.name);
  EXPECT_EQ(a.options.after, b.options.after);
  EXPECT_EQ(a.command, b.command);
  EXPECT_EQ(a.cwd, b.cwd);
  EXPECT_EQ(a.executor, b.executor);
  EXPECT_EQ(a.rerun_of, b.rerun_of);
  EXPECT_EQ(a.tags, b.tags);
  EXPECT_EQ(a.note, b.note);
  ASSERT_EQ(a.git.has_value(), b.git.has_value());
  if (a.git) {
    EXPECT_EQ(a.git->commit, b.git->commit);
    EXPECT_EQ(a.git->dirty, b.git->dirty);
  }
  EXPECT_EQ(a.attempt, b.attempt);
  ASSERT_EQ(a.attempts.size(), b.attempts.size());
  for (std::size_t i = 0; i < a.attempts.size(); ++i) {
    EXPECT_EQ(a.attempts[i].attempt, b.attempts[i].attempt);
    EXPECT_EQ(a.attempts[i].started_at, b.attempts[i].started_at);
    EXPECT_EQ(a.attempts[i].ended_at, b.attempts[i].ended_at);
    EXPECT_EQ(a.attempts[i].exit_code, b.attempts[i].exit_code);
    EXPECT_EQ(a.attempts[i].signal, b.attempts[i].signal);
    EXPECT_EQ(a.attempts[i].end_reason, b.attempts[i].end_reason);
    EXPECT_EQ(a.attempts[i].log_start, b.attempts[i].log_start);
    EXPECT_EQ(a.attempts[i].log_end, b.attempts[i].log_end);
  }
  EXPECT_EQ(a.gpu_ids, b.gpu_ids);
  EXPECT_EQ(a.not_before, b.not_before);
  EXPECT_EQ(a.cancel_requested, b.cancel_requested);
  EXPECT_EQ(a.end_reason, b.end_reason);
  EXPECT_EQ(a.exit_code, b.exit_code);
  EXPECT_EQ(a.signal, b.signal);
  EXPECT_EQ(a.error_message, b.error_message);
  EXPECT_EQ(a.warnings, b.warnings);
  ASSERT_EQ(a.usage.has_value(), b.usage.has_value());
  if (a.usage) {
    EXPECT_EQ(a.usage->user_sec, b.usage->user_sec);
    EXPECT_EQ(a.usage->system_sec, b.usage->system_sec);
    EXPECT_EQ(a.usage->max_rss_kb, b.usage->max_rss_kb);
  }
  EXPECT_EQ(a.artifacts_hint, b.artifacts_hint);
  EXPECT_EQ(a.links, b.links);
}

void expect_same_ticks(const Job& a, const Job& b) {
  ASSERT_EQ(a.progress.has_value(), b.progress.has_value());
  if (a.progress) {
    EXPECT_EQ(a.progress->current, b.progress->current);
    EXPECT_EQ(a.progress->total, b.progress->total);
    EXPECT_EQ(a.progress->eta_sec, b.progress->eta_sec);
  }
  EXPECT_EQ(a.waiting_for, b.waiting_for);
  EXPECT_EQ(a.status_text, b.status_text);
  EXPECT_EQ(a.log_size, b.log_size);
  EXPECT_EQ(a.scan_offset, b.scan_offset);
}

Job minimal() {
  Job job;
  job.job_id = "job_20261122_101530__0af39c7e";
  job.job_type = "train";
  job.created_at = 1'795'313'730'123;
  return job;
}

TEST(JobJson, TheStoreKeepsEveryMember) {
  for (const Job& job : {full_job(), minimal()}) {
    const Job read = round_trip(job, Form::kStore);
    expect_same_record(job, read);
    expect_same_ticks(job, read);
    EXPECT_EQ(to_json(read, Form::kStore), to_json(job, Form::kStore));
  }
}

TEST(JobJson, TheRecordKeepsAllButWhatTicks) {
  const Job job = full_job();
  const Job read = round_trip(job, Form::kRecord);
  expect_same_record(job, read);
  expect_same_ticks(read, Job());
}

TEST(JobJson, TheRecordDoesNotChangeWhileAJobTicks) {
  Job job = full_job();
  job.status = JobStatus::kRunning;
  job.ended_at.reset();
  job.started_at = now_ms() - 5000;
  const auto before = to_json(job, Form::kRecord);
  job.progress = Progress{1, 2, 3.0};
  job.waiting_for = "other";
  job.status_text = "other";
  job.log_size += 1000;
  job.scan_offset += 1000;
  ++job.revision;
  job.started_at = *job.started_at;  // its duration is a later one now
  EXPECT_EQ(to_json(job, Form::kRecord), before);
  EXPECT_TRUE(before.at("duration_sec").is_null());
  EXPECT_GE(to_json(job, Form::kApi).at("duration_sec").to_number<double>(), 5.0);
}

TEST(JobJson, NamesOfEachForm) {
  std::set<std::string> api(kV1.begin(), kV1.end());
  api.insert(kAdded.begin(), kAdded.end());
  api.insert(kOurs.begin(), kOurs.end());
  std::set<std::string> record = api, store = api;
  for (const char* name : {"progress", "status_text", "waiting_for", "log_size"})
    record.erase(name);
  store.insert("scan_offset");
  for (const Job& job : {full_job(), minimal()}) {
    EXPECT_EQ(names_of(to_json(job, Form::kApi)), api);
    EXPECT_EQ(names_of(to_json(job, Form::kRecord)), record);
    EXPECT_EQ(names_of(to_json(job, Form::kStore)), store);
  }
  // The first ones in the order of the first version.
  const auto document = to_json(full_job(), Form::kApi);
  auto at = document.begin();
  for (const auto& name : kV1) EXPECT_EQ((at++)->key(), name);
}

TEST(JobJson, WhatIsNotKnownYetIsNull) {
  const auto document = to_json(minimal(), Form::kApi);
  for (const char* name :
       {"started_at", "ended_at", "artifacts_hint", "exit_code", "signal", "error_message",
        "end_reason", "duration_sec", "group", "name", "rerun_of", "note", "git", "usage",
        "progress", "waiting_for", "not_before"}) {
    EXPECT_TRUE(document.at(name).is_null()) << name;
  }
  EXPECT_EQ(document.at("command"), json::array());
  EXPECT_EQ(document.at("params"), json::object());
  EXPECT_EQ(document.at("links"), json::array());
  EXPECT_EQ(document.at("attempts"), json::array());
  EXPECT_EQ(document.at("log_size"), 0);
  EXPECT_EQ(document.at("executor"), "local");
}

TEST(JobJson, ValuesAsTheContractSays) {
  const auto document = to_json(full_job(), Form::kApi);
  EXPECT_EQ(document.at("status"), "FAILED");
  EXPECT_EQ(document.at("end_reason"), "exit_code");
  EXPECT_EQ(parse_time(document.at("created_at").as_string()), 1'795'313'730'123);
  EXPECT_EQ(document.at("duration_sec"), 10.5);
  EXPECT_EQ(document.at("log_path"), "reports/jobs/job_20261122_101530__0af39c7e.log");
  EXPECT_EQ(document.at("meta_path"), "reports/jobs/job_20261122_101530__0af39c7e.json");
  EXPECT_EQ(document.at("artifacts_hint"), (json::object{{"run_id", "20260217_171416__0e304dfc"}}));
  EXPECT_EQ(document.at("resources"),
            (json::object{{"slots", 4}, {"gpu_count", 2}, {"memory_mb", 4096}, {"gpus", {0, 3}}}));
  EXPECT_EQ(
      document.at("usage"),
      (json::object{{"user_sec", 12.5}, {"system_sec", 0.25}, {"max_rss_kb", 8'000'000'000}}));
  EXPECT_EQ(names_of(document.at("git").as_object()), (std::set<std::string>{"commit", "dirty"}));
  EXPECT_EQ(names_of(document.at("progress").as_object()),
            (std::set<std::string>{"current", "total", "fraction", "eta_sec"}));
  EXPECT_EQ(document.at("links").at(0),
            (json::object{{"name", "run_id"},
                          {"value", "20260217_171416__0e304dfc"},
                          {"href", "/runs/20260217_171416__0e304dfc"}}));
  EXPECT_TRUE(document.at("links").at(1).at("href").is_null());
  const auto& first = document.at("attempts").at(0).as_object();
  EXPECT_EQ(names_of(first),
            (std::set<std::string>{"attempt", "started_at", "ended_at", "exit_code", "signal",
                                   "end_reason", "log_start", "log_end"}));
  EXPECT_TRUE(first.at("exit_code").is_null());
  EXPECT_EQ(first.at("signal"), 9);
}

TEST(JobJson, TheTextIsValidUtf8WithoutControlCharacters) {
  const std::string text = json::serialize(to_json(full_job(), Form::kStore));
  for (char c : text) EXPECT_GE(static_cast<unsigned char>(c), 0x20);
  boost::system::error_code error;
  (void)json::parse(text, error);
  EXPECT_FALSE(error);
}

TEST(JobJson, InputsAsDeepAsARequestMayBe) {
  std::string deep(31, '[');
  deep += std::string(31, ']');
  Job job = minimal();
  job.params = json::parse("{\"deep\":" + deep + "}").as_object();  // the parser's own limit
  expect_same_record(job, round_trip(job, Form::kStore));
}

TEST(JobFromJson, WithoutTheEssentialsItIsNoJob) {
  const json::object good = to_json(minimal(), Form::kRecord);
  ASSERT_TRUE(job_from_json(good));
  for (const char* name : {"job_id", "job_type", "status", "created_at"}) {
    json::object bad = good;
    bad.erase(name);
    EXPECT_FALSE(job_from_json(bad)) << name;
    for (const json::value& value : {json::value(nullptr), json::value(7), json::value(""),
                                     json::value(json::object()), json::value("nonsense ")}) {
      if (value == "nonsense " &&
          (name == std::string("job_id") || name == std::string("job_type")))
        continue;
      bad[name] = value;
      const auto refused = job_from_json(bad);
      ASSERT_FALSE(refused) << name << " " << value;
      EXPECT_EQ(refused.error().kind, ErrorKind::kInvalid);
    }
  }
  for (const json::value& value :
       {json::value(nullptr), json::value(json::array()), json::value("job"), json::value(1)}) {
    EXPECT_FALSE(job_from_json(value));
  }
}

TEST(JobFromJson, TheFirstVersionsRecord) {
  const auto read = job_from_json(json::parse(R"({
    "job_id": "job_20260217_171416__0e304dfc", "job_type": "train", "status": "SUCCESS",
    "created_at": "2026-02-17T17:14:16.123456+08:00", "started_at": "2026-02-17T17:14:17+08:00",
    "ended_at": null, "command": ["python", "-m", "scripts.run_experiment"], "cwd": "D:\\work",
    "artifacts_hint": {"run_id": "20260217_171416__0e304dfc"},
    "log_path": "reports/jobs/x.log", "meta_path": "reports/jobs/x.json", "later": {"a": [1]}})"));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->status, JobStatus::kSuccess);
  EXPECT_EQ(read->command.size(), 3u);
  EXPECT_EQ(read->created_at, *parse_time("2026-02-17T09:14:16.123Z"));
  EXPECT_EQ(read->ended_at, std::nullopt);
  EXPECT_EQ(read->cwd, "D:\\work");
  EXPECT_EQ(read->artifacts_hint.at("run_id"), "20260217_171416__0e304dfc");
  Job rest = *read;
  EXPECT_EQ(rest.seq, 0);
  EXPECT_EQ(rest.options.slots, 1);
  EXPECT_EQ(rest.instance, "");
}

TEST(JobFromJson, IllTypedMembersKeepTheirDefault) {
  const json::object good = to_json(minimal(), Form::kStore);
  const json::value wrong[] = {nullptr,
                               true,
                               -1.5,
                               "text",
                               json::object{{"x", 1}},
                               json::array{1, "a", nullptr, json::object()},
                               1e300,
                               std::uint64_t{18'446'744'073'709'551'615u}};
  const std::set<std::string> essential = {"job_id", "job_type", "status", "created_at"};
  json::object all = good;
  for (const auto& [name, ignored] : good) {
    if (essential.contains(std::string(name))) continue;
    for (const auto& value : wrong) {
      json::object bad = good;
      bad[name] = value;
      EXPECT_TRUE(job_from_json(bad)) << name << " " << value;
    }
    all[name] = "text";
  }
  // All of them at once; those that are texts keep it.
  const auto read = job_from_json(all);
  ASSERT_TRUE(read);
  Job expected = minimal();
  expected.cwd = expected.error_message = expected.options.group = expected.options.name = "text";
  expected.rerun_of = expected.note = expected.instance = expected.executor = "text";
  expected.plugin_version = expected.waiting_for = expected.status_text = "text";
  expect_same_record(*read, expected);
  expect_same_ticks(*read, expected);
}

TEST(JobFromJson, NumbersThatDoNotFitAreNotTaken) {
  json::object document = to_json(full_job(), Form::kStore);
  document["exit_code"] = 5'000'000'000;
  document["signal"] = -5'000'000'000;
  document["priority"] = 5'000'000'000;
  document["seq"] = 1e300;
  document["timeout_sec"] = 2.5;
  const auto read = job_from_json(document);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->exit_code, std::nullopt);
  EXPECT_EQ(read->signal, std::nullopt);
  EXPECT_EQ(read->options.priority, 0);
  EXPECT_EQ(read->seq, 0);
  EXPECT_EQ(read->options.timeout_sec, 0);
}

TEST(JobFromJson, ItemsOfTheWrongTypeAreLeftOut) {
  json::object document = to_json(full_job(), Form::kStore);
  document["attempts"] = {1, json::object{{"attempt", 2}, {"end_reason", "odd"}}, nullptr};
  document["links"] = {"x", json::object{{"name", 1}, {"value", "v"}}};
  document["tags"] = {1, "kept", nullptr};
  document["resources"] = {{"slots", "many"}, {"gpus", {"a", 5, nullptr}}};
  const auto read = job_from_json(document);
  ASSERT_TRUE(read);
  ASSERT_EQ(read->attempts.size(), 1u);
  EXPECT_EQ(read->attempts[0].attempt, 2);
  EXPECT_EQ(read->attempts[0].started_at, 0);
  EXPECT_EQ(read->attempts[0].end_reason, EndReason::kNone);
  EXPECT_EQ(read->links, (std::vector<Link>{{"", "v", ""}}));
  EXPECT_EQ(read->tags, std::vector<std::string>{"kept"});
  EXPECT_EQ(read->options.slots, 1);
  EXPECT_EQ(read->gpu_ids, std::vector<int>{5});
}

}  // namespace
}  // namespace runyard
