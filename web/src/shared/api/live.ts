import type { InfiniteData, QueryClient } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';
import { EventFeed } from './event_feed';
import type { FeedMessage } from './event_feed';
import { matches, slim } from './jobs';
import type { JobFilter, JobPage } from './jobs';
import type { Job, JobRow } from './types';

/** How long events are gathered: a batch of a thousand jobs is then one change of the page. */
const kGatherMs = 120;
/** How often to ask while there is no stream. */
export const kPollMs = 3000;

export type LiveState = 'connecting' | 'live' | 'polling';

let state: LiveState = 'connecting';
const listeners = new Set<() => void>();

function setState(next: LiveState): void {
  if (state === next) return;
  state = next;
  for (const listener of listeners) listener();
}

export function useLive(): LiveState {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => state,
  );
}

/** For `refetchInterval`: nothing is asked again and again while the stream tells. */
export function usePolling(): number | false {
  return useLive() === 'live' ? false : kPollMs;
}

function connect(publish: (message: FeedMessage) => void): () => void {
  if (typeof SharedWorker !== 'undefined') {
    const worker = new SharedWorker(new URL('./event_worker.ts', import.meta.url), {
      type: 'module',
      name: 'runyard-events',
    });
    const { port } = worker;
    port.onmessage = (event: MessageEvent<FeedMessage>) => publish(event.data);
    const hello = () => port.postMessage('hello');
    const bye = () => port.postMessage('bye');
    hello();
    addEventListener('pagehide', bye);
    addEventListener('pageshow', hello);
    return () => {
      bye();
      removeEventListener('pagehide', bye);
      removeEventListener('pageshow', hello);
      port.close();
    };
  }
  const feed = new EventFeed(publish);
  feed.open();
  return () => feed.close();
}

const newestFirst = (a: JobRow, b: JobRow) =>
  Date.parse(b.created_at) - Date.parse(a.created_at) ||
  b.number - a.number ||
  (a.job_id < b.job_id ? 1 : -1);

/** Puts changed jobs where they belong in a list that was loaded page by page. */
export function mergeJobs(
  data: InfiniteData<JobPage>,
  filter: JobFilter,
  changed: Map<string, Job | null>,
): InfiniteData<JobPage> {
  const left = new Map(changed);
  let removed = 0;
  let added = 0;
  const pages = data.pages.map((page) => {
    let touched = false;
    const rows: JobRow[] = [];
    for (const row of page.rows) {
      const next = left.get(row.job_id);
      if (next === undefined) {
        rows.push(row);
        continue;
      }
      left.delete(row.job_id);
      touched = true;
      if (next === null || !matches(next, filter)) removed += 1;
      else rows.push(next.seq < row.seq ? row : slim(next));
    }
    return touched ? { ...page, rows } : page;
  });
  const last = pages.at(-1);
  const oldest = last?.next ? last.rows.at(-1) : undefined;
  for (const job of left.values()) {
    if (job === null || !matches(job, filter)) continue;
    const row = slim(job);
    added += 1;
    // Older than what is loaded: it comes with its page.
    if (oldest && newestFirst(oldest, row) < 0) continue;
    const target = pages.findIndex((page) => page.rows.some((other) => newestFirst(row, other) < 0));
    const index = target === -1 ? pages.length - 1 : target;
    const page = pages[index];
    if (page) pages[index] = { ...page, rows: [...page.rows, row].sort(newestFirst) };
  }
  if (pages[0] && removed !== added) {
    pages[0] = { ...pages[0], total: Math.max(0, pages[0].total + added - removed) };
  }
  return { ...data, pages };
}

/** Keeps the query cache in step with the server; to be called once. Returns how to stop. */
export function startLive(client: QueryClient): () => void {
  let changed = new Map<string, Job | null>();
  const stale = new Set<string>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let wasDown = false;

  const flush = () => {
    timer = undefined;
    const jobs = changed;
    changed = new Map();
    if (jobs.size) {
      for (const [id, job] of jobs) {
        if (!job) client.removeQueries({ queryKey: ['job', id], exact: true });
        else {
          client.setQueryData<Job>(['job', id], (old) =>
            old && old.seq > job.seq ? old : job,
          );
        }
      }
      for (const query of client.getQueryCache().findAll({ queryKey: ['jobs'] })) {
        const filter = (query.queryKey[1] ?? {}) as JobFilter;
        client.setQueryData<InfiniteData<JobPage>>(query.queryKey, (data) =>
          data?.pages ? mergeJobs(data, filter, jobs) : data,
        );
      }
    }
    for (const key of stale) void client.invalidateQueries({ queryKey: [key] });
    stale.clear();
  };

  const later = (...keys: string[]) => {
    for (const key of keys) stale.add(key);
    timer ??= setTimeout(flush, kGatherMs);
  };

  const everything = () => later('jobs', 'job', 'queue', 'plugins', 'job-types', 'run', 'runs', 'backtests', 'registry');

  const stop = connect((message) => {
    if (message.kind === 'state') {
      setState(message.live ? 'live' : 'polling');
      if (message.live && wasDown) everything();
      wasDown = !message.live;
      return;
    }
    switch (message.name) {
      case 'job_created':
      case 'job_updated': {
        const job = JSON.parse(message.data) as Job;
        const before = changed.get(job.job_id) ?? client.getQueryData<Job>(['job', job.job_id]);
        changed.set(job.job_id, job);
        // What a job produced is on the disk when it ends.
        const ended = job.ended_at !== null && job.status !== before?.status;
        if (job.status !== before?.status) later('queue');
        if (ended) later('run', 'runs', 'backtests', 'registry');
        later();
        return;
      }
      case 'job_deleted':
        changed.set((JSON.parse(message.data) as { job_id: string }).job_id, null);
        later();
        return;
      case 'plugins_changed':
        later('plugins', 'job-types');
        return;
      case 'queue_changed':
        later('queue');
        return;
      case 'reset':
        everything();
    }
  });
  return () => {
    clearTimeout(timer);
    stop();
  };
}
