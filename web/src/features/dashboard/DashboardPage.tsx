import { Anchor, Badge, Button, Group, SimpleGrid, Text } from '@mantine/core';
import { IconChartLine, IconPlayerPlay, IconStack2, IconTrophy } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { useJobs, useJobTypes, waitsFor } from '@/shared/api/jobs';
import { useQueue } from '@/shared/api/queue';
import { isMissing, useBacktests, useBest, useRuns } from '@/shared/api/workspace';
import type { BestModel, JobRow } from '@/shared/api/types';
import { Duration, Gain, JobLinks, ProgressBar, Time } from '@/shared/components/Bits';
import { ErrorState, LoadingState, Notice } from '@/shared/components/Notice';
import { Page, Panel } from '@/shared/components/Page';
import { StatusBadge } from '@/shared/components/StatusBadge';
import { titleOf } from '@/shared/form/ui_schema';
import { useI18n, useT } from '@/shared/i18n';
import { actionHref, inSentence, takers } from '@/shared/lib/actions';
import { formatDay, formatDuration, formatNumber, formatPercent } from '@/shared/lib/format';
import classes from './DashboardPage.module.css';

const kShown = 6;

function ViewAll({ to, label }: { to: string; label: string }) {
  const t = useT();
  return (
    <Anchor component={Link} to={to} size="xs" aria-label={`${t('action.viewAll')}: ${label}`}>
      {t('action.viewAll')}
    </Anchor>
  );
}

function Tile({ label, value, hint }: { label: string; value: ReactNode; hint?: ReactNode }) {
  return (
    <div className={classes.tile}>
      <Text size="xs" c="dimmed">
        {label}
      </Text>
      <div className={`num ${classes.value}`}>{value}</div>
      <Text size="xs" c="dimmed" className="num" component="div" mih={18}>
        {hint}
      </Text>
    </div>
  );
}

function QueueTiles() {
  const { t, said } = useI18n();
  const queue = useQueue().data;
  const gpus = queue?.gpus ?? [];
  return (
    <SimpleGrid cols={{ base: 2, sm: gpus.length ? 4 : 3 }} spacing="md">
      <Tile
        label={t('dashboard.running')}
        value={queue ? formatNumber(queue.running.length) : '–'}
        hint={queue && t('dashboard.slots', { used: queue.slots.used, total: queue.slots.total })}
      />
      <Tile
        label={t('dashboard.queued')}
        value={queue ? formatNumber(queue.queued) : '–'}
        hint={said(queue?.waiting[0]?.waiting_for ?? '')}
      />
      <Tile
        label={t('dashboard.queue')}
        value={queue ? t(`queue.${queue.mode}`) : '–'}
        hint={queue && queue.mode !== 'open' ? <Link to="/admin">{t('nav.admin')}</Link> : t('dashboard.queue.ok')}
      />
      {gpus.length > 0 && (
        <Tile
          label="GPU"
          value={`${gpus.filter((gpu) => gpu.jobs > 0).length} / ${gpus.length}`}
          hint={t('dashboard.gpus')}
        />
      )}
    </SimpleGrid>
  );
}

function ModelCard({ model, backtest }: { model: BestModel; backtest: string | undefined }) {
  const { t, language } = useI18n();
  const types = useJobTypes().data;
  const passed = model.best_status === 'PASS';
  return (
    <article className={classes.card} aria-label={model.ticker ?? '–'}>
      <Group justify="space-between" wrap="nowrap" gap={8}>
        <Text fw={650} size="lg" component="h3" m={0}>
          {model.ticker}
        </Text>
        <Badge color={passed ? 'teal' : 'yellow'} title={model.best_status ?? ''} className={classes.badge}>
          {passed ? t('model.pass') : t('model.noPass')}
        </Badge>
      </Group>
      <Group gap={24} mt={8} wrap="nowrap">
        <div>
          <div className={`num ${classes.big}`}>{formatPercent(model.precision)}</div>
          <Text size="xs" c="dimmed">{t('model.precision')}</Text>
        </div>
        <div>
          <div className={`num ${classes.big}`}>{formatNumber(model.lift, 2)}×</div>
          <Text size="xs" c="dimmed">{t('model.lift')}</Text>
        </div>
      </Group>
      <dl className={`num ${classes.facts}`}>
        <dt>{t('model.label')}</dt>
        <dd>{t('model.labelValue', { days: formatNumber(model.label_horizon_days), threshold: formatPercent(model.label_threshold, 0) })}</dd>
        <dt>{t('model.positiveRate')}</dt>
        <dd>{formatPercent(model.positive_rate)}</dd>
        <dt>{t('model.buyRate')}</dt>
        <dd>{formatPercent(model.buy_rate)}</dd>
        <dt>TP / FP</dt>
        <dd>{formatNumber(model.tp)} / {formatNumber(model.fp)}</dd>
      </dl>
      <Group gap={6} mt="auto" pt={10}>
        <Button component={Link} to={`/runs/${model.run_id}`} variant="default" size="compact-sm">
          {t('noun.run')}
        </Button>
        {backtest && (
          <Button component={Link} to={`/backtests/${backtest}`} variant="default" size="compact-sm">
            {t('noun.backtest')}
          </Button>
        )}
        {model.model_path &&
          takers(types, 'model_path').map((type) => (
            <Button
              key={type.type}
              component={Link}
              variant="light"
              size="compact-sm"
              to={actionHref(type, { tickers: model.ticker, model_path: model.model_path })}
            >
              {t('model.runWith', { title: inSentence(titleOf(type, language)) })}
            </Button>
          ))}
      </Group>
    </article>
  );
}

