import {
  IconBan,
  IconCircleCheckFilled,
  IconCircleXFilled,
  IconClockHour4,
  IconLoader2,
} from '@tabler/icons-react';
import type { JobStatus } from '../api/types';
import { useI18n } from '../i18n';
import classes from './StatusBadge.module.css';

const kIcons = {
  QUEUED: IconClockHour4,
  RUNNING: IconLoader2,
  SUCCESS: IconCircleCheckFilled,
  FAILED: IconCircleXFilled,
  CANCELLED: IconBan,
};

interface Props {
  status: JobStatus;
  /** A running job that somebody has cancelled. */
  cancelling?: boolean;
  /** Why it does not run yet. */
  waits?: string | null;
  large?: boolean;
}

export function StatusBadge({ status, cancelling, waits, large }: Props) {
  const { t, said } = useI18n();
  // What a cluster has not begun does not turn.
  const Glyph = kIcons[waits ? 'QUEUED' : status];
  const ending = cancelling && status === 'RUNNING';
  return (
    <span
      className={classes.badge}
      data-status={status}
      title={waits ? said(waits) : undefined}
      data-waits={waits ? true : undefined}
      data-large={large || undefined}
      data-testid="status"
    >
      <Glyph size={large ? 15 : 13} stroke={2.2} aria-hidden />
      {ending ? t('status.CANCELLING') : t(`status.${status}`)}
    </span>
  );
}
