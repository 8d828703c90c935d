import { Anchor, Badge, Button, Group, Modal, Table, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { IconPlayerPause, IconPlayerPlay, IconPuzzleOff, IconRefresh, IconTransitionBottom } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from 'react-router';
import { api, ApiError, messageOf, request } from '@/shared/api/client';
import { useLive, usePolling } from '@/shared/api/live';
import { useQueue, useQueueMode } from '@/shared/api/queue';
import { useMay } from '@/shared/api/session';
import type { Plugin, Queue } from '@/shared/api/types';
import { Copy, Time } from '@/shared/components/Bits';
import { ErrorState, LoadingState, Notice } from '@/shared/components/Notice';
import { Facts, Page, Panel } from '@/shared/components/Page';
import { ScrollX } from '@/shared/components/ScrollX';
import { useI18n, useT } from '@/shared/i18n';
import { formatNumber } from '@/shared/lib/format';
import classes from './AdminPage.module.css';

const kStateColors = { loaded: 'teal', superseded: 'gray', quarantined: 'red', removed: 'gray' } as const;

function failed(title: string) {
  return (error: unknown) => notifications.show({ color: 'red', title, message: messageOf(error) });
}

function Plugins() {
  const t = useT();
  const may = useMay('admin');
  const client = useQueryClient();
  const polling = usePolling();
  const plugins = useQuery({
    queryKey: ['plugins'],
    queryFn: ({ signal }) => api<Plugin[]>('/api/admin/plugins', { signal }),
    refetchInterval: polling,
  });
  const rescan = useMutation({
    mutationFn: () => api<Plugin[]>('/api/admin/plugins/rescan', { method: 'POST' }),
    onSuccess: (found) => {
      client.setQueryData(['plugins'], found);
      void client.invalidateQueries({ queryKey: ['job-types'] });
      notifications.show({
        color: 'teal',
        message: t('admin.rescanned', { n: found.filter((plugin) => plugin.state === 'loaded').length }),
      });
    },
    onError: failed(t('error.failed')),
  });
  const order = { quarantined: 0, loaded: 1, superseded: 2, removed: 3 };
  const rows = [...(plugins.data ?? [])].sort((a, b) => order[a.state] - order[b.state] || a.path.localeCompare(b.path));
  return (
    <Panel
      title={t('admin.plugins')}
      flush
      aside={
        <Button
          variant="default"
          size="compact-sm"
          leftSection={<IconRefresh size={14} />}
          loading={rescan.isPending}
          disabled={!may}
          onClick={() => rescan.mutate()}
        >
          {t('admin.rescan')}
        </Button>
      }
    >
      {plugins.isPending ? (
        <LoadingState />
      ) : plugins.isError && !plugins.data ? (
        <ErrorState compact error={plugins.error} retry={() => void plugins.refetch()} />
      ) : rows.length === 0 ? (
        <Notice compact icon={IconPuzzleOff} title={t('admin.noPlugins')} text={t('admin.noPlugins.text')} />
      ) : (
        <ScrollX minWidth={860} label={t('admin.plugins')}>
          <Table aria-label={t('admin.plugins')} fz="sm">
            <Table.Thead>
              <Table.Tr>
                <Table.Th scope="col">{t('job.type')}</Table.Th>
                <Table.Th scope="col" miw={104}>{t('admin.state')}</Table.Th>
                <Table.Th scope="col">{t('admin.version')}</Table.Th>
                <Table.Th scope="col">{t('admin.program')}</Table.Th>
                <Table.Th scope="col">{t('admin.library')}</Table.Th>
                <Table.Th scope="col">{t('admin.loaded')}</Table.Th>
                <Table.Th scope="col" ta="right">{t('admin.jobsRun')}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {rows.map((plugin) => (
                <Table.Tr key={`${plugin.path} ${plugin.sha256} ${plugin.state}`} style={{ verticalAlign: 'top' }}>
                  <Table.Td>
                    <Text span size="sm" fw={550}>{plugin.type ?? '–'}</Text>
                  </Table.Td>
                  <Table.Td maw={340}>
                    <Badge color={kStateColors[plugin.state]}>{t(`plugin.${plugin.state}`)}</Badge>
                    {plugin.reason && (
                      <Text size="xs" c="dimmed" mt={3} style={{ overflowWrap: 'anywhere' }}>
                        {plugin.reason}
                      </Text>
                    )}
                  </Table.Td>
                  <Table.Td className="num">
                    {plugin.version ?? '–'}
                    {plugin.abi !== null && plugin.abi !== undefined && (
                      <Text size="xs" c="dimmed">ABI {plugin.abi}</Text>
                    )}
                  </Table.Td>
                  <Table.Td className={`mono ${classes.wrap}`}>{programOf(plugin.program)}</Table.Td>
                  <Table.Td className={classes.wrap} maw={320}>
                    <span className="mono">{plugin.path}</span>
                    {plugin.sha256 && (
                      <Group gap={2} wrap="nowrap">
                        <Text span size="xs" c="dimmed" className="mono" title={plugin.sha256}>
                          {plugin.sha256.slice(0, 12)}
                        </Text>
                        <Copy value={plugin.sha256} label={t('admin.copyHash')} />
                      </Group>
                    )}
                  </Table.Td>
                  <Table.Td><Time value={plugin.loaded_at} /></Table.Td>
                  <Table.Td ta="right" className="num">{formatNumber(plugin.jobs_run)}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </ScrollX>
      )}
    </Panel>
  );
}

function programOf(program: Plugin['program']): string {
  if (program?.python_module) return `python -m ${program.python_module}`;
  return program?.executable ?? '–';
}

function QueuePanel() {
  const t = useT();
  const may = useMay('admin');
  const queue = useQueue();
  const mode = useQueueMode();
  const [draining, { open: askDrain, close: stopDraining }] = useDisclosure(false);
  const set = (next: 'pause' | 'resume' | 'drain') => mode.mutate(next, { onError: failed(t('error.failed')) });
  const data = queue.data;
  return (
    <Panel
      title={t('admin.queue')}
      aside={
        data && (
          <Group gap={6}>
            {data.mode === 'open' ? (
              <>
                <Button variant="default" size="compact-sm" leftSection={<IconPlayerPause size={14} />} disabled={!may} onClick={() => set('pause')}>
                  {t('admin.pause')}
                </Button>
                <Button variant="default" size="compact-sm" leftSection={<IconTransitionBottom size={14} />} disabled={!may} onClick={askDrain}>
                  {t('admin.drain')}
                </Button>
              </>
            ) : (
              <Button size="compact-sm" leftSection={<IconPlayerPlay size={14} />} disabled={!may} onClick={() => set('resume')}>
                {t('admin.resume')}
              </Button>
            )}
          </Group>
        )
      }
    >
      {queue.isPending ? (
        <LoadingState />
      ) : !data ? (
        <ErrorState compact error={queue.error} retry={() => void queue.refetch()} />
      ) : (
        <QueueFacts queue={data} />
      )}
      <Modal opened={draining} onClose={stopDraining} title={t('admin.drain.title')}>
        <Text size="sm">{t('admin.drain.text')}</Text>
        <Group justify="flex-end" mt="md">
          <Button variant="default" onClick={stopDraining}>
            {t('action.keep')}
          </Button>
          <Button
            color="red"
            onClick={() => {
              stopDraining();
              set('drain');
            }}
          >
            {t('admin.drain')}
          </Button>
        </Group>
      </Modal>
    </Panel>
  );
}

function QueueFacts({ queue }: { queue: Queue }) {
  const { t, said } = useI18n();
  return (
    <>
      <Facts
        rows={[
          [t('dashboard.queue'), <Badge key="mode" color={queue.mode === 'open' ? 'teal' : 'yellow'}>{t(`queue.${queue.mode}`)}</Badge>],
          [t('options.slots'), t('admin.used', { used: queue.slots.used, total: queue.slots.total })],
          ['Slurm', queue.slurm_slots.used > 0 && t('admin.used', { used: queue.slurm_slots.used, total: queue.slurm_slots.total })],
          [t('dashboard.queued'), formatNumber(queue.queued)],
          ...queue.gpus.map((gpu): [string, string] => [`GPU ${gpu.id}`, t('admin.used', { used: gpu.jobs, total: gpu.limit })]),
          ...queue.groups.map((group): [string, string] => [
            group.name ? t('admin.group', { name: group.name }) : t('admin.noGroup'),
            group.slots ? t('admin.used', { used: group.used, total: group.slots }) : formatNumber(group.jobs),
          ]),
        ]}
      />
      {queue.running.length > 0 && (
        <>
          <Text size="xs" c="dimmed" mt="md" mb={4}>{t('dashboard.now')}</Text>
          {queue.running.map((job) => (
            <div key={job.job_id} className={classes.line}>
              <Link to={`/jobs/${job.job_id}`} className="mono">{job.job_id}</Link>
              <Text span size="xs" c="dimmed">
                {[t('admin.slotsN', { n: job.slots }), job.gpus.length ? `GPU ${job.gpus.join(', ')}` : '', job.group].filter(Boolean).join(' · ')}
              </Text>
            </div>
          ))}
        </>
      )}
      {queue.waiting.length > 0 && (
        <>
          <Text size="xs" c="dimmed" mt="md" mb={4}>{t('admin.waiting')}</Text>
          {queue.waiting.map((job) => (
            <div key={job.job_id} className={classes.line}>
              <Link to={`/jobs/${job.job_id}`} className="mono">{job.job_id}</Link>
              <Text span size="xs" c="dimmed">{said(job.waiting_for)}</Text>
            </div>
          ))}
          {queue.queued > queue.waiting.length && (
            <Text size="xs" c="dimmed">{t('admin.andMore', { n: formatNumber(queue.queued - queue.waiting.length) })}</Text>
          )}
        </>
      )}
    </>
  );
}

interface Check {
  ok: boolean;
  text: string;
}

/** A health address answers 200 or says what is wrong. */
function useCheck(path: string) {
  return useQuery({
    queryKey: ['check', path],
    queryFn: async ({ signal }): Promise<Check | null> => {
      try {
        const answer = await (await request(path, { signal })).text();
        try {
          const { status } = JSON.parse(answer) as { status?: string };
          return { ok: true, text: status ?? 'ok' };
        } catch {
          // A server that has no such address sends the page itself.
          return answer.startsWith('<') ? null : { ok: true, text: answer.trim() };
        }
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return null;
        return { ok: false, text: messageOf(error) };
      }
    },
    refetchInterval: 10_000,
  });
}

function Server() {
  const t = useT();
  const live = useLive();
  const version = useQuery({
    queryKey: ['version'],
    queryFn: ({ signal }) => api<Record<string, string>>('/api/version', { signal }),
  });
  const health = useCheck('/healthz').data;
  const ready = useCheck('/readyz').data;
  const badge = (check: Check | null | undefined) =>
    check === undefined ? '…' : check && <Badge color={check.ok ? 'teal' : 'red'}>{check.ok ? t('admin.ok') : check.text}</Badge>;
  return (
    <Panel title={t('admin.server')}>
      <Facts
        rows={[
          ...Object.entries(version.data ?? { version: '…' }).map(([name, value]): [string, string] => [
            name === 'version' ? t('admin.version') : name,
            String(value),
          ]),
          [t('admin.health'), badge(health)],
          [t('admin.ready'), badge(ready)],
          [t('admin.updates'), t(`live.${live}`)],
          [t('nav.api'), <Anchor key="docs" href="/docs" size="sm">/docs</Anchor>],
        ]}
      />
    </Panel>
  );
}

export function Component() {
  const t = useT();
  return (
    <Page title={t('nav.admin')}>
      <div className={classes.pair}>
        <QueuePanel />
        <Server />
      </div>
      <Plugins />
    </Page>
  );
}
