import {
  ActionIcon,
  AppShell,
  Burger,
  Group,
  Loader,
  Menu,
  Text,
  Tooltip,
  UnstyledButton,
  useMantineColorScheme,
} from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import {
  IconChartLine,
  IconCheck,
  IconDeviceDesktop,
  IconHelp,
  IconLanguage,
  IconLayoutDashboard,
  IconListDetails,
  IconLogout,
  IconMoon,
  IconPlayerPlay,
  IconPlugConnected,
  IconSettings,
  IconStack2,
  IconSun,
  IconTrophy,
} from '@tabler/icons-react';
import type { Icon } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { lazy, Suspense, useEffect } from 'react';
import { NavLink, Outlet, useLocation, useNavigation } from 'react-router';
import { startLive, useLive } from '@/shared/api/live';
import { useQueue } from '@/shared/api/queue';
import { useSession } from '@/shared/api/session';
import { ErrorState } from '@/shared/components/Notice';
import { useI18n } from '@/shared/i18n';
import type { MessageKey } from '@/shared/i18n';
import { useShortcuts } from './shortcuts';
import { signOut } from './signOut';
import classes from './Shell.module.css';

const SignIn = lazy(() =>
  import('@/features/session/SignIn').then((module) => ({ default: module.SignIn })),
);
// Toasts are wanted after something was done, never to show a page.
const Notifications = lazy(() =>
  import('@mantine/notifications').then((module) => ({ default: module.Notifications })),
);
const Help = lazy(() => import('./Help').then((module) => ({ default: module.Help })));

const kPages: { to: string; label: MessageKey; icon: Icon }[] = [
  { to: '/', label: 'nav.dashboard', icon: IconLayoutDashboard },
  { to: '/jobs', label: 'nav.jobs', icon: IconListDetails },
  { to: '/actions', label: 'nav.actions', icon: IconPlayerPlay },
  { to: '/registry', label: 'nav.registry', icon: IconTrophy },
  { to: '/runs', label: 'nav.runs', icon: IconStack2 },
  { to: '/backtests', label: 'nav.backtests', icon: IconChartLine },
  { to: '/admin', label: 'nav.admin', icon: IconSettings },
];

function LiveDot() {
  const { t } = useI18n();
  const live = useLive();
  const key = `live.${live}` as const;
  return (
    <Tooltip label={t(`${key}.hint`)} position="right">
      <Group gap={8} wrap="nowrap" className={classes.live} role="status" tabIndex={0}>
        <span className={classes.dot} data-live={live} aria-hidden />
        <Text size="xs" c="dimmed">
          {t(key)}
        </Text>
      </Group>
    </Tooltip>
  );
}

