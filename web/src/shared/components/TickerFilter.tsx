import { CloseButton, TextInput } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import { useSearchParams } from 'react-router';
import { useT } from '../i18n';

/** `?ticker=` of a list. */
export function TickerFilter() {
  const t = useT();
  const [search, setSearch] = useSearchParams();
  const value = search.get('ticker') ?? '';
  const set = (next: string) => {
    if (next.trim() !== value) setSearch(next.trim() ? { ticker: next.trim() } : {}, { replace: true });
  };
  return (
    <TextInput
      key={value}
      size="xs"
      w={180}
      data-search
      aria-label={t('model.ticker')}
      placeholder={t('model.ticker')}
      leftSection={<IconSearch size={14} />}
      rightSection={value && <CloseButton size="xs" aria-label={t('action.clear')} onClick={() => set('')} />}
      defaultValue={value}
      onBlur={(event) => set(event.currentTarget.value)}
      onKeyDown={(event) => {
        if (event.key === 'Enter') set(event.currentTarget.value);
      }}
    />
  );
}
