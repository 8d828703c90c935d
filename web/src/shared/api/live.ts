import type { InfiniteData, QueryClient, QueryKey } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';
import { EventFeed } from './event_feed';
import type { FeedMessage } from './event_feed';
import { matches, putJob, slim } from './jobs';
import type { JobFilter, JobPage } from './jobs';
import type { Job, JobRow } from './types';

/** How long events are gathered: a batch of a thousand jobs is then one change of the page. */
const kGatherMs = 120;
/** What was told this lately may be newer than an answer that arrives now. */
const kAnswerMs = 20_000;
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
      if (next !== null && next.seq < row.seq) {
        rows.push(row);
        continue;
      }
      touched = true;
      if (next === null || !matches(next, filter)) removed += 1;
      else rows.push(slim(next));
    }
    return touched ? { ...page, rows } : page;
  });
  const last = pages.at(-1);
  const oldest = last?.next ? last.rows.at(-1) : undefined;
  for (const job of left.values()) {
    if (job === null || !matches(job, filter)) continue;
    const row = slim(job);
    // Older than what is loaded: it comes with its page, and is counted already.
    if (oldest && newestFirst(oldest, row) < 0) continue;
    added += 1;
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
  const told = new Map<string, { job: Job | null; at: number }>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isLive = false;

  const mergeInto = (key: QueryKey, jobs: Map<string, Job | null>) =>
    client.setQueryData<InfiniteData<JobPage>>(key, (data) =>
      data?.pages ? mergeJobs(data, (key[1] ?? {}) as JobFilter, jobs) : data,
    );

  const flush = () => {
    timer = undefined;
    const jobs = changed;
    changed = new Map();
    if (jobs.size) {
      const now = Date.now();
      for (const [id, { at }] of told) if (now - at > kAnswerMs) told.delete(id);
      for (const [id, job] of jobs) {
        told.set(id, { job, at: now });
        if (!job) client.removeQueries({ queryKey: ['job', id], exact: true });
        else putJob(client, job);
      }
      for (const query of client.getQueryCache().findAll({ queryKey: ['jobs'] })) mergeInto(query.queryKey, jobs);
    }
    for (const key of stale) void client.invalidateQueries({ queryKey: [key] });
    stale.clear();
  };

  const later = (...keys: string[]) => {
    for (const key of keys) stale.add(key);
    timer ??= setTimeout(flush, kGatherMs);
  };

  const everything = () => later('jobs', 'job', 'queue', 'plugins', 'job-types', 'run', 'runs', 'backtests', 'registry');

  // An answer may have been on its way for longer than what was told meanwhile.
  const unsubscribe = client.getQueryCache().subscribe((event) => {
    if (event.type !== 'updated' || event.action.type !== 'success' || event.action.manual) return;
    const { queryKey } = event.query;
    if (queryKey[0] === 'job') {
      const job = told.get(String(queryKey[1]))?.job;
      if (job) putJob(client, job);
    } else if (queryKey[0] === 'jobs' && told.size) {
      mergeInto(queryKey, new Map(Array.from(told, ([id, { job }]) => [id, job])));
    }
  });

  const stop = connect((message) => {
    if (message.kind === 'state') {
      setState(message.live ? 'live' : 'polling');
      // What happened before there was a stream, nobody told.
      if (message.live && !isLive) everything();
      isLive = message.live;
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
    unsubscribe();
    stop();
  };
}
