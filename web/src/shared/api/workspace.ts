import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { api, ApiError, request, url } from './client';
import type { Backtest, BacktestRow, BestModel, RegistryModel, Run, RunRow, Trade } from './types';

/** Lists of the workspace: a page at a time, with how many there are in all. */
interface Listed<Row> {
  rows: Row[];
  total: number;
}

async function page<Row>(path: string, signal: AbortSignal): Promise<Listed<Row>> {
  const response = await request(path, { signal });
  const rows = (await response.json()) as Row[];
  return { rows, total: Number(response.headers.get('X-Total-Count') ?? rows.length) };
}

function useList<Row>(key: string, path: string, query: Record<string, string | number | undefined>, limit: number) {
  return useInfiniteQuery({
    queryKey: [key, 'list', query, limit],
    queryFn: ({ pageParam, signal }) => page<Row>(url(path, { ...query, limit, offset: pageParam }), signal),
    initialPageParam: 0,
    getNextPageParam: (last, pages) => {
      const loaded = pages.reduce((sum, each) => sum + each.rows.length, 0);
      return last.rows.length > 0 && loaded < last.total ? loaded : null;
    },
    placeholderData: keepPreviousData,
  });
}

export const useRuns = (ticker?: string, limit = 50) =>
  useList<RunRow>('runs', '/api/runs/recent', { ticker }, limit);
export const useBacktests = (ticker?: string, limit = 50) =>
  useList<BacktestRow>('backtests', '/api/backtests/recent', { ticker }, limit);
export const useTrades = (id: string) =>
  useList<Trade>('backtests', `/api/backtests/${id}/trades`, { id }, 200);

export interface ModelQuery {
  ticker?: string | undefined;
  mode?: string | undefined;
  min_lift?: string | undefined;
  min_precision?: string | undefined;
  min_support?: string | undefined;
  max_buy_rate?: string | undefined;
  sort?: string | undefined;
  limit: number;
  offset: number;
}

/** Until a registry is written its addresses answer 404, which a browser reports as an error; so look first. */
async function hasRegistry(signal: AbortSignal): Promise<boolean> {
  const files = await api<unknown[]>('/api/files?under=reports/registry&kind=file&limit=1', { signal });
  return files.length > 0;
}

export const useModels = (query: ModelQuery) =>
  useQuery({
    queryKey: ['registry', 'models', query],
    queryFn: async ({ signal }): Promise<Listed<RegistryModel>> =>
      (await hasRegistry(signal))
        ? page(url('/api/registry/models', { ...query }), signal)
        : { rows: [], total: 0 },
    placeholderData: keepPreviousData,
  });

export const useBest = () =>
  useQuery({
    queryKey: ['registry', 'best'],
    queryFn: async ({ signal }) =>
      (await hasRegistry(signal)) ? api<BestModel[]>('/api/registry/best', { signal }) : [],
  });

export const runQuery = (id: string) => ({
  queryKey: ['run', id],
  queryFn: ({ signal }: { signal: AbortSignal }) => api<Run>(`/api/runs/${encodeURIComponent(id)}`, { signal }),
});

export const backtestQuery = (id: string) => ({
  queryKey: ['backtests', 'one', id],
  queryFn: ({ signal }: { signal: AbortSignal }) =>
    api<Backtest>(`/api/backtests/${encodeURIComponent(id)}`, { signal }),
});

export const isMissing = (error: unknown) => error instanceof ApiError && error.status === 404;
