import { request } from '@/shared/api/client';

/** Everything that this page knows goes with the session. */
export async function signOut(): Promise<void> {
  await request('/api/session', { method: 'DELETE' }).catch(() => undefined);
  location.assign('/');
}
