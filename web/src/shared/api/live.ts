import type { InfiniteData, QueryClient, QueryKey } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';
import { EventFeed } from './event_feed';
import type { FeedMessage } from './event_feed';
import { countJobs, kPage, matches, putJob, slim } from './jobs';
import type { JobFilter, JobPage } from './jobs';
import type { Job, JobRow } from './types';

/** How long events are gathered: a batch of a thousand jobs is then one change of the page. */
const kGatherMs = 120;
/** How often a list is counted again at most. */
const kCountMs = 1000;
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

type Jobs = InfiniteData<JobPage>;

/**
 * Puts changed jobs where they belong in a list that was loaded page by page. A list that is loaded to its
 * end is counted by its rows. Of another one the total follows what is seen, and is not `exact` when it
 * changed: what matches further down may have changed as well. `before` is what a job was, if that is known.
 */
export function mergeJobs(
  data: Jobs,
  filter: JobFilter,
  changed: Map<string, Job | null>,
  before: (id: string) => Job | null | undefined = () => undefined,
): { data: Jobs; exact: boolean } {
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
  const end = pages.at(-1)?.next ?? null;
  let further = false;
  for (const [id, job] of left) {
    const row = job && slim(job);
    if (!row || (end && newestFirst(end, row) < 0)) {
      // Not loaded: it comes, or does not, with its page.
      const old = before(id);
      const did = old && matches(old, filter);
      further ||= did === undefined || did === null || did !== (job !== null && matches(job, filter));
      continue;
    }
    if (!matches(job!, filter)) continue;
    added += 1;
    const target = pages.findIndex((page) => page.rows.some((other) => newestFirst(row, other) < 0));
    const index = target === -1 ? pages.length - 1 : target;
    const page = pages[index];
    if (page) pages[index] = { ...page, rows: [...page.rows, row].sort(newestFirst) };
  }
  if (pages[0]) {
    const loaded = pages.reduce((sum, page) => sum + page.rows.length, 0);
    const total = end ? Math.max(loaded, pages[0].total + added - removed) : loaded;
    if (total !== pages[0].total) pages[0] = { ...pages[0], total };
  }
  return { data: { ...data, pages }, exact: !end || (added === 0 && removed === 0 && !further) };
}

/** Keeps the query cache in step with the server; to be called once. Returns how to stop. */
export function startLive(client: QueryClient): () => void {
  let changed = new Map<string, Job | null>();
  const stale = new Set<string>();
  const told = new Map<string, { job: Job | null; at: number }>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const uncounted = new Map<string, QueryKey>();
  let counting: ReturnType<typeof setTimeout> | undefined;
  let isLive = false;
  const filterOf = (key: QueryKey) => (key[1] ?? {}) as JobFilter;

  /** Whether the list's count can be trusted then. */
  const mergeInto = (key: QueryKey, jobs: Map<string, Job | null>): boolean => {
    const data = client.getQueryData<Jobs>(key);
    if (!data?.pages) return true;
    const merged = mergeJobs(data, filterOf(key), jobs, (id) => told.get(id)?.job);
    client.setQueryData<Jobs>(key, merged.data);
    return merged.exact;
  };

  // Asked after what was told: whatever is still on its way is counted again when it has come.
  const count = () => {
    counting = undefined;
    const keys = [...uncounted.values()];
    uncounted.clear();
    for (const key of keys) {
      void countJobs(filterOf(key)).then(
        (total) =>
          client.setQueryData<Jobs>(key, (data) => {
            const [first, ...rest] = data?.pages ?? [];
            return data && first && data.pages.at(-1)?.next ? { ...data, pages: [{ ...first, total }, ...rest] } : data;
          }),
        () => undefined, // no server: the list itself is asked for again
      );
    }
  };

  const flush = () => {
    timer = undefined;
    const jobs = changed;
    changed = new Map();
    if (jobs.size) {
      const now = Date.now();
      for (const [id, { at }] of told) if (now - at > kAnswerMs) told.delete(id);
      for (const query of client.getQueryCache().findAll({ queryKey: ['jobs'] })) {
        const { queryKey: key } = query;
        if (mergeInto(key, jobs) || key[2] !== kPage || !query.isActive()) continue;
        uncounted.set(query.queryHash, key);
        counting ??= setTimeout(count, kCountMs);
      }
      for (const [id, job] of jobs) {
        told.set(id, { job, at: now });
        if (!job) client.removeQueries({ queryKey: ['job', id], exact: true });
        else putJob(client, job);
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
    clearTimeout(counting);
    unsubscribe();
    stop();
  };
}
