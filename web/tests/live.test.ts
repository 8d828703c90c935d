import { InfiniteQueryObserver, QueryClient, QueryObserver } from '@tanstack/react-query';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { JobPage } from '@/shared/api/jobs';
import { slim } from '@/shared/api/jobs';
import { mergeJobs, startLive } from '@/shared/api/live';
import type { Job } from '@/shared/api/types';

const job = (number: number, over: Partial<Job> = {}) =>
  ({
    job_id: `job_20260101_0000${String(number).padStart(2, '0')}__00000000`,
    job_type: 'train',
    status: 'QUEUED',
    created_at: `2026-01-01T00:00:${String(number).padStart(2, '0')}.000+00:00`,
    number,
    seq: number * 10,
    group: null,
    name: null,
    note: '',
    links: [],
    params: {},
    ...over,
  }) as unknown as Job;

const list = (pages: Job[][], next: Job | null, total: number) => ({
  pages: pages.map((page, index) => ({
    rows: page.map(slim),
    total,
    next: index === pages.length - 1 ? next && slim(next) : slim(page.at(-1)!),
  })) as JobPage[],
  pageParams: pages.map(() => null),
});

const ids = (data: { pages: JobPage[] }) => data.pages.map((page) => page.rows.map((row) => row.number));
const changed = (...jobs: Job[]) => new Map(jobs.map((each) => [each.job_id, each]));

describe('mergeJobs', () => {
  it('puts a new job first and counts it', () => {
    const { data: next } = mergeJobs(list([[job(3), job(2)], [job(1)]], null, 3), {}, changed(job(4)));
    expect(ids(next)).toEqual([[4, 3, 2], [1]]);
    expect(next.pages[0]?.total).toBe(4);
  });

  it('changes a job where it is, and never back to an older state', () => {
    const data = list([[job(2, { seq: 50, status: 'RUNNING' })]], null, 1);
    const { data: later } = mergeJobs(data, {}, changed(job(2, { seq: 60, status: 'SUCCESS' })));
    expect(later.pages[0]?.rows[0]?.status).toBe('SUCCESS');
    const { data: older } = mergeJobs(data, {}, changed(job(2, { seq: 40 })));
    expect(older.pages[0]?.rows[0]?.status).toBe('RUNNING');
  });

  it('takes out what no longer matches, and lets in what does by now', () => {
    const filter = { status: 'RUNNING' as const };
    const data = list([[job(5, { status: 'RUNNING' }), job(2, { status: 'RUNNING' })]], null, 2);
    const { data: next } = mergeJobs(data, filter, changed(job(5, { status: 'SUCCESS', seq: 99 }), job(3, { status: 'RUNNING' })));
    expect(ids(next)).toEqual([[3, 2]]);
    expect(next.pages[0]?.total).toBe(2);
  });

  it('removes a deleted job', () => {
    const { data: next } = mergeJobs(list([[job(2), job(1)]], null, 2), {}, new Map([[job(2).job_id, null]]));
    expect(ids(next)).toEqual([[1]]);
    expect(next.pages[0]?.total).toBe(1);
  });

  it('leaves to its page what is older than all that is loaded', () => {
    const data = list([[job(9), job(8)]], job(8), 20);
    const next = mergeJobs(data, { job_type: 'train' }, changed(job(3)), () => job(3, { seq: 29 }));
    expect(ids(next.data)).toEqual([[9, 8]]);
    expect(next.data.pages[0]?.total).toBe(20);
    expect(next.exact).toBe(true);
  });
});

describe('how many match', () => {
  const filter = { status: 'QUEUED' as const };

  it('is the number of rows of a list that is loaded to its end, whatever was counted before', () => {
    const next = mergeJobs(list([[job(3), job(2)]], null, 7), filter, changed(job(3, { status: 'RUNNING', seq: 99 })));
    expect(next.data.pages[0]?.total).toBe(1);
    expect(next.exact).toBe(true);
  });

  it('is not known when a job may have come or gone where nothing is loaded', () => {
    const data = list([[job(9), job(8)]], job(8), 20);
    const started = job(3, { status: 'RUNNING', seq: 99 });
    expect(mergeJobs(data, filter, changed(started)).exact).toBe(false);
    expect(mergeJobs(data, filter, changed(started), () => job(3)).exact).toBe(false);
    expect(mergeJobs(data, filter, changed(started), () => started).exact).toBe(true);
    expect(mergeJobs(data, filter, new Map([[job(3).job_id, null]])).exact).toBe(false);
  });

  it('keeps its end when the last rows are gone', () => {
    const data = list([[job(9), job(8)]], job(8), 20);
    const gone = mergeJobs(data, filter, new Map([[job(9).job_id, null], [job(8).job_id, null]])).data;
    expect(gone.pages[0]?.total).toBe(18);
    const next = mergeJobs(gone, filter, changed(job(3)), () => job(3)).data;
    expect(ids(next)).toEqual([[]]);
    expect(next.pages[0]?.total).toBe(18);
  });
});