function BestModels() {
  const t = useT();
  const best = useBest();
  const types = useJobTypes().data;
  const backtests = useBacktests(undefined, 200).data?.pages[0]?.rows;
  const newest = new Map<string, string>();
  for (const row of backtests ?? []) {
    if (row.ticker && !newest.has(row.ticker)) newest.set(row.ticker, row.bt_run_id);
  }
  const first = types?.[0];
  return (
    <Panel title={t('dashboard.best')} aside={<ViewAll to="/registry" label={t('nav.registry')} />}>
      {best.isPending ? (
        <LoadingState lines={9} />
      ) : best.isError || best.data.length === 0 ? (
        best.isError && !isMissing(best.error) ? (
          <ErrorState compact error={best.error} retry={() => void best.refetch()} />
        ) : (
          <Notice
            compact
            icon={IconTrophy}
            title={t('registry.empty')}
            text={best.error ? best.error.message : t('registry.empty.text')}
            action={
              first && (
                <Button component={Link} to="/actions" variant="default">
                  {t('jobs.new')}
                </Button>
              )
            }
          />
        )
      ) : (
        <div className={classes.cards}>
          {best.data.map((model) => (
            <ModelCard key={model.ticker ?? ''} model={model} backtest={newest.get(model.ticker ?? '')} />
          ))}
        </div>
      )}
    </Panel>
  );
}

function JobLine({ job, titles }: { job: JobRow; titles: Map<string, string> }) {
  const { said } = useI18n();
  const waits = waitsFor(job);
  return (
    <li className={classes.line}>
      <span className={classes.status}>
        <StatusBadge status={job.status} cancelling={job.cancel_requested} waits={waits} />
      </span>
      <span className={classes.grow}>
        <Anchor component={Link} to={`/jobs/${job.job_id}`} size="sm" className="ellipsis" display="block" title={job.job_id}>
          {job.name || titles.get(job.job_type) || job.job_type}
        </Anchor>
        <span className={classes.below}>
          <Time value={job.created_at} />
          {waits ? (
            <span className="ellipsis" title={said(waits)}>
              {said(waits)}
            </span>
          ) : (
            <JobLinks links={job.links} max={1} />
          )}
        </span>
      </span>
      {job.status === 'RUNNING' && (
        <span className={classes.progress}>
          <ProgressBar job={job} />
        </span>
      )}
      <span className={classes.time}>
        {job.status === 'RUNNING' && typeof job.progress?.eta_sec === 'number' ? (
          <Text span size="xs" c="dimmed" className="num">
            ~{formatDuration(Math.round(job.progress.eta_sec))}
          </Text>
        ) : (
          <Duration job={job} />
        )}
      </span>
    </li>
  );
}

