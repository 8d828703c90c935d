import { Alert, Anchor, Button, Group, Menu, Modal, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import {
  IconClockPause,
  IconDots,
  IconEdit,
  IconFileOff,
  IconInfoCircle,
  IconPlayerStop,
  IconRepeat,
  IconTrash,
} from '@tabler/icons-react';
import { lazy, Suspense } from 'react';
import { Link, useLocation, useNavigate, useParams } from 'react-router';
import { ApiError, messageOf } from '@/shared/api/client';
import { hasEnded, waitsFor, useCancel, useDelete, useJob, useJobTypes, useRerun } from '@/shared/api/jobs';
import { useMay } from '@/shared/api/session';
import type { Job } from '@/shared/api/types';
import { Copy, Duration, useNow } from '@/shared/components/Bits';
import { ErrorState, LoadingState, Notice } from '@/shared/components/Notice';
import { Page } from '@/shared/components/Page';
import { StatusBadge } from '@/shared/components/StatusBadge';
import { titleOf } from '@/shared/form/ui_schema';
import { useI18n, useT } from '@/shared/i18n';
import { formatDuration, formatFullTime, formatNumber, formatPercent, parseTime } from '@/shared/lib/format';
import { LogViewer } from '@/shared/log/LogViewer';
import { Details } from './Details';
import { LiveCurves } from './LiveCurves';
import classes from './JobPage.module.css';

const Duplicate = lazy(() =>
  import('./Duplicate').then((module) => ({ default: module.Duplicate })),
);

/** Shows the toast that leads to a job that was just made. */
function useMade() {
  const t = useT();
  return (job: Job) =>
    notifications.show({
      color: 'teal',
      title: t('toast.submitted'),
      message: (
        <Anchor component={Link} to={`/jobs/${job.job_id}`} size="sm" className="mono">
          {job.job_id}
        </Anchor>
      ),
    });
}

function Progress({ job }: { job: Job }) {
  const t = useT();
  const { progress } = job;
  if (job.status !== 'RUNNING' || !progress) return null;
  const { fraction, current, total, eta_sec: eta } = progress;
  return (
    <div className={classes.progress}>
      <div className={classes.progressLine}>
        <Text size="sm" fw={550} className="num">
          {fraction === null ? t('job.progress') : formatPercent(fraction, 0)}
        </Text>
        <Text size="sm" c="dimmed" className="num">
          {formatNumber(current)}
          {total !== null && ` / ${formatNumber(total)}`}
        </Text>
        <Text size="sm" c="dimmed" className="num" ml="auto">
          {eta !== null && t('job.eta', { time: formatDuration(Math.round(eta)) })}
        </Text>
      </div>
      <div
        className={classes.track}
        role="progressbar"
        aria-label={t('job.progress')}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={fraction === null ? undefined : Math.round(fraction * 100)}
      >
        <span style={{ width: `${Math.min(1, fraction ?? 0) * 100}%` }} />
      </div>
    </div>
  );
}

function RetryAt({ at }: { at: string }) {
  const t = useT();
  const now = useNow();
  const due = parseTime(at);
  if (due === null || due <= now) return null;
  return <> {t('job.retryIn', { time: formatDuration(Math.ceil((due - now) / 1000)) })}</>;
}

/** Why it waits, why it failed, what it did not find: one line that matters, or none. */
function Remark({ job }: { job: Job }) {
  const { t, said } = useI18n();
  const waits = waitsFor(job);
  if (job.status === 'QUEUED' || waits) {
    return (
      <Alert
        icon={<IconClockPause size={17} />}
        color="gray"
        p="xs"
        title={t(job.status === 'QUEUED' ? 'job.waiting' : 'job.waiting.cluster')}
      >
        {waits ? said(waits) : t('job.waiting.soon')}
        {job.not_before && <RetryAt at={job.not_before} />}
      </Alert>
    );
  }
  if (job.status === 'FAILED' || job.status === 'CANCELLED') {
    const reason = job.end_reason
      ? t(`reason.${job.end_reason}` as 'reason.exit_code', {
          code: job.exit_code ?? '?',
          signal: job.signal ?? '?',
        })
      : '';
    return (
      <Alert color={job.status === 'FAILED' ? 'red' : 'yellow'} p="xs" title={reason} icon={<IconInfoCircle size={17} />}>
        {job.error_message && <span className={`mono ${classes.message}`}>{said(job.error_message)}</span>}
      </Alert>
    );
  }
  if (job.warnings?.length) {
    return (
      <Alert color="yellow" p="xs" title={t('job.warnings')} icon={<IconInfoCircle size={17} />}>
        {job.warnings.map((text) => (
          <div key={text}>{text}</div>
        ))}
      </Alert>
    );
  }
  return null;
}

function Actions({ job }: { job: Job }) {
  const t = useT();
  const navigate = useNavigate();
  const may = useMay('operator');
  const loaded = useJobTypes().data?.find((type) => type.type === job.job_type);
  const cancel = useCancel();
  const rerun = useRerun();
  const remove = useDelete();
  const made = useMade();
  const [editing, { open: edit, close: stopEditing }] = useDisclosure(false);
  const [removing, { open: askRemove, close: stopRemoving }] = useDisclosure(false);
  const failed = (error: unknown) =>
    notifications.show({ color: 'red', title: t('error.failed'), message: messageOf(error) });
  const ended = hasEnded(job);
  return (
    <>
      {!ended && (
        <Button
          color="red"
          variant="light"
          leftSection={<IconPlayerStop size={15} />}
          disabled={!may || (job.cancel_requested && job.status === 'RUNNING')}
          loading={cancel.isPending}
          onClick={() => cancel.mutate(job.job_id, { onError: failed })}
        >
          {t('action.cancelJob')}
        </Button>
      )}
      <Button
        variant="default"
        leftSection={<IconRepeat size={15} />}
        disabled={!may || !loaded}
        loading={rerun.isPending}
        onClick={() => rerun.mutate({ id: job.job_id }, { onSuccess: made, onError: failed })}
      >
        {t('action.rerun')}
      </Button>
      <Button
        variant="default"
        leftSection={<IconEdit size={15} />}
        disabled={!may || !loaded}
        onClick={edit}
      >
        {t('action.duplicate')}
      </Button>
      <Menu position="bottom-end" withinPortal>
        <Menu.Target>
          <Button variant="default" px={8} aria-label={t('action.more')}>
            <IconDots size={16} />
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item component="a" href={`/api/jobs/${job.job_id}`} target="_blank" rel="noreferrer">
            {t('job.json')}
          </Menu.Item>
          <Menu.Item
            color="red"
            leftSection={<IconTrash size={15} />}
            disabled={!ended || !may}
            onClick={askRemove}
          >
            {t('action.delete')}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {editing && loaded && (
        <Suspense fallback={null}>
          <Duplicate job={job} type={loaded} close={stopEditing} made={made} />
        </Suspense>
      )}
      <Modal opened={removing} onClose={stopRemoving} title={t('job.delete.title')}>
        <Text size="sm">{t('job.delete.text')}</Text>
        <Group justify="flex-end" mt="md">
          <Button variant="default" onClick={stopRemoving}>
            {t('action.keep')}
          </Button>
          <Button
            color="red"
            loading={remove.isPending}
            onClick={() =>
              remove.mutate(job.job_id, {
                onSuccess: () => void navigate('/jobs'),
                onError: failed,
              })
            }
          >
            {t('action.delete')}
          </Button>
        </Group>
      </Modal>
    </>
  );
}

export function Component() {
  const { t, language } = useI18n();
  const { id = '' } = useParams();
  const job = useJob(id);
  const types = useJobTypes();
  const { hash } = useLocation();
  const navigate = useNavigate();
  const parent = { to: '/jobs', label: t('nav.jobs') };

  // Whether there are curves above the log is known by the type.
  if (job.isPending || types.isPending) {
    return (
      <Page title={id} parent={parent} pending>
        <LoadingState lines={10} />
      </Page>
    );
  }
  if (!job.data) {
    const missing = job.error instanceof ApiError && job.error.status === 404;
    return (
      <Page title={id} parent={parent}>
        {missing ? (
          <Notice
            icon={IconFileOff}
            title={t('job.missing')}
            text={t('job.missing.text')}
            action={<Button component={Link} to="/jobs">{t('nav.jobs')}</Button>}
          />
        ) : (
          <ErrorState error={job.error} retry={() => void job.refetch()} />
        )}
      </Page>
    );
  }
  const { data } = job;
  const type = types.data?.find((each) => each.type === data.job_type);
  return (
    <Page
      title={data.name || id}
      parent={parent}
      heading={
        <span className={classes.heading}>
          <span className={data.name ? classes.name : `mono ${classes.id}`} title={data.name || id}>
            {data.name || id}
          </span>
          <Copy value={id} label={t('job.copyId')} />
        </span>
      }
      subtitle={
        <span className={classes.sub}>
          <StatusBadge status={data.status} cancelling={data.cancel_requested} waits={waitsFor(data)} large />
          <span>{type ? titleOf(type, language) : data.job_type}</span>
          {data.name && <span className="mono">{id}</span>}
          <span title={t('job.duration')}>
            <Duration job={data} />
          </span>
          <span title={t('job.created')}>{formatFullTime(data.created_at)}</span>
          {data.dry_run && <span className={classes.tag}>{t('job.dryRun')}</span>}
          {data.attempt > 1 && <span className={classes.tag}>{t('job.attemptN', { n: data.attempt })}</span>}
        </span>
      }
      actions={<Actions job={data} />}
    >
      <Remark job={data} />
      <Progress job={data} />
      <div className={classes.columns}>
        <div className={classes.main}>
          {type?.series && type.series.length > 0 && <LiveCurves job={data} />}
          <section className={classes.log} aria-label={t('log.label')}>
            <LogViewer
              jobId={id}
              active={!hasEnded(data)}
              hash={hash}
              onHash={(next) => void navigate({ hash: next }, { replace: true, preventScrollReset: true })}
            />
          </section>
        </div>
        <Details job={data} type={type} />
      </div>
    </Page>
  );
}
