import { describe, expect, it } from 'vitest';
import type { JobPage } from '@/shared/api/jobs';
import { slim } from '@/shared/api/jobs';
import { mergeJobs } from '@/shared/api/live';
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

const list = (pages: Job[][], next: string | null, total: number) => ({
  pages: pages.map((page, index) => ({
    rows: page.map(slim),
    total,
    next: index === pages.length - 1 ? next : page.at(-1)!.job_id,
  })) as JobPage[],
  pageParams: pages.map(() => null),
});

const ids = (data: { pages: JobPage[] }) => data.pages.map((page) => page.rows.map((row) => row.number));
const changed = (...jobs: Job[]) => new Map(jobs.map((each) => [each.job_id, each]));

describe('mergeJobs', () => {
  it('puts a new job first and counts it', () => {
    const next = mergeJobs(list([[job(3), job(2)], [job(1)]], null, 3), {}, changed(job(4)));
    expect(ids(next)).toEqual([[4, 3, 2], [1]]);
    expect(next.pages[0]?.total).toBe(4);
  });

  it('changes a job where it is, and never back to an older state', () => {
    const data = list([[job(2, { seq: 50, status: 'RUNNING' })]], null, 1);
    const later = mergeJobs(data, {}, changed(job(2, { seq: 60, status: 'SUCCESS' })));
    expect(later.pages[0]?.rows[0]?.status).toBe('SUCCESS');
    const older = mergeJobs(data, {}, changed(job(2, { seq: 40 })));
    expect(older.pages[0]?.rows[0]?.status).toBe('RUNNING');
  });

  it('takes out what no longer matches, and lets in what does by now', () => {
    const filter = { status: 'RUNNING' as const };
    const data = list([[job(5, { status: 'RUNNING' }), job(2, { status: 'RUNNING' })]], null, 2);
    const next = mergeJobs(data, filter, changed(job(5, { status: 'SUCCESS', seq: 99 }), job(3, { status: 'RUNNING' })));
    expect(ids(next)).toEqual([[3, 2]]);
    expect(next.pages[0]?.total).toBe(2);
  });

  it('removes a deleted job', () => {
    const next = mergeJobs(list([[job(2), job(1)]], null, 2), {}, new Map([[job(2).job_id, null]]));
    expect(ids(next)).toEqual([[1]]);
    expect(next.pages[0]?.total).toBe(1);
  });

  it('leaves to its page what is older than all that is loaded', () => {
    const next = mergeJobs(list([[job(9), job(8)]], job(8).job_id, 20), { job_type: 'train' }, changed(job(3)));
    expect(ids(next)).toEqual([[9, 8]]);
  });
});
