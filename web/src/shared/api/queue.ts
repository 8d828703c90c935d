import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api } from './client';
import { usePolling } from './live';
import type { Queue } from './types';

export function useQueue() {
  const polling = usePolling();
  return useQuery({
    queryKey: ['queue'],
    queryFn: ({ signal }) => api<Queue>('/api/admin/queue', { signal }),
    refetchInterval: polling,
  });
}

export function useQueueMode() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (mode: 'pause' | 'resume' | 'drain') =>
      api<Queue>(`/api/admin/queue/${mode}`, { method: 'POST' }),
    onSuccess: (queue) => client.setQueryData(['queue'], queue),
  });
}
