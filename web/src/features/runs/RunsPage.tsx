import { Anchor, Button, Checkbox, Text } from '@mantine/core';
import { IconColumns, IconListSearch, IconStack2 } from '@tabler/icons-react';
import type { ColumnDef, RowSelectionState } from '@tanstack/react-table';
import { useMemo, useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import type { RunRow } from '@/shared/api/types';
import { useRuns } from '@/shared/api/workspace';
import { Time } from '@/shared/components/Bits';
import { DataTable } from '@/shared/components/DataTable';
import { MoreRows } from '@/shared/components/MoreRows';
import { ErrorState, LoadingState, Notice } from '@/shared/components/Notice';
import { Page, Panel } from '@/shared/components/Page';
import { TickerFilter } from '@/shared/components/TickerFilter';
import { useT } from '@/shared/i18n';
import { formatDuration, parseTime } from '@/shared/lib/format';

export function Component() {
  const t = useT();
  const [search] = useSearchParams();
  const ticker = search.get('ticker') ?? undefined;
  const runs = useRuns(ticker);
  const [selection, setSelection] = useState<RowSelectionState>({});
  const rows = useMemo(() => runs.data?.pages.flatMap((page) => page.rows) ?? [], [runs.data]);
  const chosen = Object.keys(selection).filter((id) => selection[id]);
  const columns = useMemo<ColumnDef<RunRow>[]>(
    () => [
      {
        id: 'select',
        header: '',
        meta: { width: 36 },
        cell: ({ row }) => (
          <Checkbox
            size="xs"
            aria-label={t('jobs.select', { id: row.original.run_id })}
            checked={row.getIsSelected()}
            onChange={row.getToggleSelectedHandler()}
          />
        ),
      },
      {
        id: 'run',
        header: t('noun.run'),
        cell: ({ row: { original } }) => (
          <Anchor component={Link} to={`/runs/${original.run_id}`} size="sm" className="mono">
            {original.run_id}
          </Anchor>
        ),
      },
      { id: 'tickers', header: t('runs.tickers'), cell: ({ row }) => row.original.tickers.join(', ') || '–' },
      {
        id: 'status',
        header: t('job.status'),
        cell: ({ row: { original } }) => (
          <Text span size="sm" c={original.status === 'COMPLETED' ? undefined : 'dimmed'}>
            {original.status === 'COMPLETED' ? t('runs.completed') : (original.status ?? t('runs.unfinished'))}
          </Text>
        ),
      },
      { id: 'start', header: t('job.started'), cell: ({ row }) => <Time value={row.original.start_time} /> },
      {
        id: 'duration',
        header: t('job.duration'),
        meta: { numeric: true },
        cell: ({ row: { original } }) => {
          const from = parseTime(original.start_time);
          const to = parseTime(original.end_time);
          return formatDuration(from !== null && to !== null ? (to - from) / 1000 : null);
        },
      },
    ],
    [t],
  );
  return (
    <Page
      title={t('nav.runs')}
      actions={
        <Button
          variant="default"
          leftSection={<IconColumns size={15} />}
          component={Link}
          to={`/runs/compare?ids=${chosen.join(',')}`}
          data-disabled={chosen.length !== 2 || undefined}
          aria-disabled={chosen.length !== 2}
          onClick={(event) => {
            if (chosen.length !== 2) event.preventDefault();
          }}
          title={t('runs.compare.hint')}
        >
          {t('runs.compare')}
        </Button>
      }
    >
      <TickerFilter />
      <Panel flush label={t('nav.runs')}>
        {runs.isPending ? (
          <LoadingState lines={10} />
        ) : runs.isError && rows.length === 0 ? (
          <ErrorState error={runs.error} retry={() => void runs.refetch()} />
        ) : rows.length === 0 ? (
          ticker ? (
            <Notice icon={IconListSearch} title={t('runs.noMatch', { ticker })} />
          ) : (
            <Notice
              icon={IconStack2}
              title={t('runs.empty')}
              text={t('runs.empty.text')}
              action={<Button component={Link} to="/actions">{t('jobs.new')}</Button>}
            />
          )
        ) : (
          <>
            <DataTable
              label={t('nav.runs')}
              data={rows}
              columns={columns}
              rowId={(row) => row.run_id}
              selection={selection}
              onSelectionChange={setSelection}
            />
            <MoreRows
              shown={rows.length}
              total={runs.data?.pages[0]?.total ?? rows.length}
              hasMore={runs.hasNextPage}
              busy={runs.isFetchingNextPage}
              load={() => void runs.fetchNextPage()}
            />
          </>
        )}
      </Panel>
    </Page>
  );
}
