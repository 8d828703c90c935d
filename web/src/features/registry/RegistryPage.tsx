import { Anchor, Badge, Button, Checkbox, Group, Pagination, Select, Text } from '@mantine/core';
import { IconColumns, IconListSearch, IconTrophy } from '@tabler/icons-react';
import type { ColumnDef, RowSelectionState, SortingState } from '@tanstack/react-table';
import { useMemo, useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import { useJobTypes } from '@/shared/api/jobs';
import type { RegistryModel } from '@/shared/api/types';
import { isMissing, useModels } from '@/shared/api/workspace';
import { AddressInput } from '@/shared/components/AddressInput';
import { DataTable } from '@/shared/components/DataTable';
import { ErrorState, LoadingState, Notice } from '@/shared/components/Notice';
import { Page, Panel } from '@/shared/components/Page';
import { TickerFilter } from '@/shared/components/TickerFilter';
import { titleOf } from '@/shared/form/ui_schema';
import { useI18n } from '@/shared/i18n';
import { actionHref, takers } from '@/shared/lib/actions';
import { formatNumber, formatPercent, shortId } from '@/shared/lib/format';
import { modelId } from './model_id';

const kPage = 50;
const kMostCompared = 4;
const kFilters = ['min_precision', 'min_lift', 'min_support', 'max_buy_rate'] as const;

function toSorting(text: string | null): SortingState {
  const found = /^([a-z0-9_]+)_(asc|desc)$/.exec((text ?? '').split(',')[0] ?? '');
  return found ? [{ id: found[1]!, desc: found[2] === 'desc' }] : [];
}

export function Component() {
  const { t, language } = useI18n();
  const types = useJobTypes().data;
  const [search, setSearch] = useSearchParams();
  const [selection, setSelection] = useState<RowSelectionState>({});
  const number = Math.max(1, Number(search.get('page')) || 1);
  const text = (name: string) => search.get(name) || undefined;
  const sort = search.get('sort') ?? 'precision_desc,lift_desc,buy_rate_asc,support_desc';
  const models = useModels({
    ticker: text('ticker'),
    mode: text('mode'),
    min_precision: text('min_precision'),
    min_lift: text('min_lift'),
    min_support: text('min_support'),
    max_buy_rate: text('max_buy_rate'),
    sort,
    limit: kPage,
    offset: (number - 1) * kPage,
  });
  const set = (name: string, value: string | null | undefined) =>
    setSearch(
      (old) => {
        const next = new URLSearchParams(old);
        if (value) next.set(name, value);
        else next.delete(name);
        if (name !== 'page') next.delete('page');
        return next;
      },
      { replace: true },
    );
  const filtered = ['ticker', 'mode', ...kFilters].some((name) => search.get(name));
  const sorting = useMemo(() => toSorting(sort), [sort]);

  const columns = useMemo<ColumnDef<RegistryModel>[]>(() => {
    const percent = (id: 'precision' | 'recall' | 'buy_rate' | 'positive_rate', header: string, digits = 1): ColumnDef<RegistryModel> => ({
      id,
      header,
      meta: { numeric: true },
      accessorFn: (row) => row[id],
      cell: ({ row }) => formatPercent(row.original[id], digits),
    });
    return [
      {
        id: 'select',
        header: '',
        enableSorting: false,
        meta: { width: 36 },
        cell: ({ row }) => (
          <Checkbox
            size="xs"
            aria-label={t('jobs.select', { id: modelId(row.original) })}
            checked={row.getIsSelected()}
            onChange={row.getToggleSelectedHandler()}
          />
        ),
      },
      {
        id: 'ticker',
        header: t('model.ticker'),
        accessorFn: (row) => row.ticker,
        cell: ({ row }) => <Text span fw={600} size="sm">{row.original.ticker}</Text>,
      },
      { id: 'mode', header: t('model.mode'), accessorFn: (row) => row.mode, cell: ({ row }) => row.original.mode },
      {
        id: 'run_id',
        header: t('noun.run'),
        accessorFn: (row) => row.run_id,
        cell: ({ row: { original } }) => (
          <Anchor component={Link} to={`/runs/${original.run_id}`} size="sm" className="mono" title={original.run_id ?? ''}>
            {shortId(original.run_id ?? '–')}
          </Anchor>
        ),
      },
      percent('precision', t('model.precision')),
      {
        id: 'lift',
        header: t('model.lift'),
        meta: { numeric: true },
        accessorFn: (row) => row.lift,
        cell: ({ row }) => formatNumber(row.original.lift, 2),
      },
      percent('recall', t('model.recall')),
      percent('buy_rate', t('model.buyRate')),
      percent('positive_rate', t('model.positiveRate')),
      {
        id: 'label_horizon_days',
        header: t('model.label'),
        meta: { numeric: true },
        accessorFn: (row) => row.label_horizon_days,
        cell: ({ row: { original } }) =>
          t('model.labelValue', {
            days: formatNumber(original.label_horizon_days),
            threshold: formatPercent(original.label_threshold, 0),
          }),
      },
      {
        id: 'tp',
        header: 'TP / FP',
        meta: { numeric: true },
        accessorFn: (row) => row.tp,
        cell: ({ row }) => `${formatNumber(row.original.tp)} / ${formatNumber(row.original.fp)}`,
      },
      {
        id: 'support',
        header: t('model.support'),
        meta: { numeric: true },
        accessorFn: (row) => row.support,
        cell: ({ row }) => formatNumber(row.original.support),
      },
      {
        id: 'status',
        header: t('job.status'),
        accessorFn: (row) => row.status,
        cell: ({ row: { original } }) => (
          <Badge color={original.status === 'READY' ? 'teal' : 'yellow'}>{original.status ?? '–'}</Badge>
        ),
      },
      {
        id: 'actions',
        header: '',
        enableSorting: false,
        cell: ({ row: { original } }) =>
          original.model_final_path &&
          original.status === 'READY' && (
            <Group gap={4} wrap="nowrap" justify="flex-end">
              {takers(types, 'model_path').map((type) => (
                <Button
                  key={type.type}
                  size="compact-xs"
                  variant="light"
                  component={Link}
                  to={actionHref(type, {
                    tickers: original.ticker === 'ALL' ? null : original.ticker,
                    model_path: original.model_final_path,
                  })}
                >
                  {titleOf(type, language)}
                </Button>
              ))}
            </Group>
          ),
      },
    ];
  }, [t, language, types]);

  const chosen = Object.keys(selection).filter((id) => selection[id]);
  const rows = models.data?.rows ?? [];
  const total = models.data?.total ?? 0;
  return (
    <Page
      title={t('nav.registry')}
      actions={
        <Button
          variant="default"
          leftSection={<IconColumns size={15} />}
          component={Link}
          to={`/registry/compare?models=${encodeURIComponent(chosen.join(','))}`}
          data-disabled={chosen.length < 2 || chosen.length > kMostCompared || undefined}
          aria-disabled={chosen.length < 2 || chosen.length > kMostCompared}
          onClick={(event) => {
            if (chosen.length < 2 || chosen.length > kMostCompared) event.preventDefault();
          }}
          title={t('compare.upTo', { n: kMostCompared })}
        >
          {chosen.length ? t('compare.n', { n: chosen.length }) : t('action.compare')}
        </Button>
      }
    >
      <Group gap={8} align="flex-end">
        <TickerFilter label={t('model.ticker')} />
        <Select
          size="xs"
          w={120}
          clearable
          label={t('model.mode')}
          placeholder={t('registry.any')}
          data={['finetune', 'base']}
          value={search.get('mode')}
          onChange={(value) => set('mode', value)}
        />
        {kFilters.map((name) => (
          <AddressInput
            key={name}
            w={112}
            type="number"
            step="any"
            rightSection={null}
            label={t(`registry.${name}`)}
            value={search.get(name) ?? ''}
            onChange={(value) => set(name, value)}
          />
        ))}
        <Text size="xs" c="dimmed" ml="auto" className="num" role="status">
          {models.data && t('registry.count', { n: total, total: formatNumber(total) })}
        </Text>
      </Group>
      <Panel flush label={t('nav.registry')}>
        {models.isPending ? (
          <LoadingState lines={10} />
        ) : models.isError && !models.data ? (
          isMissing(models.error) ? (
            <Notice icon={IconTrophy} title={t('registry.empty')} text={models.error.message} />
          ) : (
            <ErrorState error={models.error} retry={() => void models.refetch()} />
          )
        ) : rows.length === 0 ? (
          <Notice
            icon={filtered ? IconListSearch : IconTrophy}
            title={filtered ? t('registry.noMatch') : t('registry.empty')}
            text={filtered ? t('registry.noMatch.text') : t('registry.empty.text')}
            action={
              filtered ? (
                <Button variant="default" onClick={() => setSearch({})}>
                  {t('jobs.clearFilters')}
                </Button>
              ) : (
                <Button component={Link} to="/actions">
                  {t('jobs.new')}
                </Button>
              )
            }
          />
        ) : (
          <DataTable
            label={t('nav.registry')}
            data={rows}
            columns={columns}
            rowId={modelId}
            minWidth={1060}
            sorting={sorting}
            onSortingChange={(update) => {
              const next = typeof update === 'function' ? update(sorting) : update;
              const [first] = next;
              set('sort', first ? `${first.id}_${first.desc ? 'desc' : 'asc'}` : null);
            }}
            selection={selection}
            onSelectionChange={setSelection}
          />
        )}
      </Panel>
      {total > kPage && (
        <Pagination
          size="sm"
          total={Math.ceil(total / kPage)}
          value={number}
          onChange={(next) => set('page', next > 1 ? String(next) : null)}
          getControlProps={(control) => ({ 'aria-label': t(`page.${control}` as 'page.next') })}
        />
      )}
    </Page>
  );
}
