import type { Job, JobOptions, JobType } from '../api/types';

/** How a job was run, as far as a rerun takes it over: all but what it waited for. */
export function optionsOf(job: Job): JobOptions {
  const { resources } = job;
  return {
    ...(job.name ? { name: job.name } : {}),
    ...(job.group ? { group: job.group } : {}),
    priority: job.priority,
    timeout_sec: job.timeout_sec,
    max_retries: job.max_retries,
    ...(job.retry_lost ? { retry_lost: true } : {}),
    slots: resources.slots,
    gpus: resources.gpu_count,
    memory_mb: resources.memory_mb,
  };
}

/**
 * What to send of the options in a form that began as another job's: a rerun keeps what is not named, so
 * an option that was emptied is sent as the job type's own choice.
 */
export function changedOptions(type: JobType, before: JobOptions, now: JobOptions): JobOptions {
  const emptied: Required<JobOptions> = {
    name: '',
    group: '',
    priority: 0,
    timeout_sec: type.defaults.timeout_sec ?? 0,
    max_retries: type.defaults.max_retries ?? 0,
    retry_lost: false,
    slots: type.defaults.slots ?? 1,
    gpus: type.defaults.gpus ?? 0,
    memory_mb: type.defaults.memory_mb ?? 0,
    after: [],
  };
  const names = Object.keys(emptied) as (keyof JobOptions)[];
  return Object.fromEntries(
    names
      .map((name) => [name, now[name] ?? (before[name] === undefined ? undefined : emptied[name])] as const)
      .filter(([name, value]) => value !== undefined && value !== before[name]),
  );
}
