import { Anchor, Button, Text } from '@mantine/core';
import { IconArrowRight } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import type { Attempt, Job, JobType, Json } from '@/shared/api/types';
import { Copy, Time } from '@/shared/components/Bits';
import { Facts, Panel } from '@/shared/components/Page';
import { CommandLine } from '@/shared/form/CommandPreview';
import { labelOf } from '@/shared/form/ui_schema';
import { useI18n, useT } from '@/shared/i18n';
import { show } from '@/shared/lib/diff';
import { formatBytes, formatDuration, formatNumber, parseTime, shellQuote } from '@/shared/lib/format';
import classes from './JobPage.module.css';

function JobRef({ id }: { id: string }) {
  return (
    <Anchor component={Link} to={`/jobs/${id}`} className="mono" size="sm">
      {id}
    </Anchor>
  );
}

function Inputs({ job, type }: { job: Job; type: JobType | undefined }) {
  const { t, language } = useI18n();
  const order = Object.keys(type?.input_schema.properties ?? {});
  const shown = Object.entries(job.params)
    .filter(([, value]) => value !== null && !(Array.isArray(value) && value.length === 0))
    .sort(([a], [b]) => order.indexOf(a) - order.indexOf(b));
  const text = (value: Json): ReactNode =>
    Array.isArray(value)
      ? value.map((each, index) => (
          <div key={index} className="mono">
            {show(each)}
          </div>
        ))
      : typeof value === 'boolean'
        ? t(value ? 'yes' : 'no')
        : <span className="mono">{show(value)}</span>;
  return (
    <Panel title={t('job.inputs')} aside={<Copy value={JSON.stringify(job.params, null, 2)} label={t('job.copyInputs')} />}>
      {shown.length ? (
        <Facts rows={shown.map(([name, value]) => [type ? labelOf(type, name, language) : name, text(value)])} />
      ) : (
        <Text size="sm" c="dimmed">{t('job.noInputs')}</Text>
      )}
    </Panel>
  );
}

function duration(attempt: Attempt): string {
  const from = parseTime(attempt.started_at);
  const to = parseTime(attempt.ended_at);
  return from !== null && to !== null ? formatDuration((to - from) / 1000) : '';
}

function Timeline({ job }: { job: Job }) {
  const t = useT();
  const attempts = job.attempts ?? [];
  const several = attempts.length > 1;
  return (
    <ol className={classes.timeline}>
      <li>
        {t('timeline.created')} <Text span c="dimmed" size="sm"><Time value={job.created_at} /></Text>
      </li>
      {attempts.map((attempt) => {
        const running = attempt.ended_at === null;
        const good = attempt.exit_code === 0 && (attempt.end_reason ?? 'exit_code') === 'exit_code';
        return (
          <li key={attempt.attempt} data-kind={running ? 'now' : good ? 'good' : 'bad'}>
            {several ? t('job.attemptN', { n: attempt.attempt }) : t('timeline.started')}{' '}
            <Text span c="dimmed" size="sm"><Time value={attempt.started_at} /></Text>
            <Text size="xs" c="dimmed" className="num">
              {running
                ? t('status.RUNNING')
                : [
                    duration(attempt),
                    attempt.end_reason && attempt.end_reason !== 'exit_code' ? attempt.end_reason : null,
                    attempt.exit_code !== null ? t('timeline.exit', { code: attempt.exit_code }) : null,
                    attempt.signal ? t('timeline.signal', { signal: attempt.signal }) : null,
                  ]
                    .filter(Boolean)
                    .join(' · ')}
            </Text>
          </li>
        );
      })}
      {job.ended_at && (
        <li data-kind={job.status === 'SUCCESS' ? 'good' : 'bad'}>
          {t(`status.${job.status}`)} <Text span c="dimmed" size="sm"><Time value={job.ended_at} /></Text>
        </li>
      )}
    </ol>
  );
}

