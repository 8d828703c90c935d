import { CloseButton, TextInput } from '@mantine/core';
import type { TextInputProps } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { useState } from 'react';
import { useT } from '../i18n';

interface Props extends Omit<TextInputProps, 'value' | 'onChange'> {
  /** What the address says. */
  value: string;
  onChange: (value: string) => void;
}

/** A field whose value lives in the address: it takes part there a moment after the last key. */
export function AddressInput({ value, onChange, ...props }: Props) {
  const t = useT();
  const [text, setText] = useState(value);
  const [seen, setSeen] = useState(value);
  // The address changed by itself: back, or "clear".
  if (seen !== value) {
    setSeen(value);
    if (value !== text.trim()) setText(value);
  }
  const later = useDebouncedCallback(onChange, { delay: 250, flushOnUnmount: true });
  return (
    <TextInput
      size="xs"
      rightSection={
        text ? (
          <CloseButton
            size="xs"
            aria-label={t('action.clear')}
            onClick={() => {
              setText('');
              later.cancel();
              onChange('');
            }}
          />
        ) : null
      }
      {...props}
      value={text}
      onChange={(event) => {
        setText(event.currentTarget.value);
        later(event.currentTarget.value.trim());
      }}
    />
  );
}
