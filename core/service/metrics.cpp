#include "core/service/metrics.h"

#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "core/base/files.h"
#include "core/base/version.h"

namespace runyard {
namespace {

using Buckets = prometheus::Histogram::BucketBoundaries;

const Buckets kWaitSeconds = {0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400, 86400};
const Buckets kRunSeconds = {0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400, 86400, 604800};
const Buckets kCommitSeconds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5};
const Buckets kCommitWrites = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000};
const Buckets kRequestSeconds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                 0.1,    0.25,  0.5,    1,     2.5,  5,     10};

auto& counters(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}
auto& histograms(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}

double seconds_between(TimeMs from, TimeMs to) {
  return static_cast<double>(std::max<TimeMs>(0, to - from)) / 1000;
}

class SourceCollectable : public prometheus::Collectable {
 public:
  explicit SourceCollectable(Metrics::Source source) : source_(std::move(source)) {}
  std::vector<prometheus::MetricFamily> Collect() const override { return source_(); }

 private:
  Metrics::Source source_;
};

}  // namespace

Metrics::Metrics()
    : submitted_(counters(registry_, "runyard_jobs_submitted_total", "Jobs that were accepted.")),
      retried_(counters(registry_, "runyard_job_retries_total",
                        "Attempts that failed and were followed by another one.")),
      ended_(counters(registry_, "runyard_jobs_ended_total", "Jobs that have ended.")),
      wait_seconds_(histograms(registry_, "runyard_job_wait_seconds",
                               "Time from the submit to the start of the first attempt.")),
      run_seconds_(histograms(registry_, "runyard_job_run_seconds",
                              "Time from the start of the first attempt to the end of the job.")),
      commit_(histograms(registry_, "runyard_store_commit_seconds",
                         "Time that a transaction of the database took.")),
      writes_(histograms(registry_, "runyard_store_commit_writes",
                         "Changes that were committed by one transaction.")),
      requests_(histograms(registry_, "runyard_http_request_seconds",
                           "Time to the answer, of streams and files to their first byte.")),
      commit_seconds_(commit_.Add({}, kCommitSeconds)),
      commit_writes_(writes_.Add({}, kCommitWrites)) {
  prometheus::BuildGauge()
      .Name("runyard_build_info")
      .Help("The program that runs.")
      .Register(registry_)
      .Add({{"version", kVersion}})
      .Set(1);
}

void Metrics::submitted(const Job& job) { submitted_.Add({{"type", job.job_type}}).Increment(); }

void Metrics::started(const Job& job) {
  if (!job.started_at || job.attempt != 1) return;
  wait_seconds_.Add({{"type", job.job_type}}, kWaitSeconds)
      .Observe(seconds_between(job.created_at, *job.started_at));
}

void Metrics::retried(const Job& job) {
  retried_.Add({{"type", job.job_type}, {"end_reason", std::string(to_string(job.end_reason))}})
      .Increment();
}

void Metrics::ended(const Job& job) {
  const std::string reason(to_string(job.end_reason));
  ended_
      .Add({{"type", job.job_type},
            {"status", std::string(to_string(job.status))},
            {"end_reason", reason}})
      .Increment();
  if (!job.started_at || !job.ended_at) return;
  run_seconds_.Add({{"type", job.job_type}}, kRunSeconds)
      .Observe(seconds_between(*job.started_at, *job.ended_at));
}

void Metrics::committed(double seconds, std::size_t writes) {
  commit_seconds_.Observe(seconds);
  commit_writes_.Observe(static_cast<double>(writes));
}

prometheus::Histogram& Metrics::request_seconds(const std::string& method, const std::string& route,
                                                const std::string& status_class) {
  return requests_.Add({{"method", method}, {"route", route}, {"status", status_class}},
                       kRequestSeconds);
}

std::shared_ptr<prometheus::Collectable> Metrics::add_source(Source source) {
  auto collectable = std::make_shared<SourceCollectable>(std::move(source));
  const std::lock_guard lock(mutex_);
  sources_.push_back(collectable);
  return collectable;
}

std::string Metrics::text() const {
  std::vector<std::shared_ptr<prometheus::Collectable>> sources;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& source : sources_) {
      if (auto alive = source.lock()) sources.push_back(std::move(alive));
    }
  }
  auto families = registry_.Collect();
  for (const auto& source : sources) {
    auto more = source->Collect();
    std::move(more.begin(), more.end(), std::back_inserter(families));
  }
  // A family of which nothing has been seen yet would be a heading alone.
  std::erase_if(families, [](const auto& family) { return family.metric.empty(); });
  return prometheus::TextSerializer().Serialize(families);
}

MetricValues::MetricValues(std::string name, std::string help, prometheus::MetricType type) {
  family_.name = std::move(name);
  family_.help = std::move(help);
  family_.type = type;
}

MetricValues& MetricValues::add(double value, std::vector<prometheus::ClientMetric::Label> labels) {
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  if (family_.type == prometheus::MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  family_.metric.push_back(std::move(metric));
  return *this;
}

std::vector<prometheus::MetricFamily> process_metrics() {
  using prometheus::MetricType;
  std::vector<prometheus::MetricFamily> families;
  const auto add = [&](const char* name, const char* help, double value,
                       MetricType type = MetricType::Gauge) {
    families.push_back(std::move(MetricValues(name, help, type).add(value)));
  };
  // After the name in brackets, which may hold anything: fields 3 and on of proc(5).
  const auto stat = read_file("/proc/self/stat", 4096);
  std::vector<double> fields;
  if (stat) {
    const char* at = stat->c_str() + std::min(stat->rfind(')') + 3, stat->size());
    for (char* end = nullptr; *at != '\0' && *at != '\n'; at = end) {
      fields.push_back(std::strtod(at, &end));
      if (end == at) break;
    }
  }
  const auto field = [&](std::size_t number) {
    return number - 4 < fields.size() ? fields[number - 4] : 0.0;
  };
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
  add("process_cpu_seconds_total", "Processor time, user and system.",
      (field(14) + field(15)) / ticks, MetricType::Counter);
  add("process_threads", "Threads.", field(20));
  add("process_virtual_memory_bytes", "Virtual memory.", field(23));
  add("process_resident_memory_bytes", "Resident memory.", field(24) * page);
  if (const auto system = read_file("/proc/stat", 16u << 20)) {
    if (const auto at = system->find("\nbtime "); at != std::string::npos) {
      add("process_start_time_seconds", "Start of the process since the epoch.",
          std::strtod(system->c_str() + at + 7, nullptr) + field(22) / ticks);
    }
  }
  std::error_code error;
  double open = -1;  // the one that lists them
  for (std::filesystem::directory_iterator fd("/proc/self/fd", error), end; !error && fd != end;
       fd.increment(error)) {
    ++open;
  }
  add("process_open_fds", "Open file descriptors.", std::max(0.0, open));
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    add("process_max_fds", "Limit of open file descriptors.", static_cast<double>(limit.rlim_cur));
  }
  return families;
}

}  // namespace runyard
