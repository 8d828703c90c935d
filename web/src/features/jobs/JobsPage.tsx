import { ActionIcon, Button, Select, Text } from '@mantine/core';
import { IconFilterOff, IconListSearch, IconPlayerPlay, IconSearch, IconX } from '@tabler/icons-react';
import type { RowSelectionState } from '@tanstack/react-table';
import { lazy, Suspense, useMemo, useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import { useJobs, useJobTypes } from '@/shared/api/jobs';
import type { JobFilter } from '@/shared/api/jobs';
import { useLive } from '@/shared/api/live';
import { useQueue } from '@/shared/api/queue';
import { kStatuses } from '@/shared/api/types';
import type { JobRow, JobStatus } from '@/shared/api/types';
import { AddressInput } from '@/shared/components/AddressInput';
import { ErrorState, LoadingState, Notice } from '@/shared/components/Notice';
import { Page } from '@/shared/components/Page';
import { titleOf } from '@/shared/form/ui_schema';
import { useI18n } from '@/shared/i18n';
import { formatNumber } from '@/shared/lib/format';
import { JobTable } from './JobTable';
import classes from './JobsPage.module.css';

const SelectionBar = lazy(() =>
  import('./SelectionBar').then((module) => ({ default: module.SelectionBar })),
);

const kNone: JobRow[] = [];

/** The filters live in the address, so that a list can be sent to somebody. */
function useFilter() {
  const [search, setSearch] = useSearchParams();
  const status = search.get('status');
  const filter = useMemo<JobFilter>(
    () => ({
      status: kStatuses.find((known) => known === status),
      job_type: search.get('type') || undefined,
      group: search.get('group') || undefined,
      q: search.get('q') || undefined,
    }),
    [search, status],
  );
  const set = (name: string, value: string | null) =>
    setSearch(
      (old) => {
        const next = new URLSearchParams(old);
        if (value) next.set(name, value);
        else next.delete(name);
        return next;
      },
      { replace: true },
    );
  const clear = () => setSearch({}, { replace: true });
  return { filter, set, clear, any: Object.values(filter).some(Boolean) };
}

export function JobsPage() {
  const { t, language } = useI18n();
  const { filter, set, clear, any } = useFilter();
  const jobs = useJobs(filter);
  const types = useJobTypes().data;
  const groups = useQueue().data?.groups;
  const live = useLive();
  const [selection, setSelection] = useState<RowSelectionState>({});

  const rows = useMemo(() => jobs.data?.pages.flatMap((page) => page.rows) ?? kNone, [jobs.data]);
  const total = jobs.data?.pages[0]?.total ?? 0;
  const selected = useMemo(() => rows.filter((row) => selection[row.job_id]), [rows, selection]);
  const groupNames = useMemo(() => {
    const names = new Set((groups ?? []).map((group) => group.name));
    for (const row of rows) if (row.group) names.add(row.group);
    if (filter.group) names.add(filter.group);
    names.delete('');
    return [...names].sort();
  }, [groups, rows, filter.group]);

  const typeOptions = useMemo(() => {
    const options = (types ?? []).map((type) => ({ value: type.type, label: titleOf(type, language) }));
    if (filter.job_type && !options.some((option) => option.value === filter.job_type)) {
      options.push({ value: filter.job_type, label: filter.job_type });
    }
    return options;
  }, [types, filter.job_type, language]);

  return (
    <Page
      title={t('nav.jobs')}
      fixed
      actions={
        <Button component={Link} to="/actions" leftSection={<IconPlayerPlay size={15} />}>
          {t('jobs.new')}
        </Button>
      }
    >
      <div className={classes.bar}>
        <AddressInput
          className={classes.search}
          data-search
          aria-label={t('jobs.search')}
          placeholder={t('jobs.search')}
          leftSection={<IconSearch size={15} />}
          value={filter.q ?? ''}
          onChange={(value) => set('q', value)}
        />
        <Select
          size="xs"
          w={150}
          clearable
          aria-label={t('job.status')}
          placeholder={t('jobs.anyStatus')}
          data={kStatuses.map((status) => ({ value: status, label: t(`status.${status}`) }))}
          value={filter.status ?? null}
          onChange={(value) => set('status', value as JobStatus | null)}
        />
        <Select
          size="xs"
          w={170}
          clearable
          aria-label={t('job.type')}
          placeholder={t('jobs.anyType')}
          data={typeOptions}
          value={filter.job_type ?? null}
          onChange={(value) => set('type', value)}
        />
        {(groupNames.length > 0 || filter.group) && (
          <Select
            size="xs"
            w={140}
            clearable
            searchable
            aria-label={t('job.group')}
            placeholder={t('jobs.anyGroup')}
            data={groupNames}
            value={filter.group ?? null}
            onChange={(value) => set('group', value)}
          />
        )}
        {any && (
          <Button variant="subtle" color="gray" leftSection={<IconFilterOff size={15} />} onClick={clear}>
            {t('jobs.clearFilters')}
          </Button>
        )}
        <Text size="xs" c="dimmed" className={`num ${classes.total}`} role="status">
          {live === 'polling' && <span className={classes.polling}>{t('live.polling.notice')}</span>}
          {jobs.data && t('jobs.count', { n: total, shown: formatNumber(rows.length), total: formatNumber(total) })}
        </Text>
      </div>
      <div className={classes.frame}>
        {jobs.isPending ? (
          <LoadingState lines={12} />
        ) : jobs.isError && rows.length === 0 ? (
          <ErrorState error={jobs.error} retry={() => void jobs.refetch()} />
        ) : rows.length === 0 ? (
          any ? (
            <Notice
              icon={IconListSearch}
              title={t('jobs.noMatch')}
              text={t('jobs.noMatch.text')}
              action={<Button variant="default" onClick={clear}>{t('jobs.clearFilters')}</Button>}
            />
          ) : (
            <Notice
              icon={IconPlayerPlay}
              title={t('jobs.empty')}
              text={t('jobs.empty.text')}
              action={<Button component={Link} to="/actions">{t('jobs.new')}</Button>}
            />
          )
        ) : (
          <JobTable
            rows={rows}
            total={total}
            types={types}
            selection={selection}
            onSelection={setSelection}
            hasMore={jobs.hasNextPage}
            loadMore={() => {
              if (!jobs.isFetchingNextPage) void jobs.fetchNextPage();
            }}
            failed={jobs.isFetchNextPageError}
          />
        )}
      </div>
      {selected.length > 0 && (
        <Suspense fallback={null}>
          <SelectionBar jobs={selected} clear={() => setSelection({})}>
            <ActionIcon aria-label={t('jobs.unselect')} onClick={() => setSelection({})}>
              <IconX size={16} />
            </ActionIcon>
          </SelectionBar>
        </Suspense>
      )}
    </Page>
  );
}

export { JobsPage as Component };
