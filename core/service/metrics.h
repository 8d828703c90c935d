#pragma once

#include <prometheus/collectable.h>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/metric_family.h>
#include <prometheus/registry.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/job.h"

namespace runyard {

/// What the server counts, for `GET /metrics`. Owned by the service. Any thread.
///
/// Counters and histograms live here and are added to as things happen: an atomic, or a lock that
/// is held for a few additions. Whatever has a state of its own (the queue, this process) is asked
/// at each scrape by a Source instead, and kept nowhere.
class Metrics {
 public:
  Metrics();

  // Jobs, by type.
  void submitted(const Job& job);
  void started(const Job& job);
  void retried(const Job& job);
  void ended(const Job& job);

  /// A transaction of the database.
  void committed(double seconds, std::size_t writes);

  /// The latencies of one route's answers of one class, `2xx`: made once, before the first request.
  prometheus::Histogram& request_seconds(const std::string& method, const std::string& route,
                                         const std::string& status_class);

  /// Asked at each scrape, while somebody else owns it.
  using Source = std::function<std::vector<prometheus::MetricFamily>()>;
  [[nodiscard]] std::shared_ptr<prometheus::Collectable> add_source(Source source);

  /// All of it in Prometheus' text format.
  std::string text() const;
  static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

 private:
  using Counters = prometheus::Family<prometheus::Counter>;
  using Histograms = prometheus::Family<prometheus::Histogram>;

  prometheus::Registry registry_;
  Counters &submitted_, &retried_, &ended_;
  Histograms &wait_seconds_, &run_seconds_, &commit_, &writes_, &requests_;
  prometheus::Histogram &commit_seconds_, &commit_writes_;

  mutable std::mutex mutex_;  // guards what follows
  std::vector<std::weak_ptr<prometheus::Collectable>> sources_;
};

/// A family of numbers with their labels, for a Source.
class MetricValues {
 public:
  MetricValues(std::string name, std::string help,
               prometheus::MetricType type = prometheus::MetricType::Gauge);
  MetricValues& add(double value, std::vector<prometheus::ClientMetric::Label> labels = {});
  operator prometheus::MetricFamily() && { return std::move(family_); }

 private:
  prometheus::MetricFamily family_;
};

/// This process: memory, processor time, descriptors, threads, start (the names that Prometheus
/// gives to the figures of every program).
std::vector<prometheus::MetricFamily> process_metrics();

}  // namespace runyard
