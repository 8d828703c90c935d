import { CloseButton, TextInput } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import { useSearchParams } from 'react-router';
import { useT } from '../i18n';

/** `?ticker=` of a list: names are whole, so it asks when one is written to its end. */
export function TickerFilter({ label }: { label?: string }) {
  const t = useT();
  const [search, setSearch] = useSearchParams();
  const value = search.get('ticker') ?? '';
  const set = (next: string) => {
    if (next.trim() === value) return;
    setSearch(
      (old) => {
        const others = new URLSearchParams(old);
        others.delete('page');
        others.delete('ticker');
        if (next.trim()) others.set('ticker', next.trim());
        return others;
      },
      { replace: true },
    );
  };
  return (
    <TextInput
      key={value}
      size="xs"
      w={label ? 160 : 180}
      data-search
      label={label}
      aria-label={t('model.ticker')}
      placeholder={label ? undefined : t('model.ticker')}
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
