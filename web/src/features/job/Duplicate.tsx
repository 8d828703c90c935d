import { Alert, Button, Drawer, Group, Stack } from '@mantine/core';
import { useMemo, useState } from 'react';
import { ApiError, messageOf } from '@/shared/api/client';
import { useRerun } from '@/shared/api/jobs';
import type { FieldMistake, Job, JobType, JsonObject } from '@/shared/api/types';
import { DiffTable } from '@/shared/components/DiffTable';
import { CommandPreview } from '@/shared/form/CommandPreview';
import { ofInputs } from '@/shared/form/mistakes';
import { usePreview } from '@/shared/form/preview';
import SchemaForm from '@/shared/form/SchemaForm';
import { titleOf } from '@/shared/form/ui_schema';
import { useI18n } from '@/shared/i18n';
import { compare } from '@/shared/lib/diff';

interface Props {
  job: Job;
  type: JobType;
  close: () => void;
  made: (job: Job) => void;
}

const kNoMistakes: FieldMistake[] = [];

/** Without what is not set: `null` in a record is an input that was left out. */
const given = (params: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(params).filter(([, value]) => value !== null && value !== undefined));

/** The job's form, filled; what differs from it is shown before it is submitted. */
export function Duplicate({ job, type, close, made }: Props) {
  const { t, language } = useI18n();
  const before = useMemo(() => given(job.params), [job.params]);
  const [params, setParams] = useState<JsonObject>(before);
  const [refused, setRefused] = useState<FieldMistake[]>(kNoMistakes);
  const rerun = useRerun();
  const preview = usePreview(type, params);
  const rows = useMemo(
    () => compare([before, given(params)]).filter((row) => row.differs),
    [before, params],
  );
  const mistakes = refused.length ? refused : preview.mistakes;

  const change = (next: JsonObject) => {
    setRefused(kNoMistakes);
    setParams(next);
  };
  const submit = () => {
    // An input that was taken out of the form must not come back from the old job.
    const cleared = Object.keys(job.params).filter((key) => !(key in given(params)));
    rerun.mutate(
      {
        id: job.job_id,
        params: { ...Object.fromEntries(cleared.map((key) => [key, null])), ...given(params) },
      },
      {
        onSuccess: (next) => {
          made(next);
          close();
        },
        onError: (error) => setRefused(error instanceof ApiError ? ofInputs(error.mistakes) : kNoMistakes),
      },
    );
  };

  return (
    <Drawer
      opened
      onClose={close}
      position="right"
      size={680}
      title={t('duplicate.title', { type: titleOf(type, language) })}
      closeButtonProps={{ 'aria-label': t('action.close') }}
    >
      <Stack gap="md">
        <SchemaForm type={type} value={params} onChange={change} mistakes={mistakes} onSubmit={submit} />
        <DiffTable
          title={t('duplicate.changes')}
          rows={rows}
          heads={[t('duplicate.before'), t('duplicate.after')]}
        />
        <CommandPreview preview={preview} />
        {rerun.isError && (
          <Alert color="red" role="alert">
            {messageOf(rerun.error)}
          </Alert>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            {t('action.close')}
          </Button>
          <Button onClick={submit} loading={rerun.isPending}>
            {t('action.submit')}
          </Button>
        </Group>
      </Stack>
    </Drawer>
  );
}