export function Details({ job, type }: { job: Job; type: JobType | undefined }) {
  const t = useT();
  const { usage, resources, git } = job;
  const seconds = job.duration_sec ?? 0;
  return (
    <aside className={classes.side} aria-label={t('job.details')}>
      {job.links.length > 0 && (
        <Panel title={t('job.made')}>
          {job.links.map((link) => (
            <div key={link.name + link.value} style={{ display: 'flex', alignItems: 'center', gap: 8, marginBottom: 6 }}>
              {link.href ? (
                <Button
                  component={Link}
                  to={link.href}
                  variant="light"
                  size="compact-sm"
                  rightSection={<IconArrowRight size={14} />}
                  style={{ flex: 'none' }}
                >
                  {t('job.view', { what: nounOf(link.href, t) ?? link.name })}
                </Button>
              ) : (
                <Text size="sm" c="dimmed">{link.name}</Text>
              )}
              <span className="mono ellipsis" title={link.value} style={{ flex: 1 }}>
                {link.value}
              </span>
              <Copy value={link.value} />
            </div>
          ))}
        </Panel>
      )}
      <Inputs job={job} type={type} />
      <Panel
        title={t('job.command')}
        aside={job.command.length > 0 && <Copy value={job.command.map(shellQuote).join(' ')} label={t('preview.copy')} />}
      >
        {job.command.length ? (
          <CommandLine command={job.command} />
        ) : (
          <Text size="sm" c="dimmed">{t('job.command.later')}</Text>
        )}
      </Panel>
      <Panel title={t('job.timeline')}>
        <Timeline job={job} />
      </Panel>
      <Panel title={t('job.resources')}>
        <Facts
          rows={[
            [t('options.slots'), formatNumber(resources.slots)],
            [t('options.gpus'), resources.gpu_count ? `${resources.gpu_count}${resources.gpus.length ? ` (${resources.gpus.join(', ')})` : ''}` : ''],
            [t('job.memoryAsked'), resources.memory_mb ? formatBytes(resources.memory_mb * 1024 * 1024) : ''],
            [t('job.cpu'), usage && `${formatDuration(usage.user_sec + usage.system_sec)}${seconds > 0 ? ` (${formatNumber((100 * (usage.user_sec + usage.system_sec)) / seconds, 0)} %)` : ''}`],
            [t('job.memory'), usage && formatBytes(usage.max_rss_kb * 1024)],
            [t('options.priority'), job.priority ? formatNumber(job.priority) : ''],
            [t('job.timeout'), job.timeout_sec ? formatDuration(job.timeout_sec) : ''],
            [t('options.max_retries'), job.max_retries ? (job.retry_lost ? t('job.retryLost', { n: job.max_retries }) : job.max_retries) : ''],
            [t('job.group'), job.group],
            [t('job.executor'), job.executor === 'local' || job.executor === 'slurm' ? t(`executor.${job.executor}`) : job.executor],
          ]}
        />
      </Panel>
      <Panel title={t('job.origin')}>
        <Facts
          rows={[
            [t('job.rerunOf'), job.rerun_of && <JobRef id={job.rerun_of} />],
            [t('options.after'), job.after?.length ? job.after.map((id) => <div key={id}><JobRef id={id} /></div>) : ''],
            ['git', git && <span className="mono">{git.commit.slice(0, 12)}{git.dirty ? ` (${t('job.dirty')})` : ''}</span>],
            [t('job.plugin'), `${job.job_type} ${job.plugin_version ?? ''}`],
            [t('job.folder'), <span key="cwd" className="mono">{job.cwd}</span>],
            [t('job.logFile'), <span key="log" className="mono">{job.log_path}</span>],
            [t('job.tags'), job.tags?.length ? job.tags.join(', ') : ''],
            [t('job.note'), job.note],
          ]}
        />
      </Panel>
    </aside>
  );
}

/** What is behind an address of ours, in the reader's words: the hint's own name is for programs. */
function nounOf(href: string, t: ReturnType<typeof useT>): string | null {
  if (href.startsWith('/runs/')) return t('noun.run');
  if (href.startsWith('/backtests/')) return t('noun.backtest');
  if (href.startsWith('/jobs/')) return t('noun.job');
  return null;
}