/** Stands for the browser's stream of events: the test tells. */
class Stream {
  static readonly CLOSED = 2;
  static last: Stream;
  readyState = 1;
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;
  private readonly listeners = new Map<string, (event: { data: string }) => void>();

  constructor() {
    Stream.last = this;
  }

  addEventListener(name: string, listener: (event: { data: string }) => void) {
    this.listeners.set(name, listener);
  }

  tell(name: string, data: unknown) {
    this.listeners.get(name)?.({ data: JSON.stringify(data) });
  }

  close() {
    this.readyState = Stream.CLOSED;
  }
}

describe('startLive', () => {
  let client: QueryClient;
  let stop: () => void;

  beforeEach(() => {
    vi.stubGlobal('EventSource', Stream);
    vi.useFakeTimers();
    client = new QueryClient();
    stop = startLive(client);
  });

  afterEach(() => {
    stop();
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it('asks again for what was asked for before there was a stream', async () => {
    const ask = vi.fn(() => Promise.resolve(job(1)));
    const observer = new QueryObserver(client, { queryKey: ['job', job(1).job_id], queryFn: ask });
    const leave = observer.subscribe(() => undefined);
    await vi.waitFor(() => expect(ask).toHaveBeenCalledTimes(1));
    Stream.last.onopen?.();
    await vi.waitFor(() => expect(ask).toHaveBeenCalledTimes(2));
    leave();
  });

  it('lets no answer take back what was told while it was on its way', async () => {
    Stream.last.onopen?.();
    let answer: (value: unknown) => void = () => undefined;
    const late = client.fetchQuery({
      queryKey: ['job', job(1).job_id],
      queryFn: () => new Promise((resolve) => (answer = resolve)),
    });
    let answerList: (value: unknown) => void = () => undefined;
    const lateList = client.fetchQuery({
      queryKey: ['jobs', {}, 100],
      queryFn: () => new Promise((resolve) => (answerList = resolve)),
    });
    await vi.advanceTimersByTimeAsync(1);
    Stream.last.tell('job_created', job(2));
    Stream.last.tell('job_updated', job(1, { seq: 99, status: 'SUCCESS' }));
    await vi.advanceTimersByTimeAsync(500);
    answer(job(1));
    answerList(list([[job(1)]], null, 1));
    await Promise.all([late, lateList]);
    expect(client.getQueryData<Job>(['job', job(1).job_id])?.status).toBe('SUCCESS');
    const data = client.getQueryData<{ pages: JobPage[] }>(['jobs', {}, 100])!;
    expect(data.pages[0]?.rows.map((row) => row.status)).toEqual(['QUEUED', 'SUCCESS']);
    expect(data.pages[0]?.total).toBe(2);
  });

  it('counts a long list again when jobs change that are not loaded', async () => {
    const key = ['jobs', { status: 'QUEUED' }, 100];
    const asked = vi.fn(() =>
      Promise.resolve(new Response('[]', { headers: { 'X-Total-Count': '41' } })),
    );
    vi.stubGlobal('fetch', asked);
    Stream.last.onopen?.();
    const observer = new InfiniteQueryObserver(client, {
      queryKey: key,
      queryFn: () => list([[job(9), job(8)]], job(8), 50).pages[0]!,
      initialPageParam: null,
      getNextPageParam: () => null,
    });
    const leave = observer.subscribe(() => undefined);
    await vi.advanceTimersByTimeAsync(500);
    Stream.last.tell('job_updated', job(1, { status: 'RUNNING', seq: 99 }));
    await vi.advanceTimersByTimeAsync(5000);
    expect(asked).toHaveBeenCalledTimes(1);
    expect(asked).toHaveBeenCalledWith('/api/jobs/recent?status=QUEUED&limit=1', expect.anything());
    expect(client.getQueryData<{ pages: JobPage[] }>(key)?.pages[0]?.total).toBe(41);
    // It was no QUEUED one before, and is none now.
    Stream.last.tell('job_updated', job(1, { status: 'RUNNING', seq: 100 }));
    await vi.advanceTimersByTimeAsync(5000);
    expect(asked).toHaveBeenCalledTimes(1);
    leave();
  });
});
