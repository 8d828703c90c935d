import { Button } from '@mantine/core';
import { IconColumns } from '@tabler/icons-react';
import { useQueries } from '@tanstack/react-query';
import { Link, useSearchParams } from 'react-router';
import { api } from '@/shared/api/client';
import type { Job } from '@/shared/api/types';
import { DiffTable } from '@/shared/components/DiffTable';
import { ErrorState, LoadingState, Notice } from '@/shared/components/Notice';
import { Page } from '@/shared/components/Page';
import { StatusBadge } from '@/shared/components/StatusBadge';
import { useT } from '@/shared/i18n';
import { compare } from '@/shared/lib/diff';
import { formatDuration, shortId } from '@/shared/lib/format';

/** What a job was asked to do, and what came of it: not what differs between any two jobs. */
const about = (job: Job) => ({
  job_type: job.job_type,
  status: job.status,
  params: job.params,
  duration: formatDuration(job.duration_sec),
  end_reason: job.end_reason,
  exit_code: job.exit_code,
  error_message: job.error_message,
  made: job.artifacts_hint,
  command: job.command.join(' '),
  git: job.git,
  plugin_version: job.plugin_version,
  usage: job.usage,
});

export function Component() {
  const t = useT();
  const [search] = useSearchParams();
  const ids = (search.get('ids') ?? '').split(',').filter(Boolean).slice(0, 4);
  const jobs = useQueries({
    queries: ids.map((id) => ({
      queryKey: ['job', id],
      queryFn: () => api<Job>(`/api/jobs/${encodeURIComponent(id)}`),
    })),
  });
  const failed = jobs.find((job) => job.isError);
  const ready = jobs.flatMap((job) => (job.data ? [job.data] : []));
  return (
    <Page title={t('compare.jobs')} parent={{ to: '/jobs', label: t('nav.jobs') }}>
      {ids.length < 2 ? (
        <Notice
          icon={IconColumns}
          title={t('compare.choose')}
          text={t('compare.choose.text')}
          action={<Button component={Link} to="/jobs">{t('nav.jobs')}</Button>}
        />
      ) : failed ? (
        <ErrorState error={failed.error} retry={() => void failed.refetch()} />
      ) : ready.length < ids.length ? (
        <LoadingState />
      ) : (
        <DiffTable
          title={t('diff.title')}
          rows={compare(ready.map(about))}
          heads={ready.map((job) => (
            <span key={job.job_id}>
              <Link to={`/jobs/${job.job_id}`} className="mono" title={job.job_id}>
                {job.name || shortId(job.job_id)}
              </Link>{' '}
              <StatusBadge status={job.status} />
            </span>
          ))}
        />
      )}
    </Page>
  );
}
