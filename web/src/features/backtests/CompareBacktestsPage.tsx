import { MultiSelect } from '@mantine/core';
import { IconColumns } from '@tabler/icons-react';
import { useQueries } from '@tanstack/react-query';
import { useMemo } from 'react';
import { Link, useSearchParams } from 'react-router';
import type { Backtest } from '@/shared/api/types';
import { backtestQuery, useBacktests } from '@/shared/api/workspace';
import { Chart } from '@/shared/components/Chart';
import { DiffTable } from '@/shared/components/DiffTable';
import { ErrorState, LoadingState, Notice } from '@/shared/components/Notice';
import { Page, Panel } from '@/shared/components/Page';
import { useT } from '@/shared/i18n';
import { compare } from '@/shared/lib/diff';
import { shortId } from '@/shared/lib/format';
import { overlayOption } from './curves';

const kMost = 6;
const nameOf = (backtest: Backtest) => `${backtest.ticker ?? ''} ${shortId(backtest.bt_run_id)}`.trim();

export function Component() {
  const t = useT();
  const [search, setSearch] = useSearchParams();
  const ids = useMemo(
    () => (search.get('ids') ?? '').split(',').filter(Boolean).slice(0, kMost),
    [search],
  );
  const known = useBacktests(undefined, 500).data?.pages.flatMap((page) => page.rows);
  const data = useMemo(() => {
    const options = (known ?? []).map((row) => ({
      value: row.bt_run_id,
      label: `${row.ticker ?? '?'} · ${shortId(row.bt_run_id)}`,
    }));
    for (const id of ids) if (!options.some((option) => option.value === id)) options.push({ value: id, label: shortId(id) });
    return options;
  }, [known, ids]);
  const queries = useQueries({ queries: ids.map((id) => backtestQuery(id)) });
  const failed = queries.find((query) => query.isError);
  const loaded = queries.flatMap((query) => (query.data ? [query.data] : []));
  const ready = loaded.length === ids.length;
  const stamp = queries.map((query) => query.dataUpdatedAt).join();
  const option = useMemo(
    () => overlayOption(loaded.map((each) => ({ name: nameOf(each), points: each.equity_curve }))),
    // The queries' results are new objects with each drawing; their times tell whether they changed.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [stamp],
  );
  return (
    <Page title={t('compare.backtests')} parent={{ to: '/backtests', label: t('nav.backtests') }}>
      <MultiSelect
        size="xs"
        searchable
        limit={100}
        maxValues={kMost}
        aria-label={t('compare.choose')}
        placeholder={ids.length ? '' : t('compare.choose')}
        data={data}
        value={ids}
        onChange={(next) => setSearch(next.length ? { ids: next.join(',') } : {}, { replace: true })}
      />
      {ids.length === 0 ? (
        <Notice icon={IconColumns} title={t('compare.choose')} text={t('backtests.overlay.text')} />
      ) : failed ? (
        <ErrorState error={failed.error} retry={() => void failed.refetch()} />
      ) : !ready ? (
        <LoadingState lines={10} />
      ) : (
        <>
          <Panel title={t('backtests.gain')} flush>
            <Chart height={480} option={option} label={t('compare.backtests')} />
          </Panel>
          <DiffTable
            title={t('backtests.metrics')}
            onlyDifferences={false}
            rows={compare(loaded.map((each) => each.metrics ?? {}))}
            heads={loaded.map((each) => (
              <Link key={each.bt_run_id} to={`/backtests/${each.bt_run_id}`}>
                {nameOf(each)}
              </Link>
            ))}
          />
          <DiffTable
            title={t('runs.config')}
            rows={compare(loaded.map((each) => each.config ?? {}))}
            heads={loaded.map((each) => nameOf(each))}
          />
        </>
      )}
    </Page>
  );
}
