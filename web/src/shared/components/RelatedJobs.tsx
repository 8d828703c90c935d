import { Anchor, Text } from '@mantine/core';
import { Link } from 'react-router';
import type { RelatedJob } from '../api/types';
import { useT } from '../i18n';
import { Time } from './Bits';
import { Panel } from './Page';
import { StatusBadge } from './StatusBadge';

/** The jobs that made or used something. */
export function RelatedJobs({ jobs }: { jobs: RelatedJob[] | undefined }) {
  const t = useT();
  return (
    <Panel title={t('related.jobs')}>
      {jobs?.length ? (
        jobs.map((job) => (
          <div key={job.job_id} style={{ display: 'flex', flexWrap: 'wrap', gap: '4px 12px', alignItems: 'center', padding: '3px 0' }}>
            <StatusBadge status={job.status} />
            <Anchor component={Link} to={`/jobs/${job.job_id}`} size="sm" className="mono">
              {job.job_id}
            </Anchor>
            <Text span size="sm" c="dimmed">
              {[job.name, job.job_type, t(`related.${job.relation}`)].filter(Boolean).join(' · ')}
            </Text>
            {job.created_at && (
              <Text span size="sm" c="dimmed" ml="auto">
                <Time value={job.created_at} />
              </Text>
            )}
          </div>
        ))
      ) : (
        <Text size="sm" c="dimmed">
          {t('related.none')}
        </Text>
      )}
    </Panel>
  );
}
