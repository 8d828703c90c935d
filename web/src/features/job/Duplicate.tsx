import { Alert, Button, Drawer, Group, Stack } from '@mantine/core';
import { useMemo, useState } from 'react';
import { ApiError, messageOf } from '@/shared/api/client';
import { useRerun } from '@/shared/api/jobs';
import type { FieldMistake, Job, JobOptions, JobType, JsonObject } from '@/shared/api/types';
import { DiffTable } from '@/shared/components/DiffTable';
import { CommandPreview } from '@/shared/form/CommandPreview';
import { Fold } from '@/shared/form/Fold';
import { ofInputs, ofOptions, withoutOptions } from '@/shared/form/mistakes';
import { usePreview } from '@/shared/form/preview';
import { changedOptions, optionsOf } from '@/shared/form/run_options';
import { RunOptions } from '@/shared/form/RunOptions';
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

/** The inputs and, as a submit has them, how it is run: what the diff compares. */
const withOptions = (params: JsonObject, options: JobOptions): JsonObject => ({
  ...params,
  ...Object.fromEntries(Object.entries(options).map(([name, value]) => [`_job.${name}`, value])),
});

/** The job's form, filled; what differs from it is shown before it is submitted. */
export function Duplicate({ job, type, close, made }: Props) {
  const { t, language } = useI18n();
  const before = useMemo(() => given(job.params), [job.params]);
  const [params, setParams] = useState<JsonObject>(before);
  const optionsBefore = useMemo(() => optionsOf(job), [job]);
  const [options, setOptions] = useState<JobOptions>(optionsBefore);
  const [refused, setRefused] = useState<FieldMistake[]>(kNoMistakes);
  const rerun = useRerun();
  const preview = usePreview(type, params);
  const changed = changedOptions(type, optionsBefore, options);
  const rows = compare([
    withOptions(before, optionsBefore),
    withOptions(given(params), { ...optionsBefore, ...changed }),
  ]).filter((row) => row.differs);
  const mistakes = refused.length ? withoutOptions(refused) : preview.mistakes;
  const optionErrors = ofOptions(refused);

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
        _job: changed,
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
        <Fold title={t('options.title')} open={optionErrors.size > 0}>
          <RunOptions type={type} value={options} onChange={setOptions} errors={optionErrors} />
        </Fold>
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
