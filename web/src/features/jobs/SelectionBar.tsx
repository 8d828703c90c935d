import { Button, Group, Modal, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { IconColumns, IconPlayerStop, IconRepeat } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { messageOf } from '@/shared/api/client';
import { cancelJob, hasEnded, rerunJob } from '@/shared/api/jobs';
import { useMay } from '@/shared/api/session';
import type { JobRow } from '@/shared/api/types';
import { useT } from '@/shared/i18n';
import classes from './JobsPage.module.css';

const kMostCompared = 4;

/** What can be done with the jobs that are selected. */
export function SelectionBar(props: { jobs: JobRow[]; clear: () => void; children: ReactNode }) {
  const t = useT();
  const { jobs, clear, children } = props;
  const may = useMay('operator');
  const client = useQueryClient();
  const [asking, { open: ask, close: stopAsking }] = useDisclosure(false);
  const [busy, setBusy] = useState(false);
  const active = jobs.filter((job) => !hasEnded(job));

  // One after the other: the server commits each, and the first refusal is worth reading.
  const each = async (chosen: JobRow[], work: (id: string) => Promise<unknown>, done: 'jobs.cancelled' | 'jobs.rerun.done') => {
    setBusy(true);
    let count = 0;
    const refused: string[] = [];
    for (const job of chosen) {
      try {
        await work(job.job_id);
        count += 1;
      } catch (error) {
        refused.push(messageOf(error));
      }
    }
    setBusy(false);
    void client.invalidateQueries({ queryKey: ['jobs'] });
    if (count) notifications.show({ color: 'teal', message: t(done, { n: count }) });
    if (refused.length) {
      notifications.show({
        color: 'red',
        title: t('jobs.refused', { n: refused.length }),
        message: refused[0],
      });
    } else clear();
  };

  return (
    <div className={classes.selection} role="toolbar" aria-label={t('jobs.selection')}>
      <Text size="sm" fw={550} className="num" role="status">
        {t('jobs.selected', { n: jobs.length })}
      </Text>
      <Group gap={8} ml="auto">
        <Button
          variant="default"
          leftSection={<IconColumns size={15} />}
          component={Link}
          to={`/jobs/compare?ids=${jobs.map((job) => job.job_id).join(',')}`}
          disabled={jobs.length < 2 || jobs.length > kMostCompared}
          data-disabled={jobs.length < 2 || jobs.length > kMostCompared || undefined}
          title={t('compare.upTo', { n: kMostCompared })}
        >
          {t('action.compare')}
        </Button>
        <Button
          variant="default"
          leftSection={<IconRepeat size={15} />}
          loading={busy}
          disabled={!may}
          onClick={() => void each(jobs, (id) => rerunJob(id), 'jobs.rerun.done')}
        >
          {t('action.rerun')}
        </Button>
        <Button
          color="red"
          variant="light"
          leftSection={<IconPlayerStop size={15} />}
          disabled={!may || active.length === 0}
          onClick={ask}
        >
          {t('jobs.cancelN', { n: active.length })}
        </Button>
        {children}
      </Group>
      <Modal opened={asking} onClose={stopAsking} title={t('jobs.cancelN', { n: active.length })}>
        <Text size="sm">{t('jobs.cancel.ask', { n: active.length })}</Text>
        <Group justify="flex-end" mt="md">
          <Button variant="default" onClick={stopAsking}>
            {t('action.keep')}
          </Button>
          <Button
            color="red"
            onClick={() => {
              stopAsking();
              void each(active, cancelJob, 'jobs.cancelled');
            }}
          >
            {t('jobs.cancelN', { n: active.length })}
          </Button>
        </Group>
      </Modal>
    </div>
  );
}
