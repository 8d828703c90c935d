import { ActionIcon, Anchor, Text, Tooltip } from '@mantine/core';
import { IconArrowUpRight, IconCheck, IconCopy } from '@tabler/icons-react';
import { useEffect, useState, useSyncExternalStore } from 'react';
import { Link } from 'react-router';
import type { JobLink, JobRow } from '../api/types';
import { useT } from '../i18n';
import { copyText } from '../lib/clipboard';
import { formatDuration, formatFullTime, formatPercent, formatTime, parseTime, tailOf } from '../lib/format';
import classes from './Bits.module.css';

// One clock for all that ticks; it stands still while nobody looks at it.
const tickers = new Set<() => void>();
let clock: ReturnType<typeof setInterval> | undefined;
let now = Date.now();

function subscribe(listener: () => void): () => void {
  tickers.add(listener);
  clock ??= setInterval(() => {
    now = Date.now();
    for (const each of tickers) each();
  }, 1000);
  return () => {
    tickers.delete(listener);
    if (tickers.size === 0) {
      clearInterval(clock);
      clock = undefined;
    }
  };
}

export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}

function Ticking({ since }: { since: number }) {
  const current = useNow();
  return <>{formatDuration(Math.floor(Math.max(0, Math.max(current, since) - since) / 1000) || 0.1)}</>;
}

/** How long a job has taken; ticks while it runs. */
export function Duration({ job }: { job: Pick<JobRow, 'status' | 'started_at' | 'duration_sec'> }) {
  const started = parseTime(job.started_at);
  return (
    <span className="num">
      {job.status === 'RUNNING' && started !== null ? (
        <Ticking since={started} />
      ) : (
        formatDuration(job.duration_sec)
      )}
    </span>
  );
}

export function Time({ value }: { value: string | null | undefined }) {
  if (!value) return <span className={classes.none}>–</span>;
  return (
    <time dateTime={value} title={formatFullTime(value)} className={`num ${classes.time}`}>
      {formatTime(value)}
    </time>
  );
}

export function Copy({ value, label }: { value: string; label?: string }) {
  const t = useT();
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 1500);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <Tooltip label={copied ? t('action.copied') : (label ?? t('action.copy'))}>
      <ActionIcon
        size="sm"
        onClick={() => void copyText(value).then(() => setCopied(true))}
        aria-label={label ?? t('action.copy')}
      >
        {copied ? <IconCheck size={14} /> : <IconCopy size={14} />}
      </ActionIcon>
    </Tooltip>
  );
}

/** A bar that never changes the height of its line. */
export function ProgressBar({ job }: { job: Pick<JobRow, 'status' | 'progress'> }) {
  const t = useT();
  const fraction = job.progress?.fraction;
  if (job.status === 'QUEUED' || fraction === null || fraction === undefined) return null;
  if (job.status !== 'RUNNING') return null;
  const percent = Math.round(Math.min(1, Math.max(0, fraction)) * 100);
  return (
    <span className={classes.progress}>
      <span
        className={classes.track}
        role="progressbar"
        aria-valuenow={percent}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-label={t('job.progress')}
      >
        <span className={classes.bar} style={{ width: `${percent}%` }} />
      </span>
      <span className={`num ${classes.percent}`}>{formatPercent(percent / 100, 0)}</span>
    </span>
  );
}

/** What a job found or made. The words come from the hint's name: `bt_run_id` leads to a "bt run". */
export function JobLinks({ links, max = 3 }: { links: JobLink[]; max?: number }) {
  const shown = links.slice(0, max);
  return (
    <span className={classes.links}>
      {shown.map((link) =>
        link.href ? (
          <Anchor
            key={link.name + link.value}
            component={Link}
            to={link.href}
            className={`mono ${classes.link}`}
            title={`${link.name}: ${link.value}`}
            size="sm"
          >
            <span className="ellipsis">{shown.length > 1 ? tailOf(link.value) : link.value}</span>
            <IconArrowUpRight size={12} aria-hidden className={classes.arrow} />
          </Anchor>
        ) : (
          <Text key={link.name + link.value} span className="mono ellipsis" title={link.name}>
            {link.value}
          </Text>
        ),
      )}
      {links.length > max && (
        <Text span size="xs" c="dimmed">
          +{links.length - max}
        </Text>
      )}
    </span>
  );
}

export function Gain({ value, children }: { value: number | null | undefined; children: string }) {
  const known = typeof value === 'number' && value !== 0;
  return <span className={`num ${known ? (value > 0 ? 'gain' : 'loss') : ''}`}>{children}</span>;
}