function Jobs() {
  const { t, language } = useI18n();
  const types = useJobTypes().data;
  const titles = new Map((types ?? []).map((type) => [type.type, titleOf(type, language)]));
  const running = useJobs({ status: 'RUNNING' }, 20);
  const recent = useJobs({}, 8);
  const active = running.data?.pages[0]?.rows ?? [];
  const rows = recent.data?.pages[0]?.rows ?? [];
  return (
    <>
      <Panel title={t('dashboard.now')} flush>
        {running.isError && !running.data ? (
          <ErrorState compact error={running.error} retry={() => void running.refetch()} />
        ) : active.length === 0 ? (
          <Text size="sm" c="dimmed" px="md" py="sm">
            {running.isPending ? t('loading') : t('dashboard.idle')}
          </Text>
        ) : (
          <ul className={classes.list}>
            {active.map((job) => (
              <JobLine key={job.job_id} job={job} titles={titles} />
            ))}
          </ul>
        )}
      </Panel>
      <Panel title={t('dashboard.recent')} aside={<ViewAll to="/jobs" label={t('nav.jobs')} />} flush>
        {recent.isPending ? (
          <LoadingState lines={12} />
        ) : recent.isError && !recent.data ? (
          <ErrorState compact error={recent.error} retry={() => void recent.refetch()} />
        ) : rows.length === 0 ? (
          <Notice
            compact
            icon={IconPlayerPlay}
            title={t('jobs.empty')}
            text={t('jobs.empty.text')}
            action={<Button component={Link} to="/actions">{t('jobs.new')}</Button>}
          />
        ) : (
          <ul className={classes.list}>
            {rows.slice(0, 8).map((job) => (
              <JobLine key={job.job_id} job={job} titles={titles} />
            ))}
          </ul>
        )}
      </Panel>
    </>
  );
}

function RecentRuns() {
  const t = useT();
  const runs = useRuns(undefined, kShown);
  const rows = runs.data?.pages[0]?.rows ?? [];
  return (
    <Panel title={t('dashboard.runs')} aside={<ViewAll to="/runs" label={t('nav.runs')} />} flush>
      {runs.isPending ? (
        <LoadingState lines={4} />
      ) : runs.isError && !runs.data ? (
        <ErrorState compact error={runs.error} retry={() => void runs.refetch()} />
      ) : rows.length === 0 ? (
        <Notice compact icon={IconStack2} title={t('runs.empty')} text={t('runs.empty.text')} />
      ) : (
        <ul className={classes.list}>
          {rows.slice(0, kShown).map((run) => (
            <li key={run.run_id} className={classes.line}>
              <Anchor component={Link} to={`/runs/${run.run_id}`} size="sm" className={`mono ellipsis ${classes.grow}`}>
                {run.run_id}
              </Anchor>
              <Text span size="xs" c="dimmed" className="ellipsis" maw={140}>
                {run.tickers.join(', ')}
              </Text>
              <span className={classes.time}><Time value={run.start_time} /></span>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

function RecentBacktests() {
  const t = useT();
  const backtests = useBacktests(undefined, kShown);
  const rows = backtests.data?.pages[0]?.rows ?? [];
  return (
    <Panel title={t('dashboard.backtests')} aside={<ViewAll to="/backtests" label={t('nav.backtests')} />} flush>
      {backtests.isPending ? (
        <LoadingState lines={4} />
      ) : backtests.isError && !backtests.data ? (
        <ErrorState compact error={backtests.error} retry={() => void backtests.refetch()} />
      ) : rows.length === 0 ? (
        <Notice compact icon={IconChartLine} title={t('backtests.empty')} text={t('backtests.empty.text')} />
      ) : (
        <ul className={classes.list}>
          {rows.slice(0, kShown).map((row) => (
            <li key={row.bt_run_id} className={classes.line}>
              <Text span fw={600} size="sm" w={56} className="ellipsis">
                {row.ticker ?? '–'}
              </Text>
              <Anchor component={Link} to={`/backtests/${row.bt_run_id}`} size="sm" className={`num ellipsis ${classes.grow}`} title={row.bt_run_id}>
                {formatDay(row.start_date)} – {formatDay(row.end_date)}
              </Anchor>
              <Text span size="sm" w={76} ta="right">
                <Gain value={row.total_return}>{formatPercent(row.total_return)}</Gain>
              </Text>
              <span className={classes.time}><Time value={row.timestamp} /></span>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

export function Component() {
  const t = useT();
  return (
    <Page
      title={t('nav.dashboard')}
      actions={
        <Button component={Link} to="/actions" leftSection={<IconPlayerPlay size={15} />}>
          {t('jobs.new')}
        </Button>
      }
    >
      <QueueTiles />
      <div className={classes.columns}>
        <div className={classes.column}>
          <BestModels />
          <RecentBacktests />
        </div>
        <div className={classes.column}>
          <Jobs />
          <RecentRuns />
        </div>
      </div>
    </Page>
  );
}
