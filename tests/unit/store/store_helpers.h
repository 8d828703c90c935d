#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "core/store/job_store.h"

namespace runyard {

constexpr TimeMs kFirstDay = 1'795'300'000'000;
inline const std::string kInstance = "0123456789abcdef";

/// The n-th job of a test: ids, numbers, times and seqs grow with n.
inline Job numbered(int n, JobStatus status = JobStatus::kQueued) {
  Job job;
  job.job_id = fmt::format("job_20261122_101530__{:08x}", n);
  job.number = n;
  job.seq = n;
  job.instance = kInstance;
  job.job_type = "train";
  job.created_at = kFirstDay + n;
  job.status = status;
  job.params = {{"config_path", "configs/base.yaml"}};
  return job;
}

inline JobPtr share(Job job) { return std::make_shared<const Job>(std::move(job)); }

/// A filter in steps.
struct Only : JobFilter {
  Only& with(JobStatus value) { return status = value, *this; }
  Only& of_type(std::string value) { return job_type = std::move(value), *this; }
  Only& in(std::string value) { return group = std::move(value), *this; }
  Only& saying(std::string value) { return text = std::move(value), *this; }
  Only& older_than(std::string job_id) { return before = std::move(job_id), *this; }
};

/// Waits for what a write answers; fails the test when nothing comes.
inline Result<> wait_for(const std::function<void(JobStore::Done)>& start) {
  auto promise = std::make_shared<std::promise<Result<>>>();
  auto future = promise->get_future();
  start([promise](const Result<>& done) { promise->set_value(done); });
  if (future.wait_for(std::chrono::seconds(30)) != std::future_status::ready) {
    ADD_FAILURE() << "a write was not answered";
    return make_error(ErrorKind::kInternal, "no answer");
  }
  return future.get();
}

inline Result<> insert(JobStore& store, std::vector<JobPtr> jobs,
                       std::optional<IdempotencyKey> key = {}) {
  return wait_for(
      [&](auto done) { store.insert(std::move(jobs), std::move(key), std::move(done)); });
}
inline Result<> update(JobStore& store, const Job& job) {
  return wait_for([&](auto done) { store.update(share(job), std::move(done)); });
}
inline Result<> take(JobStore& store, const Job& job) {
  return wait_for([&](auto done) { store.take(share(job), std::move(done)); });
}
inline Result<> remove(JobStore& store, const std::string& job_id) {
  return wait_for([&](auto done) { store.remove(job_id, std::move(done)); });
}
inline Result<> flush(JobStore& store) {
  return wait_for([&](auto done) { store.flush(std::move(done)); });
}

/// The ids' last digits, as written in numbered().
inline std::vector<int> numbers(const Result<std::vector<Job>>& jobs) {
  std::vector<int> result;
  if (!jobs) {
    ADD_FAILURE() << jobs.error().message;
    return result;
  }
  for (const Job& job : *jobs) result.push_back(static_cast<int>(job.number));
  return result;
}
using Numbers = std::vector<int>;

inline JobStore::Opened open_store(const std::filesystem::path& folder) {
  auto opened = JobStore::open(folder);
  if (!opened) throw std::runtime_error(opened.error().message);
  return std::move(*opened);
}

}  // namespace runyard
