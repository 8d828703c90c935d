import { Anchor, Button, Checkbox, Text } from '@mantine/core';
import { IconChartLine, IconColumns, IconListSearch } from '@tabler/icons-react';
import type { ColumnDef, RowSelectionState } from '@tanstack/react-table';
import { useMemo, useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import type { BacktestRow } from '@/shared/api/types';
import { useBacktests } from '@/shared/api/workspace';
import { Gain, Time } from '@/shared/components/Bits';
import { DataTable } from '@/shared/components/DataTable';
import { MoreRows } from '@/shared/components/MoreRows';
import { ErrorState, LoadingState, Notice } from '@/shared/components/Notice';
import { Page, Panel } from '@/shared/components/Page';
import { TickerFilter } from '@/shared/components/TickerFilter';
import { useT } from '@/shared/i18n';
import { formatDay, formatNumber, formatPercent } from '@/shared/lib/format';

const kMost = 6;

export function Component() {
  const t = useT();
  const [search] = useSearchParams();
  const ticker = search.get('ticker') ?? undefined;
  const backtests = useBacktests(ticker);
  const [selection, setSelection] = useState<RowSelectionState>({});
  const rows = useMemo(() => backtests.data?.pages.flatMap((page) => page.rows) ?? [], [backtests.data]);
  const chosen = Object.keys(selection).filter((id) => selection[id]);
  const can = chosen.length >= 2 && chosen.length <= kMost;
  const columns = useMemo<ColumnDef<BacktestRow>[]>(() => {
    const numeric = (id: string, header: string, cell: (row: BacktestRow) => React.ReactNode): ColumnDef<BacktestRow> => ({
      id,
      header,
      meta: { numeric: true },
      cell: ({ row }) => cell(row.original),
    });
    return [
      {
        id: 'select',
        header: '',
        meta: { width: 36 },
        cell: ({ row }) => (
          <Checkbox
            size="xs"
            aria-label={t('jobs.select', { id: row.original.bt_run_id })}
            checked={row.getIsSelected()}
            onChange={row.getToggleSelectedHandler()}
          />
        ),
      },
      {
        id: 'ticker',
        header: t('model.ticker'),
        cell: ({ row }) => <Text span fw={600} size="sm">{row.original.ticker ?? '–'}</Text>,
      },
      {
        id: 'id',
        header: t('noun.backtest'),
        cell: ({ row: { original } }) => (
          <Anchor component={Link} to={`/backtests/${original.bt_run_id}`} size="sm" className="mono">
            {original.bt_run_id}
          </Anchor>
        ),
      },
      {
        id: 'period',
        header: t('backtests.period'),
        cell: ({ row: { original } }) => (
          <span className="num" style={{ whiteSpace: 'nowrap' }}>
            {formatDay(original.start_date)} – {formatDay(original.end_date)}
          </span>
        ),
      },
      numeric('return', t('backtests.total_return'), (row) => <Gain value={row.total_return}>{formatPercent(row.total_return)}</Gain>),
      numeric('cagr', 'CAGR', (row) => <Gain value={row.cagr}>{formatPercent(row.cagr)}</Gain>),
      numeric('mdd', t('backtests.max_drawdown'), (row) => formatPercent(row.max_drawdown)),
      numeric('win', t('backtests.win_rate'), (row) => formatPercent(row.win_rate)),
      numeric('trades', t('backtests.trade_count'), (row) => formatNumber(row.trade_count)),
      { id: 'when', header: t('job.created'), cell: ({ row }) => <Time value={row.original.timestamp} /> },
    ];
  }, [t]);
  return (
    <Page
      title={t('nav.backtests')}
      actions={
        <Button
          variant="default"
          leftSection={<IconColumns size={15} />}
          component={Link}
          to={`/backtests/compare?ids=${chosen.join(',')}`}
          data-disabled={!can || undefined}
          aria-disabled={!can}
          onClick={(event) => {
            if (!can) event.preventDefault();
          }}
          title={t('compare.upTo', { n: kMost })}
        >
          {chosen.length ? t('backtests.overlayN', { n: chosen.length }) : t('backtests.overlay')}
        </Button>
      }
    >
      <TickerFilter />
      <Panel flush label={t('nav.backtests')}>
        {backtests.isPending ? (
          <LoadingState lines={10} />
        ) : backtests.isError && rows.length === 0 ? (
          <ErrorState error={backtests.error} retry={() => void backtests.refetch()} />
        ) : rows.length === 0 ? (
          ticker ? (
            <Notice icon={IconListSearch} title={t('backtests.noMatch', { ticker })} />
          ) : (
            <Notice
              icon={IconChartLine}
              title={t('backtests.empty')}
              text={t('backtests.empty.text')}
              action={<Button component={Link} to="/actions">{t('jobs.new')}</Button>}
            />
          )
        ) : (
          <>
            <DataTable
              label={t('nav.backtests')}
              data={rows}
              columns={columns}
              rowId={(row) => row.bt_run_id}
              minWidth={1040}
              selection={selection}
              onSelectionChange={setSelection}
            />
            <MoreRows
              shown={rows.length}
              total={backtests.data?.pages[0]?.total ?? rows.length}
              hasMore={backtests.hasNextPage}
              busy={backtests.isFetchingNextPage}
              load={() => void backtests.fetchNextPage()}
            />
          </>
        )}
      </Panel>
    </Page>
  );
}
