import {
  IconBan,
  IconCircleCheckFilled,
  IconCircleXFilled,
  IconClockHour4,
  IconLoader2,
} from '@tabler/icons-react';
import type { JobStatus } from '../api/types';
import { useT } from '../i18n';
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
  large?: boolean;
}

export function StatusBadge({ status, cancelling, large }: Props) {
  const t = useT();
  const Glyph = kIcons[status];
  const ending = cancelling && status === 'RUNNING';
  return (
    <span
      className={classes.badge}
      data-status={status}
      data-large={large || undefined}
      data-testid="status"
    >
      <Glyph size={large ? 15 : 13} stroke={2.2} aria-hidden />
      {ending ? t('status.CANCELLING') : t(`status.${status}`)}
    </span>
  );
}
