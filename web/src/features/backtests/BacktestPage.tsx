import { Alert, Anchor, Button, Group, SimpleGrid, Table, Tabs, Text } from '@mantine/core';
import { IconChartLine, IconFileOff, IconPlayerPlay } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { Link, useParams } from 'react-router';
import { useJobTypes } from '@/shared/api/jobs';
import type { Backtest, Json, Trade } from '@/shared/api/types';
import { backtestQuery, isMissing, useTrades } from '@/shared/api/workspace';
import { Copy, Gain } from '@/shared/components/Bits';
import { Chart } from '@/shared/components/Chart';
import { ConfigList } from '@/shared/components/Code';
import { MoreRows } from '@/shared/components/MoreRows';
import { ErrorState, LoadingState, Notice } from '@/shared/components/Notice';
import { Facts, Page, Panel } from '@/shared/components/Page';
import { RelatedJobs } from '@/shared/components/RelatedJobs';
import { titleOf } from '@/shared/form/ui_schema';
import { ScrollX } from '@/shared/components/ScrollX';
import { columnName, useI18n, useT } from '@/shared/i18n';
import type { MessageKey } from '@/shared/i18n';
import { actionHref, takers } from '@/shared/lib/actions';
import { show } from '@/shared/lib/diff';
import { formatDay, formatNumber, formatPercent } from '@/shared/lib/format';
import { equityOption } from './curves';
import classes from './Backtest.module.css';

const kTiles: { name: string; label: MessageKey; percent: boolean; gain?: boolean }[] = [
  { name: 'total_return', label: 'backtests.total_return', percent: true, gain: true },
  { name: 'cagr', label: 'backtests.cagr', percent: true, gain: true },
  { name: 'max_drawdown', label: 'backtests.max_drawdown', percent: true },
  { name: 'win_rate', label: 'backtests.win_rate', percent: true },
  { name: 'trade_count', label: 'backtests.trade_count', percent: false },
  { name: 'final_value', label: 'backtests.final_value', percent: false },
  { name: 'total_injected', label: 'backtests.total_injected', percent: false },
  { name: 'exposure_rate', label: 'backtests.exposure_rate', percent: true },
];

function Tiles({ backtest }: { backtest: Backtest }) {
  const t = useT();
  const value = (name: string) => {
    const found = backtest.metrics?.[name];
    return typeof found === 'number' ? found : null;
  };
  return (
    <SimpleGrid cols={{ base: 2, sm: 4, xl: 8 }} spacing="sm">
      {kTiles.map(({ name, label, percent, gain }) => {
        const number = value(name);
        const text = percent ? formatPercent(number) : formatNumber(number, name === 'trade_count' ? 0 : 2);
        return (
          <div key={name} className={classes.tile}>
            <Text size="xs" c="dimmed">
              {t(label)}
            </Text>
            <div className={`num ${classes.value}`} title={text}>
              {gain ? <Gain value={number}>{text}</Gain> : text}
            </div>
          </div>
        );
      })}
    </SimpleGrid>
  );
}

function EquityChart({ backtest }: { backtest: Backtest }) {
  const t = useT();
  const { equity_curve: points, mdd_window: window } = backtest;
  const option = useMemo(
    () =>
      equityOption(points, window, {
        portfolio: t('backtests.portfolio'),
        benchmark: t('backtests.benchmark'),
        drawdown: t('backtests.drawdown'),
        worst: t('backtests.worst'),
      }),
    [points, window, t],
  );
  if (points.length === 0) {
    return <Notice compact icon={IconChartLine} title={t('backtests.noCurve')} text={t('backtests.noCurve.text')} />;
  }
  return (
    <>
      <Chart
        height={460}
        option={option}
        label={t('backtests.chart', {
          from: formatDay(points[0]?.date),
          to: formatDay(points.at(-1)?.date),
          last: formatNumber(points.at(-1)?.portfolio_value, 2),
        })}
      />
      {window?.mdd_peak_date && (
        <Text size="xs" c="dimmed" px="md" pb="sm" className="num">
          {t('backtests.window', {
            peak: formatDay(window.mdd_peak_date),
            trough: formatDay(window.mdd_trough_date),
            recovery: window.mdd_recovery_date ? formatDay(window.mdd_recovery_date) : t('backtests.notRecovered'),
          })}
        </Text>
      )}
    </>
  );
}

