import { Button, Group, Text } from '@mantine/core';
import { useT } from '../i18n';
import { formatNumber } from '../lib/format';

interface Props {
  shown: number;
  total: number;
  hasMore: boolean;
  busy: boolean;
  load: () => void;
}

export function MoreRows({ shown, total, hasMore, busy, load }: Props) {
  const t = useT();
  return (
    <Group gap="md" px="md" py={8} justify="space-between">
      <Text size="xs" c="dimmed" className="num" role="status">
        {t('table.shown', { shown: formatNumber(shown), total: formatNumber(total) })}
      </Text>
      {hasMore && (
        <Button size="compact-xs" variant="default" loading={busy} onClick={load}>
          {t('table.more')}
        </Button>
      )}
    </Group>
  );
}
