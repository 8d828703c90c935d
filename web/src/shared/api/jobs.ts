import {
  keepPreviousData,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query';
import { api, ApiError, request, url } from './client';
import { usePolling } from './live';
import type { QueryClient } from '@tanstack/react-query';
import type { Job, JobOptions, JobRow, JobStatus, JobType, Json, JsonObject } from './types';

export interface JobFilter {
  status?: JobStatus | undefined;
  job_type?: string | undefined;
  group?: string | undefined;
  q?: string | undefined;
}

export interface JobPage {
  rows: JobRow[];
  /** How many match in all. */
  total: number;
  /** The last of the page as it was loaded, to go on from; null at the end. */
  next: JobRow | null;
}

/** Lists of this many rows a page say how many there are in all; shorter ones only show the newest. */
export const kPage = 100;
const kCountMs = 30_000;

export const hasEnded = (job: { status: JobStatus }) =>
  job.status !== 'QUEUED' && job.status !== 'RUNNING';

/** Why it does not run: it is queued here, or it was handed to a cluster and waits there. */
export const waitsFor = (job: Pick<Job, 'status' | 'waiting_for'>): string | null =>
  hasEnded(job) ? null : job.waiting_for || null;

/** Only what a row shows. */
export function slim(job: Job): JobRow {
  return {
    job_id: job.job_id,
    job_type: job.job_type,
    status: job.status,
    created_at: job.created_at,
    started_at: job.started_at,
    ended_at: job.ended_at,
    duration_sec: job.duration_sec,
    name: job.name ?? '',
    group: job.group ?? '',
    dry_run: job.dry_run,
    number: job.number,
    seq: job.seq,
    progress: job.progress,
    links: job.links ?? [],
    error_message: job.error_message,
    waiting_for: job.waiting_for ?? null,
    cancel_requested: job.cancel_requested ?? false,
  };
}

/** Whether a changed job belongs to a list; as the server decides it. */
export function matches(job: Job, filter: JobFilter): boolean {
  if (filter.status && job.status !== filter.status) return false;
  if (filter.job_type && job.job_type !== filter.job_type) return false;
  if (filter.group && job.group !== filter.group) return false;
  if (!filter.q) return true;
  const text = [job.job_id, job.name, job.note, JSON.stringify(job.params)].join('\n');
  return text.toLowerCase().includes(filter.q.toLowerCase());
}

async function page(filter: JobFilter, before: string | null, limit: number, signal: AbortSignal) {
  const response = await request(url('/api/jobs/recent', { ...filter, before, limit }), { signal });
  const jobs = (await response.json()) as Job[];
  const more = response.headers.get('Link')?.includes('rel="next"') ?? jobs.length === limit;
  const rows = jobs.map(slim);
  return {
    rows,
    total: Number(response.headers.get('X-Total-Count') ?? rows.length),
    next: (more && rows.at(-1)) || null,
  } satisfies JobPage;
}

/** How many match by now. */
export const countJobs = async (filter: JobFilter): Promise<number> =>
  (await page(filter, null, 1, AbortSignal.timeout(kCountMs))).total;

/** All jobs that match, newest first, a page at a time. */
export function useJobs(filter: JobFilter, limit = kPage) {
  const polling = usePolling();
  return useInfiniteQuery({
    queryKey: ['jobs', filter, limit],
    queryFn: ({ pageParam, signal }) => page(filter, pageParam, limit, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next?.job_id ?? null,
    placeholderData: keepPreviousData,
    refetchInterval: polling,
  });
}

/** What is known of a job by now; never older than what was known. */
export function putJob(client: QueryClient, job: Job): void {
  client.setQueryData<Job>(['job', job.job_id], (old) => (old && old.seq > job.seq ? old : job));
}

export function useJob(id: string) {
  const polling = usePolling();
  return useQuery({
    queryKey: ['job', id],
    queryFn: ({ signal }) => api<Job>(`/api/jobs/${encodeURIComponent(id)}`, { signal }),
    refetchInterval: (query) => (query.state.data && hasEnded(query.state.data) ? false : polling),
  });
}

export function useJobTypes() {
  const polling = usePolling();
  return useQuery({
    queryKey: ['job-types'],
    queryFn: ({ signal }) => api<JobType[]>('/api/job-types', { signal }),
    staleTime: 60_000,
    refetchInterval: polling && polling * 3,
  });
}

/** Runs a change and brings the page up to date at once, stream or not. */
function useChange<Input, Output>(change: (input: Input) => Promise<Output>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: change,
    onSuccess: (result) => {
      const jobs = (Array.isArray(result) ? result : [result]) as (Job | undefined)[];
      for (const job of jobs) if (job?.job_id) putJob(client, job);
    },
    onSettled: () => {
      void client.invalidateQueries({ queryKey: ['jobs'] });
      void client.invalidateQueries({ queryKey: ['queue'] });
    },
  });
}

const pathOf = (id: string) => `/api/jobs/${encodeURIComponent(id)}`;

export const cancelJob = (id: string) => api<Job>(`${pathOf(id)}/cancel`, { method: 'POST' });
export const rerunJob = (id: string, changes?: { params?: JsonObject; _job?: JobOptions }) =>
  api<Job>(`${pathOf(id)}/rerun`, { method: 'POST', body: changes ?? {} });
export const deleteJob = (id: string) => api<undefined>(pathOf(id), { method: 'DELETE' });

export const useCancel = () => useChange(cancelJob);
export const useRerun = () =>
  useChange((input: { id: string; params?: JsonObject; _job?: JobOptions }) => {
    const { id, ...changes } = input;
    return rerunJob(id, changes);
  });
export const useDelete = () => useChange(deleteJob);

/**
 * Submits once, whatever the line does: an answer that did not come is asked for again with the same
 * key, and the server answers with the job that it has already.
 */
async function submitOnce<T>(path: string, body: unknown): Promise<T> {
  const key = Array.from(crypto.getRandomValues(new Uint32Array(4)), String).join('-');
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await api<T>(path, { method: 'POST', body, headers: { 'Idempotency-Key': key } });
    } catch (error) {
      if (!(error instanceof ApiError) || !error.unreachable || attempt === 2) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

const withOptions = (options: JobOptions) =>
  Object.keys(options).length ? { _job: options } : {};

export const useSubmit = () =>
  useChange((input: { slug: string; params: JsonObject; options: JobOptions }) =>
    submitOnce<Job>(`/api/jobs/${input.slug}`, { ...input.params, ...withOptions(input.options) }),
  );

export const useSubmitBatch = () =>
  useChange(
    (input: {
      type: string;
      params: JsonObject;
      matrix: Record<string, Json[]>;
      options: JobOptions;
    }) => {
      const { options, ...body } = input;
      return submitOnce<Job[]>('/api/jobs/batch', { ...body, ...withOptions(options) });
    },
  );
