import { Alert, Anchor, Button, Table, Text } from '@mantine/core';
import { IconFileOff, IconPlayerPlay } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from 'react-router';
import { useJobTypes } from '@/shared/api/jobs';
import type { Metrics, Run } from '@/shared/api/types';
import { isMissing, runQuery } from '@/shared/api/workspace';
import { Copy } from '@/shared/components/Bits';
import { ConfigList } from '@/shared/components/Code';
import { ErrorState, LoadingState, Notice } from '@/shared/components/Notice';
import { Facts, Page, Panel } from '@/shared/components/Page';
import { RelatedJobs } from '@/shared/components/RelatedJobs';
import { titleOf } from '@/shared/form/ui_schema';
import { ScrollX } from '@/shared/components/ScrollX';
import { columnName, useI18n, useT } from '@/shared/i18n';
import { actionHref, takers } from '@/shared/lib/actions';
import { show } from '@/shared/lib/diff';
import { formatFullTime, formatNumber, formatPercent } from '@/shared/lib/format';

const kRates = new Set(['accuracy', 'precision', 'recall', 'f1', 'buy_rate', 'positive_rate']);

function number(name: string, metrics: Metrics): string {
  const value = metrics[name];
  if (typeof value !== 'number') return value === null || value === undefined ? '–' : show(value);
  return kRates.has(name) ? formatPercent(value) : formatNumber(value);
}

