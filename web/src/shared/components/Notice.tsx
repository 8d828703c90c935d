import { Button, Skeleton, Stack, Text } from '@mantine/core';
import { IconAlertTriangle, IconPlugConnectedX } from '@tabler/icons-react';
import type { Icon } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { ApiError, messageOf } from '../api/client';
import { useT } from '../i18n';
import classes from './Notice.module.css';

interface Props {
  icon: Icon;
  title: string;
  text?: ReactNode;
  action?: ReactNode;
  role?: 'alert' | 'status';
  compact?: boolean;
}

/** What is shown instead of a content: nothing there yet, nothing found, or it failed. */
export function Notice({ icon: Glyph, title, text, action, role, compact }: Props) {
  return (
    <div className={classes.root} data-compact={compact || undefined} role={role}>
      <Glyph size={compact ? 22 : 30} stroke={1.4} className={classes.icon} aria-hidden />
      <Text fw={600} component={compact ? 'p' : 'h2'} m={0} size={compact ? 'sm' : 'md'}>
        {title}
      </Text>
      {text && (
        <Text size="sm" c="dimmed" maw={520} component="div">
          {text}
        </Text>
      )}
      {action && <div className={classes.action}>{action}</div>}
    </div>
  );
}

export function ErrorState({
  error,
  retry,
  compact,
}: {
  error: unknown;
  retry?: () => void;
  compact?: boolean;
}) {
  const t = useT();
  const unreachable = error instanceof ApiError && error.unreachable;
  return (
    <Notice
      role="alert"
      compact={compact ?? false}
      icon={unreachable ? IconPlugConnectedX : IconAlertTriangle}
      title={unreachable ? t('error.unreachable') : t('error.failed')}
      text={unreachable ? t('error.unreachable.text') : messageOf(error)}
      action={retry && <Button variant="default" onClick={retry}>{t('action.retry')}</Button>}
    />
  );
}

/** Grey lines of about the size of what comes, so that nothing jumps when it is there. */
export function LoadingState({ lines = 5, height = 18 }: { lines?: number; height?: number }) {
  const t = useT();
  return (
    <Stack gap={10} p="md" role="status" aria-label={t('loading')}>
      {Array.from({ length: lines }, (_, index) => (
        <Skeleton key={index} height={height} width={`${95 - ((index * 17) % 40)}%`} />
      ))}
    </Stack>
  );
}
