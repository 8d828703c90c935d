import { Group, Select } from '@mantine/core';
import { IconColumns } from '@tabler/icons-react';
import { useQueries } from '@tanstack/react-query';
import { useMemo } from 'react';
import { Link, useSearchParams } from 'react-router';
import { runQuery, useRuns } from '@/shared/api/workspace';
import { DiffTable } from '@/shared/components/DiffTable';
import { ErrorState, LoadingState, Notice } from '@/shared/components/Notice';
import { Page } from '@/shared/components/Page';
import { useT } from '@/shared/i18n';
import { compare } from '@/shared/lib/diff';

/** Two runs' configurations and metrics; only what differs, at first. */
export function Component() {
  const t = useT();
  const [search, setSearch] = useSearchParams();
  const [left = '', right = ''] = (search.get('ids') ?? '').split(',');
  const known = useRuns(undefined, 500).data;
  const options = useMemo(
    () => [...new Set([...(known?.pages.flatMap((page) => page.rows.map((run) => run.run_id)) ?? []), left, right])].filter(Boolean),
    [known, left, right],
  );
  const ids = [left, right].filter(Boolean);
  const runs = useQueries({ queries: ids.map((id) => runQuery(id)) });
  const failed = runs.find((run) => run.isError);
  const ready = runs.flatMap((run) => (run.data ? [run.data] : []));
  const choose = (index: 0 | 1) => (value: string | null) =>
    setSearch({ ids: (index === 0 ? [value ?? '', right] : [left, value ?? '']).join(',') }, { replace: true });
  const heads = ready.map((run) => (
    <Link key={run.run_id} to={`/runs/${run.run_id}`} className="mono">
      {run.run_id}
    </Link>
  ));
  return (
    <Page title={t('runs.compare')} parent={{ to: '/runs', label: t('nav.runs') }}>
      <Group gap="sm">
        {([left, right] as const).map((value, index) => (
          <Select
            key={index}
            size="xs"
            w={280}
            searchable
            limit={100}
            aria-label={t('compare.side', { n: index + 1 })}
            placeholder={t('compare.side', { n: index + 1 })}
            data={options}
            value={value || null}
            onChange={choose(index as 0 | 1)}
          />
        ))}
      </Group>
      {ids.length < 2 ? (
        <Notice icon={IconColumns} title={t('compare.choose')} text={t('runs.compare.hint')} />
      ) : failed ? (
        <ErrorState error={failed.error} retry={() => void failed.refetch()} />
      ) : ready.length < 2 ? (
        <LoadingState />
      ) : (
        <>
          <DiffTable title={t('runs.config')} rows={compare(ready.map((run) => run.config ?? {}))} heads={heads} />
          <DiffTable title={t('runs.metrics')} rows={compare(ready.map((run) => run.metrics ?? {}))} heads={heads} />
        </>
      )}
    </Page>
  );
}
