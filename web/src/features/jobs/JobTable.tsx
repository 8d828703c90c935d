import { Checkbox, Loader } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { flexRender, getCoreRowModel, useReactTable } from '@tanstack/react-table';
import type { ColumnDef, OnChangeFn, RowSelectionState } from '@tanstack/react-table';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'react';
import { Link } from 'react-router';
import { hasEnded, waitsFor } from '@/shared/api/jobs';
import type { JobRow, JobType } from '@/shared/api/types';
import { Duration, JobLinks, ProgressBar, Time } from '@/shared/components/Bits';
import { StatusBadge } from '@/shared/components/StatusBadge';
import { titleOf } from '@/shared/form/ui_schema';
import { useI18n } from '@/shared/i18n';
import type { I18n } from '@/shared/i18n';
import classes from './JobsPage.module.css';

interface Props {
  rows: JobRow[];
  total: number;
  types: JobType[] | undefined;
  selection: RowSelectionState;
  onSelection: OnChangeFn<RowSelectionState>;
  hasMore: boolean;
  loadMore: () => void;
  failed: boolean;
}

function columnsOf({ t, said }: I18n, titles: Map<string, string>): ColumnDef<JobRow>[] {
  /** Why it waits, or, where there is nothing else to show, why it failed. */
  const remark = (job: JobRow): string | null => {
    const waits = waitsFor(job);
    if (waits) return said(waits);
    return job.links.length === 0 && job.error_message ? said(job.error_message) : null;
  };
  return [
    {
      id: 'select',
      header: ({ table }) => (
        <Checkbox
          size="xs"
          aria-label={t('jobs.selectLoaded')}
          checked={table.getIsAllRowsSelected()}
          indeterminate={table.getIsSomeRowsSelected()}
          onChange={table.getToggleAllRowsSelectedHandler()}
        />
      ),
      cell: ({ row }) => (
        <Checkbox
          size="xs"
          aria-label={t('jobs.select', { id: row.original.job_id })}
          checked={row.getIsSelected()}
          onChange={row.getToggleSelectedHandler()}
        />
      ),
    },
    {
      id: 'id',
      header: t('job.job'),
      cell: ({ row: { original: job } }) => (
        <>
          <span className={classes.name}>
            <Link to={`/jobs/${job.job_id}`} className={`${classes.id} ellipsis ${job.name ? '' : 'mono'}`} title={job.job_id}>
              {job.name || (
                <>
                  <span className={classes.prefix}>job_</span>
                  {job.job_id.slice('job_'.length)}
                </>
              )}
            </Link>
            {job.name && <span className={`mono ellipsis ${classes.sub}`}>{job.job_id}</span>}
          </span>
          {job.dry_run && <span className={classes.tag}>{t('job.dryRun')}</span>}
          {job.group && (
            <span className={classes.tag} title={job.group}>
              {job.group}
            </span>
          )}
        </>
      ),
    },
    {
      id: 'type',
      header: t('job.type'),
      cell: ({ row: { original: job } }) => (
        <span className="ellipsis" title={job.job_type}>
          {titles.get(job.job_type) ?? job.job_type}
          <span className={classes.remark}>{remark(job)}</span>
        </span>
      ),
    },
    {
      id: 'status',
      header: t('job.status'),
      cell: ({ row: { original: job } }) => (
        <StatusBadge status={job.status} cancelling={job.cancel_requested} waits={waitsFor(job)} />
      ),
    },
    {
      id: 'started',
      header: t('job.started'),
      cell: ({ row: { original: job } }) => <Time value={job.started_at} />,
    },
    {
      id: 'duration',
      header: t('job.duration'),
      cell: ({ row: { original: job } }) => <Duration job={job} />,
    },
    {
      id: 'progress',
      header: t('job.progress'),
      cell: ({ row: { original: job } }) => <ProgressBar job={job} />,
    },
    {
      id: 'made',
      header: t('jobs.outcome'),
      cell: ({ row: { original: job } }) => {
        const text = remark(job);
        return text ? (
          <span className={`ellipsis ${classes.sub}`} title={text}>
            {text}
          </span>
        ) : (
          <JobLinks links={job.links} max={2} />
        );
      },
    },
  ];
}

