import { useQuery } from '@tanstack/react-query';
import { api, ApiError } from './client';
import type { Session } from './types';

const kOpen: Session = { auth_required: false, authenticated: true, role: 'admin', name: null };

export function useSession() {
  return useQuery({
    queryKey: ['session'],
    queryFn: async ({ signal }) => {
      try {
        return await api<Session>('/api/session', { signal });
      } catch (error) {
        // A server without sign-in has no such address.
        if (error instanceof ApiError && error.status === 404) return kOpen;
        throw error;
      }
    },
    staleTime: 5 * 60_000,
  });
}

const kRanks = { viewer: 0, operator: 1, admin: 2 };

/** Whether this person may; the server decides, this only spares them a button that would refuse. */
export function useMay(role: 'operator' | 'admin'): boolean {
  const session = useSession().data ?? kOpen;
  if (!session.auth_required) return true;
  return kRanks[session.role ?? 'viewer'] >= kRanks[role];
}
