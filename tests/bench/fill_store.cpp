// Fills the database of a stopped server with jobs that have ended, for measuring what a long
// history costs.
// usage: fill_store STATE-FOLDER COUNT   (a server must have run there once)
#include <fmt/format.h>

#include <cstdlib>
#include <future>

#include "core/base/clock.h"
#include "core/base/files.h"
#include "core/base/text.h"
#include "core/store/job_store.h"

namespace {

constexpr int kBatch = 5000;
constexpr runyard::TimeMs kBetweenJobs = 20'000;

/// Like a backtest of the sample workload, with what its hints found.
runyard::JobPtr make_job(std::int64_t number, runyard::TimeMs at, const std::string& instance) {
  auto job = std::make_shared<runyard::Job>();
  // Ids in the order of time, without asking the clock's zone a million times.
  job->job_id =
      fmt::format("job_{:08}_{:06}__{:08x}", 10000000 + number / 1000000, number % 1000000, number);
  job->number = job->seq = number;
  job->instance = instance;
  job->job_type = "backtest";
  job->plugin_version = "1.0.0";
  job->status = number % 10 == 0 ? runyard::JobStatus::kFailed : runyard::JobStatus::kSuccess;
  job->created_at = at;
  job->started_at = at + 5;
  job->ended_at = at + 12'000;
  job->params = {{"config_path", "configs/backtest/base.yaml"},
                 {"tickers", {"TSM"}},
                 {"overrides", boost::json::array()},
                 {"dry_run", false}};
  job->command = {
      "/usr/bin/python3", "-m", "scripts.run_backtest", "--config", "configs/backtest/base.yaml",
      "--ticker",         "TSM"};
  job->cwd = "/home/user/research";
  job->attempt = 1;
  runyard::Attempt attempt;
  attempt.started_at = at + 5;
  attempt.ended_at = at + 12'000;
  attempt.exit_code = number % 10 == 0 ? 1 : 0;
  attempt.log_end = 4096;
  if (number % 10 == 0) {
    attempt.end_reason = job->end_reason = runyard::EndReason::kExitCode;
    job->error_message = "[ERROR] no prices of TSM before 2017-10-16";
  }
  job->exit_code = attempt.exit_code;
  job->attempts = {attempt};
  const std::string found = fmt::format("bt_20260217_201717__{:08x}", number);
  job->artifacts_hint = {{"bt_run_id", found}};
  job->links = {{"bt_run_id", found, "/backtests/" + found}};
  job->log_size = job->scan_offset = 4096;
  return job;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace runyard;
  if (argc < 3) {
    fmt::print(stderr, "usage: fill_store STATE-FOLDER COUNT\n");
    return 2;
  }
  const std::filesystem::path state = argv[1];
  const std::int64_t count = std::atoll(argv[2]);
  const auto instance = read_file(state / "instance");
  auto opened = JobStore::open(state);
  if (!instance || !opened) {
    fmt::print(stderr, "{} is not the state folder of a server that was stopped\n", argv[1]);
    return 1;
  }
  const TimeMs begin = now_ms() - count * kBetweenJobs;
  for (std::int64_t number = 1; number <= count;) {
    std::vector<JobPtr> jobs;
    for (; number <= count && jobs.size() < kBatch; ++number) {
      jobs.push_back(make_job(number, begin + number * kBetweenJobs, std::string(trim(*instance))));
    }
    std::promise<bool> done;
    opened->store->insert(std::move(jobs), std::nullopt, [&](const Result<>& result) {
      if (!result) fmt::print(stderr, "{}\n", result.error().message);
      done.set_value(result.has_value());
    });
    if (!done.get_future().get()) return 1;
  }
  // As if all records had been written too.
  opened->store->put_note("mirrored_seq", std::to_string(count));
  return 0;
}