const kDates = /date/;
const kPercent = /(^return$|pct$)/;
const kMoney = /(price|cost|value|profit)/;

function cell(name: string, value: Json | undefined): React.ReactNode {
  if (value === null || value === undefined || value === '') return '–';
  if (typeof value !== 'number') return kDates.test(name) ? formatDay(show(value)) : show(value);
  if (kPercent.test(name)) return <Gain value={value}>{formatPercent(value)}</Gain>;
  if (name === 'profit') return <Gain value={value}>{formatNumber(value, 2)}</Gain>;
  return formatNumber(value, kMoney.test(name) ? 2 : undefined);
}

/** What each trade has, whoever wrote the file. */
const kCommon = ['entry_date', 'exit_date', 'pnl_pct', 'holding_days', 'exit_reason'];

/** The columns of the file; the common ones where it has none of its own. */
function columnsOf(rows: Trade[]): string[] {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const own = names.filter((name) => !kCommon.includes(name) || name === 'exit_reason');
  return own.length > 1 ? own : names;
}

function TradeTable({ rows, label, names }: { rows: Trade[]; label: string; names: string[] }) {
  const t = useT();
  const numeric = new Set(names.filter((name) => rows.some((row) => typeof row[name] === 'number')));
  return (
    <ScrollX minWidth={names.length * 96} label={label}>
      <Table aria-label={label} fz="sm">
        <Table.Thead>
          <Table.Tr>
            {names.map((name) => (
              <Table.Th key={name} scope="col" ta={numeric.has(name) ? 'right' : 'left'} title={name} style={{ whiteSpace: 'nowrap' }}>
                {columnName(t, 'trade', name)}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row, index) => (
            <Table.Tr key={index}>
              {names.map((name) => (
                <Table.Td key={name} ta={numeric.has(name) ? 'right' : 'left'} className="num" style={{ whiteSpace: 'nowrap' }}>
                  {cell(name, row[name])}
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </ScrollX>
  );
}

function Trades({ backtest }: { backtest: Backtest }) {
  const t = useT();
  const all = useTrades(backtest.bt_run_id);
  const rows = all.data?.pages.flatMap((page) => page.rows) ?? [];
  const none = <Text size="sm" c="dimmed" p="md">{t('backtests.noTrades')}</Text>;
  return (
    <Panel flush label={t('backtests.trades')}>
      <Tabs defaultValue="recent" keepMounted={false}>
        <Tabs.List px={8}>
          <Tabs.Tab value="recent">{t('backtests.recentTrades')}</Tabs.Tab>
          <Tabs.Tab value="all">{t('backtests.allTrades')}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="recent">
          {backtest.recent_trades.length ? (
            <TradeTable
              rows={backtest.recent_trades}
              names={kCommon}
              label={t('backtests.recentTrades')}
            />
          ) : (
            none
          )}
        </Tabs.Panel>
        <Tabs.Panel value="all">
          {all.isPending ? (
            <LoadingState />
          ) : all.isError && rows.length === 0 ? (
            <ErrorState compact error={all.error} retry={() => void all.refetch()} />
          ) : rows.length === 0 ? (
            none
          ) : (
            <>
              <TradeTable rows={rows} names={columnsOf(rows)} label={t('backtests.allTrades')} />
              <MoreRows
                shown={rows.length}
                total={all.data?.pages[0]?.total ?? rows.length}
                hasMore={all.hasNextPage}
                busy={all.isFetchingNextPage}
                load={() => void all.fetchNextPage()}
              />
            </>
          )}
        </Tabs.Panel>
      </Tabs>
    </Panel>
  );
}

function strategyValue(name: string, value: Json): string {
  if (typeof value === 'number' && /pct|low|high/.test(name)) return formatPercent(value);
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
    return Object.entries(value).map(([key, inner]) => `${key}: ${show(inner)}`).join(', ');
  }
  return show(value);
}

export function Component() {
  const { t, language } = useI18n();
  const { id = '' } = useParams();
  const query = useQuery(backtestQuery(id));
  const types = useJobTypes().data;
  const backtest = query.data;
  const metrics = backtest?.metrics;
  const text = (value: Json | undefined) => (typeof value === 'string' ? value : null);
  return (
    <Page
      title={backtest?.ticker ? `${backtest.ticker} · ${t('noun.backtest')}` : id}
      parent={{ to: '/backtests', label: t('nav.backtests') }}
      pending={query.isPending}
      heading={
        <span style={{ display: 'inline-flex', alignItems: 'center', gap: 8, flexWrap: 'wrap' }}>
          {backtest?.ticker && <span>{backtest.ticker}</span>}
          <span className="mono" style={{ fontSize: '0.95rem', fontWeight: 500 }}>{id}</span>
          <Copy value={id} label={t('job.copyId')} />
        </span>
      }
      subtitle={
        metrics && (
          <span className="num">
            {formatDay(text(metrics.start))} – {formatDay(text(metrics.end))}
          </span>
        )
      }
      actions={
        backtest && (
          <Group gap={8}>
            {backtest.run_id && (
              <Button component={Link} to={`/runs/${backtest.run_id}`} variant="default">
                {t('job.view', { what: t('noun.run') })}
              </Button>
            )}
            {backtest.ticker &&
              takers(types, 'tickers').map((type) => (
                <Button
                  key={type.type}
                  variant="default"
                  leftSection={<IconPlayerPlay size={15} />}
                  component={Link}
                  to={actionHref(type, { tickers: backtest.ticker })}
                >
                  {t('backtests.again', { title: titleOf(type, language) })}
                </Button>
              ))}
          </Group>
        )
      }
    >
      {query.isPending ? (
        <LoadingState lines={10} />
      ) : !backtest ? (
        isMissing(query.error) ? (
          <Notice
            icon={IconFileOff}
            title={t('backtests.missing')}
            text={t('backtests.missing.text')}
            action={<Button component={Link} to="/backtests">{t('nav.backtests')}</Button>}
          />
        ) : (
          <ErrorState error={query.error} retry={() => void query.refetch()} />
        )
      ) : (
        <>
          {backtest.warnings && backtest.warnings.length > 0 && (
            <Alert color="yellow" title={t('runs.warnings')}>
              {backtest.warnings.map((warning) => (
                <div key={warning}>{warning}</div>
              ))}
            </Alert>
          )}
          <Tiles backtest={backtest} />
          <Panel
            title={t('backtests.equity')}
            flush
            aside={
              <Anchor component={Link} to={`/backtests/compare?ids=${id}`} size="xs">
                {t('backtests.overlay')}
              </Anchor>
            }
          >
            <EquityChart backtest={backtest} />
          </Panel>
          <Trades backtest={backtest} />
          <div className={classes.pair}>
            <Panel title={t('backtests.strategy')}>
              {backtest.strategy_summary ? (
                <Facts
                  rows={Object.entries(backtest.strategy_summary)
                    .filter(([, value]) => value !== null)
                    .map(([name, value]) => [name, strategyValue(name, value)])}
                />
              ) : (
                <Text size="sm" c="dimmed">{t('backtests.noStrategy')}</Text>
              )}
            </Panel>
            <RelatedJobs jobs={backtest.jobs} />
          </div>
          {[backtest.summary_text, backtest.end_date_summary_text].some(Boolean) && (
            <Panel title={t('backtests.summary')}>
              {[backtest.summary_text, backtest.end_date_summary_text].filter(Boolean).map((summary, index) => (
                <pre key={index} className={`mono ${classes.summary}`}>
                  {summary}
                </pre>
              ))}
            </Panel>
          )}
          {backtest.config !== null && backtest.config !== undefined && (
            <Panel title={t('runs.config')}>
              <ConfigList value={backtest.config} />
            </Panel>
          )}
        </>
      )}
    </Page>
  );
}
