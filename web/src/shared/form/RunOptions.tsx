import { Checkbox, NumberInput, SimpleGrid, TagsInput, TextInput } from '@mantine/core';
import type { JobOptions, JobType } from '../api/types';
import { useT } from '../i18n';

interface Props {
  type: JobType;
  value: JobOptions;
  onChange: (value: JobOptions) => void;
  /** What the server says, by option. */
  errors: Map<string, string>;
}

/** `_job`: how the job is run. What is left empty is the job type's own choice. */
export function RunOptions({ type, value, onChange, errors }: Props) {
  const t = useT();
  const set = <K extends keyof JobOptions>(key: K, next: JobOptions[K] | '' | undefined) => {
    const empty = next === '' || next === undefined || (Array.isArray(next) && next.length === 0);
    const others = Object.entries(value).filter(([name]) => name !== key);
    onChange(Object.fromEntries(empty ? others : [...others, [key, next]]) as JobOptions);
  };
  const number = (
    key: 'priority' | 'timeout_sec' | 'max_retries' | 'slots' | 'gpus' | 'memory_mb',
    fallback: number,
  ) => (
    <NumberInput
      key={key}
      label={t(`options.${key}`)}
      description={t(`options.${key}.hint`)}
      placeholder={String(fallback)}
      min={key === 'priority' ? -1_000_000 : 0}
      allowDecimal={false}
      value={value[key] ?? ''}
      error={errors.get(key)}
      onChange={(next) => set(key, next === '' ? '' : Number(next))}
    />
  );
  const { defaults } = type;
  return (
    <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="md" verticalSpacing="sm">
      <TextInput
        label={t('options.name')}
        description={t('options.name.hint')}
        value={value.name ?? ''}
        error={errors.get('name')}
        onChange={(event) => set('name', event.currentTarget.value)}
      />
      <TextInput
        label={t('options.group')}
        description={t('options.group.hint')}
        value={value.group ?? ''}
        error={errors.get('group')}
        onChange={(event) => set('group', event.currentTarget.value)}
      />
      {number('priority', 0)}
      {number('timeout_sec', defaults.timeout_sec ?? 0)}
      {number('max_retries', defaults.max_retries ?? 0)}
      {number('slots', defaults.slots ?? 1)}
      {number('gpus', defaults.gpus ?? 0)}
      {number('memory_mb', defaults.memory_mb ?? 0)}
      <TagsInput
        label={t('options.after')}
        description={t('options.after.hint')}
        placeholder={value.after?.length ? '' : 'job_…'}
        splitChars={[',', ' ', '\n']}
        value={value.after ?? []}
        error={errors.get('after')}
        onChange={(next) => set('after', next)}
      />
      <Checkbox
        mt="xs"
        label={t('options.retry_lost')}
        description={t('options.retry_lost.hint')}
        checked={value.retry_lost ?? false}
        error={errors.get('retry_lost')}
        onChange={(event) => set('retry_lost', event.currentTarget.checked || undefined)}
      />
    </SimpleGrid>
  );
}
