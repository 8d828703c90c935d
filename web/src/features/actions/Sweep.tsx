import { ActionIcon, Button, Group, Select, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { IconPlus, IconX } from '@tabler/icons-react';
import type { JobType } from '@/shared/api/types';
import { labelOf } from '@/shared/form/ui_schema';
import { useI18n } from '@/shared/i18n';
import { splitValues, sweepable } from './sweep';
import type { Axis } from './sweep';

interface Props {
  type: JobType;
  axes: Axis[];
  onChange: (axes: Axis[]) => void;
}

export function Sweep({ type, axes, onChange }: Props) {
  const { t, language } = useI18n();
  const fields = sweepable(type);
  const replace = (index: number, axis: Partial<Axis>) =>
    onChange(axes.map((each, at) => (at === index ? { ...each, ...axis } : each)));
  if (fields.length === 0) return <Text size="sm" c="dimmed">{t('sweep.nothing')}</Text>;
  return (
    <Stack gap="sm">
      <Text size="sm" c="dimmed">
        {t('sweep.text')}
      </Text>
      {axes.map((axis, index) => {
        const kind = fields.find((each) => each.field === axis.field)?.kind;
        const count = splitValues(axis.text).length;
        return (
          <Group key={index} align="flex-start" gap="xs" wrap="nowrap">
            <Stack gap={6} w={190} style={{ flex: 'none' }}>
              <Select
                size="xs"
                aria-label={t('sweep.field')}
                allowDeselect={false}
                data={fields.map((each) => ({ value: each.field, label: labelOf(type, each.field, language) }))}
                value={axis.field}
                onChange={(field) => field && replace(index, { field })}
              />
              {kind === 'override' && (
                <TextInput
                  size="xs"
                  aria-label={t('sweep.key')}
                  placeholder="train.seed"
                  value={axis.key ?? ''}
                  onChange={(event) => replace(index, { key: event.currentTarget.value })}
                />
              )}
            </Stack>
            <Textarea
              size="xs"
              autosize
              minRows={kind === 'override' ? 3 : 1}
              maxRows={8}
              style={{ flex: 1 }}
              aria-label={t('sweep.values')}
              placeholder={t('sweep.values.hint')}
              description={count ? t('sweep.count', { n: count }) : undefined}
              inputWrapperOrder={['input', 'description']}
              value={axis.text}
              onChange={(event) => replace(index, { text: event.currentTarget.value })}
            />
            <ActionIcon
              aria-label={t('sweep.remove')}
              mt={2}
              onClick={() => onChange(axes.filter((_, at) => at !== index))}
            >
              <IconX size={15} />
            </ActionIcon>
          </Group>
        );
      })}
      <Button
        variant="default"
        leftSection={<IconPlus size={14} />}
        style={{ alignSelf: 'flex-start' }}
        onClick={() => onChange([...axes, { field: fields.at(axes.length % fields.length)!.field, text: '' }])}
      >
        {t('sweep.add')}
      </Button>
    </Stack>
  );
}
