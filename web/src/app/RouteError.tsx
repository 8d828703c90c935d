import { Button, Group } from '@mantine/core';
import { IconAlertTriangle, IconMapOff } from '@tabler/icons-react';
import { isRouteErrorResponse, Link, useLocation, useRouteError } from 'react-router';
import { messageOf } from '@/shared/api/client';
import { Notice } from '@/shared/components/Notice';
import { useT } from '@/shared/i18n';

/** A page that failed to load (the server was upgraded under it, say) or broke. */
export function RouteError() {
  const t = useT();
  const error = useRouteError();
  if (isRouteErrorResponse(error) && error.status === 404) return <NotFound />;
  return (
    <Notice
      icon={IconAlertTriangle}
      title={t('error.page')}
      text={`${messageOf(error)} ${t('error.page.hint')}`}
      role="alert"
      action={
        <Group>
          <Button onClick={() => location.reload()}>{t('action.reload')}</Button>
          <Button component={Link} to="/jobs" variant="default" reloadDocument>
            {t('nav.jobs')}
          </Button>
        </Group>
      }
    />
  );
}

export function NotFound() {
  const t = useT();
  const { pathname } = useLocation();
  return (
    <Notice
      icon={IconMapOff}
      title={t('error.notFound')}
      text={t('error.notFound.text', { path: pathname })}
      action={
        <Button component={Link} to="/">
          {t('nav.dashboard')}
        </Button>
      }
    />
  );
}
