#pragma once

#include "core/model/job.h"
#include "core/service/metrics.h"

namespace runyard {

/// What is told of a job's life: a line of the server's log for each step, and the counts. Owned by
/// the engine; its thread and the store's writer call it.
class JobJournal {
 public:
  explicit JobJournal(Metrics& metrics) : metrics_(metrics) {}

  void accepted(const Job& job);
  void started(const Job& job);
  /// An attempt has failed and the job is queued again.
  void retried(const Job& job);
  void ended(const Job& job);
  /// A lost job has got its result. The counts stay: they have counted its end.
  void corrected(const Job& job);

 private:
  static void log_end(const char* what, const Job& job);

  Metrics& metrics_;
};

}  // namespace runyard