/** The list of jobs: only the rows that can be seen exist, and the next page is asked for in time. */
export function JobTable(props: Props) {
  const i18n = useI18n();
  const { t, language } = i18n;
  const { rows, types, selection, onSelection, hasMore, loadMore, failed } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const narrow = useMediaQuery('(max-width: 62em)') ?? false;
  const height = narrow ? 64 : 40;

  const titles = useMemo(
    () => new Map((types ?? []).map((type) => [type.type, titleOf(type, language)])),
    [types, language],
  );
  const columns = useMemo(() => columnsOf(i18n, titles), [i18n, titles]);
  const table = useReactTable({
    data: rows,
    columns,
    getRowId: (job) => job.job_id,
    getCoreRowModel: getCoreRowModel(),
    state: { rowSelection: selection },
    onRowSelectionChange: onSelection,
  });
  const tableRows = table.getRowModel().rows;

  const virtual = useVirtualizer({
    count: rows.length + (hasMore ? 1 : 0),
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    overscan: 12,
    getItemKey: (index) => rows[index]?.job_id ?? 'more',
  });
  const items = virtual.getVirtualItems();

  useEffect(() => virtual.measure(), [height, virtual]);

  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && !failed && last >= rows.length - 20) loadMore();
  }, [hasMore, failed, last, rows.length, loadMore]);

  // New jobs come in at the top. Who reads further down keeps the place.
  const first = rows[0]?.job_id;
  const before = useRef<string | undefined>(undefined);
  useLayoutEffect(() => {
    const element = scroller.current;
    const old = before.current;
    before.current = first;
    if (!element || !old || old === first || element.scrollTop < height) return;
    const added = rows.findIndex((row) => row.job_id === old);
    if (added > 0) element.scrollTop += added * height;
  }, [first, rows, height]);

  const cell = (id: string) => `${classes.cell}${id === 'duration' ? ` ${classes.right}` : ''}`;
  return (
    <div
      ref={scroller}
      className={classes.scroller}
      role="region"
      aria-label={t('nav.jobs')}
      // Scrollable with the keyboard alone.
      tabIndex={0}
      data-testid="jobs"
    >
      <div role="table" aria-label={t('nav.jobs')} aria-rowcount={props.total + 1}>
        <div role="rowgroup">
          {table.getHeaderGroups().map((group) => (
            <div key={group.id} role="row" className={`${classes.row} ${classes.head}`} aria-rowindex={1}>
              {group.headers.map((header) => (
                <div key={header.id} role="columnheader" className={cell(header.id)} data-column={header.id}>
                  {flexRender(header.column.columnDef.header, header.getContext())}
                </div>
              ))}
            </div>
          ))}
        </div>
        <div
          role="rowgroup"
          className={classes.body}
          style={{ height: virtual.getTotalSize(), position: 'relative' }}
        >
          {items.map((item) => {
            const row = tableRows[item.index];
            const style = { transform: `translateY(${item.start}px)` };
            if (!row) {
              return (
                <div key="more" role="row" className={classes.more} style={style}>
                  <div role="cell">
                    {failed ? (
                      <button type="button" onClick={loadMore}>
                        {t('action.retry')}
                      </button>
                    ) : (
                      <>
                        <Loader size={14} mr={8} />
                        {t('loading')}
                      </>
                    )}
                  </div>
                </div>
              );
            }
            return (
              <div
                key={row.id}
                role="row"
                className={classes.row}
                style={style}
                aria-rowindex={item.index + 2}
                data-selected={row.getIsSelected() || undefined}
                data-ended={hasEnded(row.original) || undefined}
                data-job={row.id}
              >
                {row.getVisibleCells().map((each) => (
                  <div key={each.id} role="cell" className={cell(each.column.id)} data-column={each.column.id}>
                    {flexRender(each.column.columnDef.cell, each.getContext())}
                  </div>
                ))}
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}
