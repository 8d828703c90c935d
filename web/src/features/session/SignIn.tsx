import { Alert, Button, Center, Code, Paper, PasswordInput, Stack, Text, Title } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { api, ApiError, messageOf } from '@/shared/api/client';
import type { Session } from '@/shared/api/types';
import { useT } from '@/shared/i18n';

export function SignIn() {
  const t = useT();
  const client = useQueryClient();
  const [token, setToken] = useState('');
  const signIn = useMutation({
    mutationFn: (value: string) => api<Session>('/api/session', { method: 'POST', body: { token: value } }),
    onSuccess: () => {
      // Everything that was refused is asked again, the stream of events too.
      client.clear();
      location.reload();
    },
  });
  useEffect(() => {
    document.title = `${t('session.signIn')} · Runyard`;
  }, [t]);
  const wrong = signIn.error instanceof ApiError && signIn.error.status === 401;
  return (
    <Center component="main" mih="100dvh" p="md">
      <Paper withBorder p="xl" w={400} maw="100%" radius="md">
        <form
          onSubmit={(event) => {
            event.preventDefault();
            signIn.mutate(token.trim());
          }}
        >
          <Stack gap="md">
            <div style={{ display: 'flex', alignItems: 'center', gap: 10 }}>
              <img src="/icon.svg" width={26} height={26} alt="" />
              <Title order={1}>{t('session.title')}</Title>
            </div>
            <Text size="sm" c="dimmed">
              {t('session.text')}
            </Text>
            <PasswordInput
              label={t('session.token')}
              value={token}
              onChange={(event) => setToken(event.currentTarget.value)}
              autoComplete="current-password"
              autoFocus
              required
              visibilityToggleButtonProps={{ 'aria-label': t('session.show') }}
              error={wrong ? t('session.wrong') : undefined}
            />
            {signIn.isError && !wrong && (
              <Alert color="red" role="alert">
                {messageOf(signIn.error)}
              </Alert>
            )}
            <Button type="submit" size="sm" loading={signIn.isPending} disabled={!token.trim()}>
              {t('session.signIn')}
            </Button>
            <Text size="xs" c="dimmed">
              {t('session.how')} <Code>runyard token add</Code>
            </Text>
          </Stack>
        </form>
      </Paper>
    </Center>
  );
}