function MetricsTable({ run }: { run: Run }) {
  const t = useT();
  const rows = Object.entries(run.metrics?.per_ticker ?? {});
  const overall = run.metrics?.overall;
  if (overall && Object.keys(overall).length) rows.unshift([t('runs.overall'), overall]);
  if (rows.length === 0) return <Text size="sm" c="dimmed" p="md">{t('runs.noMetrics')}</Text>;
  const names = [...new Set(rows.flatMap(([, metrics]) => Object.keys(metrics)))];
  return (
    <ScrollX minWidth={160 + names.length * 84} label={t('runs.metrics')}>
      <Table aria-label={t('runs.metrics')}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">{t('model.ticker')}</Table.Th>
            {names.map((name) => (
              <Table.Th key={name} scope="col" ta="right" title={name}>
                {columnName(t, 'metric', name)}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map(([ticker, metrics]) => (
            <Table.Tr key={ticker}>
              <Table.Th scope="row">{ticker}</Table.Th>
              {names.map((name) => (
                <Table.Td key={name} ta="right" className="num">
                  {number(name, metrics)}
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </ScrollX>
  );
}

function Models({ run }: { run: Run }) {
  const { t, language } = useI18n();
  const types = useJobTypes().data;
  const groups: [string, string, string[]][] = [
    ['base', `runs/${run.run_id}/models/base`, run.models.base],
    ...Object.entries(run.models.finetuned).map(
      ([ticker, files]): [string, string, string[]] => [ticker, `runs/${run.run_id}/models/finetuned/${ticker}`, files],
    ),
  ];
  const some = groups.filter(([, , files]) => files.length > 0);
  if (some.length === 0) return <Text size="sm" c="dimmed">{t('runs.noModels')}</Text>;
  return (
    <Table aria-label={t('runs.models')} horizontalSpacing={0}>
      <Table.Tbody>
        {some.map(([name, folder, files]) => {
          const best = files.includes('final.zip') ? 'final.zip' : files[0]!;
          const path = best.includes('/') ? best : `${folder}/${best}`;
          return (
            <Table.Tr key={name}>
              <Table.Th scope="row" w={90} style={{ verticalAlign: 'top' }}>{name}</Table.Th>
              <Table.Td>
                {files.map((file) => (
                  <div key={file} className="mono" style={{ overflowWrap: 'anywhere' }}>
                    {file}
                  </div>
                ))}
              </Table.Td>
              <Table.Td ta="right" style={{ whiteSpace: 'nowrap', verticalAlign: 'top' }}>
                {takers(types, 'model_path').map((type) => (
                  <Button
                    key={type.type}
                    size="compact-xs"
                    variant="light"
                    component={Link}
                    to={actionHref(type, { tickers: name === 'base' ? null : name, model_path: path })}
                  >
                    {titleOf(type, language)}
                  </Button>
                ))}
                <Copy value={path} />
              </Table.Td>
            </Table.Tr>
          );
        })}
      </Table.Tbody>
    </Table>
  );
}

export function Component() {
  const { t, language } = useI18n();
  const { id = '' } = useParams();
  const query = useQuery(runQuery(id));
  const types = useJobTypes().data;
  const run = query.data;
  const manifest = run?.manifest;
  const text = (value: unknown) => (typeof value === 'string' ? value : null);
  return (
    <Page
      title={id}
      parent={{ to: '/runs', label: t('nav.runs') }}
      heading={
        <span style={{ display: 'inline-flex', alignItems: 'center', gap: 6 }}>
          <span className="mono" style={{ fontSize: '1.05rem' }}>{id}</span>
          <Copy value={id} label={t('job.copyId')} />
        </span>
      }
      actions={
        run &&
        // What can be done with a run is what the loaded job types say they take.
        takers(types, 'run_id').map((type) => (
          <Button
            key={type.type}
            variant="default"
            leftSection={<IconPlayerPlay size={15} />}
            component={Link}
            to={actionHref(type, { run_id: id })}
          >
            {titleOf(type, language)}
          </Button>
        ))
      }
    >
      {query.isPending ? (
        <LoadingState lines={10} />
      ) : !run ? (
        isMissing(query.error) ? (
          <Notice
            icon={IconFileOff}
            title={t('runs.missing')}
            text={t('runs.missing.text')}
            action={<Button component={Link} to="/runs">{t('nav.runs')}</Button>}
          />
        ) : (
          <ErrorState error={query.error} retry={() => void query.refetch()} />
        )
      ) : (
        <>
          {run.warnings && run.warnings.length > 0 && (
            <Alert color="yellow" title={t('runs.warnings')}>
              {run.warnings.map((warning) => (
                <div key={warning}>{warning}</div>
              ))}
            </Alert>
          )}
          <Panel title={t('runs.metrics')} flush>
            <MetricsTable run={run} />
          </Panel>
          <Panel title={t('runs.models')}>
            <Models run={run} />
            {run.checkpoints_count > 0 && (
              <Text size="sm" c="dimmed" mt="sm" className="num">
                {t('runs.checkpoints', { n: run.checkpoints_count })}{' '}
                <span className="mono">{run.checkpoints_sample.join(', ')}</span>
              </Text>
            )}
          </Panel>
          <RelatedJobs jobs={run.jobs} />
          <Panel title={t('runs.about')}>
            <Facts
              rows={[
                [t('job.started'), text(manifest?.start_time) && formatFullTime(text(manifest?.start_time))],
                [t('runs.ended'), text(manifest?.end_time) && formatFullTime(text(manifest?.end_time))],
                ['git', text(manifest?.git_commit)],
                ['seed', manifest?.seed !== undefined && manifest.seed !== null && show(manifest.seed)],
                ['config_hash', text(manifest?.config_hash) && <span className="mono">{text(manifest?.config_hash)}</span>],
              ]}
            />
            {!manifest && <Text size="sm" c="dimmed">{t('runs.noManifest')}</Text>}
          </Panel>
          <Panel
            title={t('runs.config')}
            aside={
              <Anchor component={Link} to={`/runs/compare?ids=${id}`} size="xs">
                {t('runs.compare')}
              </Anchor>
            }
          >
            {run.config ? <ConfigList value={run.config} /> : <Text size="sm" c="dimmed">{t('runs.noConfig')}</Text>}
          </Panel>
        </>
      )}
    </Page>
  );
}
