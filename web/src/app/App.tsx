import { localStorageColorSchemeManager, MantineProvider } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { RouterProvider } from 'react-router';
import { ApiError, whenSignedOut } from '@/shared/api/client';
import { I18nProvider } from '@/shared/i18n';
import { router } from './router';
import { theme, variables } from './theme';

const colorScheme = localStorageColorSchemeManager({ key: 'runyard-color-scheme' });

function newClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 5000,
        // What the server says is final; what it cannot say is asked again.
        retry: (count, error) => count < 2 && !(error instanceof ApiError && error.status > 0),
        retryDelay: 600,
        networkMode: 'always',
      },
      mutations: { networkMode: 'always' },
    },
  });
}

export function App() {
  const [client] = useState(newClient);
  useEffect(() => {
    whenSignedOut(() => void client.invalidateQueries({ queryKey: ['session'] }));
  }, [client]);
  return (
    <MantineProvider
      theme={theme}
      cssVariablesResolver={variables}
      colorSchemeManager={colorScheme}
      defaultColorScheme="auto"
    >
      <QueryClientProvider client={client}>
        <I18nProvider>
          <RouterProvider router={router} />
        </I18nProvider>
      </QueryClientProvider>
    </MantineProvider>
  );
}
