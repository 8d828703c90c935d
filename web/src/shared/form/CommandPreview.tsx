import { Text } from '@mantine/core';
import { Fragment } from 'react';
import { Copy } from '../components/Bits';
import { Panel } from '../components/Page';
import { useT } from '../i18n';
import { shellQuote } from '../lib/format';
import type { Preview } from './preview';
import classes from './form.module.css';

/** What fits on a line of the narrowest panel. */
const kShort = 30;

export function CommandLine({ command }: { command: string[] }) {
  return (
    <pre className={`mono ${classes.command}`}>
      {command.map((argument, index) => (
        <Fragment key={index}>
          <span
            className={argument.startsWith('-') ? classes.option : undefined}
            data-short={argument.length <= kShort || undefined}
          >
            {shellQuote(argument)}
          </span>{' '}
        </Fragment>
      ))}
    </pre>
  );
}

export function CommandPreview({ preview }: { preview: Preview }) {
  const t = useT();
  const { command, mistakes, detail } = preview;
  return (
    <Panel
      title={t('preview.title')}
      aside={command && <Copy value={command.map(shellQuote).join(' ')} label={t('preview.copy')} />}
    >
      <div aria-live="polite" data-testid="preview">
        {command ? (
          <CommandLine command={command} />
        ) : (
          <Text size="sm" c="dimmed">
            {mistakes.length ? t('preview.mistakes', { n: mistakes.length }) : (detail ?? t('preview.none'))}
          </Text>
        )}
      </div>
    </Panel>
  );
}
