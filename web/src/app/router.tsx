import { createBrowserRouter } from 'react-router';
import type { RouteObject } from 'react-router';
import { Shell } from './Shell';
import { NotFound, RouteError } from './RouteError';

type Page = { Component: React.ComponentType };

/** Each page is its own file, loaded when it is first opened. */
const page = (path: string, load: () => Promise<Page>): RouteObject => ({ path, lazy: load });

export const router = createBrowserRouter([
  {
    Component: Shell,
    ErrorBoundary: RouteError,
    HydrateFallback: () => null,
    children: [
      {
        ErrorBoundary: RouteError,
        children: [
          page('/', () => import('@/features/dashboard/DashboardPage')),
          page('/jobs', () => import('@/features/jobs/JobsPage')),
          page('/jobs/compare', () => import('@/features/jobs/CompareJobsPage')),
          page('/jobs/:id', () => import('@/features/job/JobPage')),
          page('/actions', () => import('@/features/actions/ActionsPage')),
          page('/registry', () => import('@/features/registry/RegistryPage')),
          page('/registry/compare', () => import('@/features/registry/CompareModelsPage')),
          page('/runs', () => import('@/features/runs/RunsPage')),
          page('/runs/compare', () => import('@/features/runs/CompareRunsPage')),
          page('/runs/:id', () => import('@/features/runs/RunPage')),
          page('/backtests', () => import('@/features/backtests/BacktestsPage')),
          page('/backtests/compare', () => import('@/features/backtests/CompareBacktestsPage')),
          page('/backtests/:id', () => import('@/features/backtests/BacktestPage')),
          page('/admin', () => import('@/features/admin/AdminPage')),
          { path: '*', Component: NotFound },
        ],
      },
    ],
  },
]);
