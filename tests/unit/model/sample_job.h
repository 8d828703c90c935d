#pragma once

#include "core/model/job.h"

namespace runyard {

/// A job with every member set to something that is not its default, with hostile texts.
inline Job full_job() {
  Job job;
  job.job_id = "job_20261122_101530__0af39c7e";
  job.number = 4711;
  job.seq = 90'000'000'001;
  job.instance = "0123456789abcdef";
  job.job_type = "eval_metrics";
  job.plugin_version = "1.2.3";
  job.status = JobStatus::kFailed;
  job.created_at = 1'795'313'730'123;
  job.started_at = 1'795'313'731'456;
  job.ended_at = 1'795'313'741'956;
  job.params = {{"run_id", "20260217_171416__0e304dfc"},
                {"list", {1, 2.5, nullptr, true, "x"}},
                {"nul", std::string_view("a\0b", 3)},
                {"数据", {{"深", "🚀 \"quoted\" \\ \x1b \x7f"}}}};
  job.dry_run = true;
  job.options.priority = -7;
  job.options.timeout_sec = 5'000'000'000;
  job.options.max_retries = 3;
  job.options.retry_lost = true;
  job.options.slots = 4;
  job.options.gpus = 2;
  job.options.memory_mb = 4096;
  job.options.group = "nightly";
  job.options.name = std::string("Grüße\0数据", 14);
  job.options.after = {"job_20261122_101500__00000001", "job_20261122_101500__00000002"};
  job.command = {"/usr/bin/python3", "-m", "scripts.eval_metrics", "", "a b'c\"d", "数=\n据"};
  job.cwd = "/work/space 数据";
  job.executor = "slurm";
  job.rerun_of = "job_20261121_000000__ffffffff";
  job.tags = {"best", "", "数据"};
  job.note = "line one\nline two \xF0\x9F\x9A\x80";
  job.git = GitState{"0123456789012345678901234567890123456789", true};
  job.attempt = 2;
  job.attempts = {
      {1, 1'795'313'731'456, 1'795'313'735'000, std::nullopt, 9, EndReason::kSignal, 0, 500},
      {2, 1'795'313'736'000, 1'795'313'741'956, 3, std::nullopt, EndReason::kExitCode, 500,
       9'000'000'000}};
  job.gpu_ids = {0, 3};
  job.not_before = 1'795'313'736'000;
  job.cancel_requested = true;
  job.end_reason = EndReason::kExitCode;
  job.exit_code = 3;
  job.signal = 15;
  job.error_message = "[ERROR] 没有数据: \"x\"";
  job.warnings = {"the log names no run_id"};
  job.usage = Usage{12.5, 0.25, 8'000'000'000};
  job.artifacts_hint = {{"run_id", "20260217_171416__0e304dfc"}};
  job.links = {{"run_id", "20260217_171416__0e304dfc", "/runs/20260217_171416__0e304dfc"},
               {"note", "no link", ""}};
  job.progress = Progress{20'480.5, 70'000, 12.75};
  job.waiting_for = "a free slot";
  job.log_size = 9'000'000'001;
  job.scan_offset = 8'999'999'999;
  job.revision = 12;
  return job;
}

}  // namespace runyard
