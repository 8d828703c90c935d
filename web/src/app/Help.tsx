import { Kbd, Modal, Table, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api } from '@/shared/api/client';
import { useT } from '@/shared/i18n';
import type { MessageKey } from '@/shared/i18n';

const kKeys: [string[], MessageKey][] = [
  [['g', 'd'], 'nav.dashboard'],
  [['g', 'j'], 'nav.jobs'],
  [['g', 'a'], 'nav.actions'],
  [['g', 'r'], 'nav.registry'],
  [['g', 'u'], 'nav.runs'],
  [['g', 'b'], 'nav.backtests'],
  [['g', 'm'], 'nav.admin'],
  [['/'], 'help.search'],
  [['Enter'], 'help.next'],
  [['Shift', 'Enter'], 'help.previous'],
  [['?'], 'help.this'],
];

export function Help({ close }: { close: () => void }) {
  const t = useT();
  const version = useQuery({
    queryKey: ['version'],
    queryFn: () => api<{ version: string }>('/api/version'),
  });
  return (
    <Modal opened onClose={close} title={t('help.title')} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <Table verticalSpacing={5}>
        <Table.Tbody>
          {kKeys.map(([keys, label]) => (
            <Table.Tr key={label}>
              <Table.Td w={150}>
                {keys.map((key) => (
                  <Kbd key={key} mr={4}>
                    {key}
                  </Kbd>
                ))}
              </Table.Td>
              <Table.Td>{t(label)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <Text size="xs" c="dimmed" mt="md">
        {t('help.more')} <code>runyard --help</code> · <a href="/docs">{t('nav.api')}</a>
        {version.data && ` · Runyard ${version.data.version}`}
      </Text>
    </Modal>
  );
}