function ColorSchemeMenu() {
  const { t } = useI18n();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const choices = [
    { value: 'light', label: t('theme.light'), icon: IconSun },
    { value: 'dark', label: t('theme.dark'), icon: IconMoon },
    { value: 'auto', label: t('theme.auto'), icon: IconDeviceDesktop },
  ] as const;
  const Current = choices.find((choice) => choice.value === colorScheme)?.icon ?? IconSun;
  return (
    <Menu position="top-start" withinPortal>
      <Menu.Target>
        <ActionIcon aria-label={t('theme')} title={t('theme')}>
          <Current size={17} stroke={1.7} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {choices.map(({ value, label, icon: Glyph }) => (
          <Menu.Item
            key={value}
            leftSection={<Glyph size={16} stroke={1.7} />}
            rightSection={value === colorScheme ? <IconCheck size={14} /> : null}
            onClick={() => setColorScheme(value)}
          >
            {label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function LanguageMenu() {
  const { t, language, setLanguage } = useI18n();
  return (
    <Menu position="top-start" withinPortal>
      <Menu.Target>
        <ActionIcon aria-label={t('language')} title={t('language')}>
          <IconLanguage size={17} stroke={1.7} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {(
          [
            ['en', 'English'],
            ['zh-TW', '繁體中文'],
          ] as const
        ).map(([value, label]) => (
          <Menu.Item
            key={value}
            lang={value}
            rightSection={value === language ? <IconCheck size={14} /> : null}
            onClick={() => setLanguage(value)}
          >
            {label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function Navigation({ close, showHelp }: { close: () => void; showHelp: () => void }) {
  const { t } = useI18n();
  const session = useSession().data;
  const queue = useQueue().data;
  const active = queue ? queue.running.length + queue.queued : 0;
  return (
    <>
      <AppShell.Section className={classes.brand} visibleFrom="sm">
        <NavLink to="/" className={classes.logo} onClick={close}>
          <img src="/icon.svg" width={22} height={22} alt="" />
          Runyard
        </NavLink>
      </AppShell.Section>
      <AppShell.Section grow component="ul" className={classes.list}>
        {kPages.map(({ to, label, icon: Glyph }) => (
          <li key={to}>
            <NavLink to={to} end={to === '/'} className={classes.link} onClick={close}>
              <Glyph size={17} stroke={1.7} aria-hidden />
              <span>{t(label)}</span>
              {to === '/jobs' && active > 0 && (
                <span className={`${classes.count} num`} title={t('nav.active', { n: active })}>
                  {active > 999 ? '999+' : active}
                </span>
              )}
            </NavLink>
          </li>
        ))}
      </AppShell.Section>
      <AppShell.Section className={classes.foot}>
        <LiveDot />
        <Group gap={2} justify="space-between" wrap="nowrap">
          <Group gap={2} wrap="nowrap">
            <ColorSchemeMenu />
            <LanguageMenu />
            <ActionIcon aria-label={t('help')} title={`${t('help')} (?)`} onClick={showHelp}>
              <IconHelp size={17} stroke={1.7} />
            </ActionIcon>
            <ActionIcon component="a" href="/docs" aria-label={t('nav.api')} title={t('nav.api')}>
              <IconPlugConnected size={17} stroke={1.7} />
            </ActionIcon>
          </Group>
          {session?.auth_required && session.authenticated && (
            <Tooltip label={t('session.signOut.who', { name: session.name ?? session.role ?? '' })}>
              <ActionIcon aria-label={t('session.signOut')} onClick={() => void signOut()}>
                <IconLogout size={17} stroke={1.7} />
              </ActionIcon>
            </Tooltip>
          )}
        </Group>
      </AppShell.Section>
    </>
  );
}

export function Shell() {
  const { t } = useI18n();
  const [opened, { toggle, close }] = useDisclosure(false);
  const [help, { open: showHelp, close: hideHelp }] = useDisclosure(false);
  const session = useSession();
  const navigation = useNavigation();
  const { pathname } = useLocation();
  useShortcuts(showHelp);
  useEffect(() => close(), [pathname, close]);
  const client = useQueryClient();
  const open = session.data !== undefined && (!session.data.auth_required || session.data.authenticated);
  useEffect(() => (open ? startLive(client) : undefined), [open, client]);

  if (session.isPending) return null;
  // What is known of the session stands while the server is away: the page is kept, with what was typed.
  if (!session.data) return <ErrorState error={session.error} retry={() => void session.refetch()} />;
  if (!open) {
    return (
      <Suspense fallback={null}>
        <SignIn />
      </Suspense>
    );
  }

  return (
    <AppShell
      layout="alt"
      navbar={{ width: 208, breakpoint: 'sm', collapsed: { mobile: !opened } }}
      header={{ height: { base: 48, sm: 0 } }}
      padding={0}
    >
      {/* Here, because toasts have links. */}
      <Suspense fallback={null}>
        <Notifications position="bottom-right" limit={4} autoClose={6000} />
      </Suspense>
      <a href="#main" className="skip-link">
        {t('nav.skip')}
      </a>
      <AppShell.Header hiddenFrom="sm" className={classes.header}>
        <Burger
          opened={opened}
          onClick={toggle}
          size="sm"
          aria-label={t(opened ? 'nav.close' : 'nav.open')}
          aria-expanded={opened}
        />
        <UnstyledButton component={NavLink} to="/" className={classes.logo}>
          <img src="/icon.svg" width={22} height={22} alt="" />
          Runyard
        </UnstyledButton>
      </AppShell.Header>
      <AppShell.Navbar className={classes.navbar} aria-label={t('nav.label')}>
        <Group hiddenFrom="sm" h={48} px="md">
          <Burger opened={opened} onClick={toggle} size="sm" aria-label={t('nav.close')} />
        </Group>
        <Navigation close={close} showHelp={showHelp} />
      </AppShell.Navbar>
      <AppShell.Main id="main" tabIndex={-1} className={classes.main}>
        {navigation.state === 'loading' && (
          <Loader size={16} className={classes.loading} aria-label={t('loading')} />
        )}
        <Outlet />
      </AppShell.Main>
      {help && (
        <Suspense fallback={null}>
          <Help close={hideHelp} />
        </Suspense>
      )}
    </AppShell>
  );
}
