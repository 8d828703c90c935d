import type { ChartOption } from '@/shared/components/echarts';
import type { EquityPoint } from '@/shared/api/types';
import { formatCompact, formatNumber, formatPercent } from '@/shared/lib/format';

export interface Curve {
  name: string;
  points: EquityPoint[];
}

type Point = [string, number | null];

const day = (point: EquityPoint) => (point.date ?? '').slice(0, 10);

/** How far below its highest value so far. */
export function drawdown(points: EquityPoint[]): Point[] {
  let peak = -Infinity;
  return points.map((point) => {
    const value = point.portfolio_value;
    if (value === null) return [day(point), null];
    peak = Math.max(peak, value);
    return [day(point), peak > 0 ? value / peak - 1 : 0];
  });
}

/**
 * Gain on the money paid in so far, so that accounts of different sizes can be laid over each other and
 * money that comes in later is no gain; without such a column, gain since the first value.
 */
export function relative(points: EquityPoint[]): Point[] {
  const first = points.find((point) => point.portfolio_value)?.portfolio_value ?? 0;
  const sums = points.flatMap((point) => point.injected_cash ?? []);
  const known = sums.some((sum) => sum > 0) && sums.every((sum, index) => sum >= (sums[index - 1] ?? 0));
  let paid = known ? 0 : first;
  return points.map((point) => {
    if (known) paid = point.injected_cash ?? paid;
    return [day(point), point.portfolio_value === null || paid <= 0 ? null : point.portfolio_value / paid - 1];
  });
}

interface Names {
  portfolio: string;
  benchmark: string;
  drawdown: string;
  worst: string;
}

type Window = { mdd_peak_date: string | null; mdd_trough_date: string | null; mdd_recovery_date: string | null };

const kGrids = (lower: number) => [
  { left: 64, right: 20, top: 34, bottom: lower + 84 },
  { left: 64, right: 20, height: lower, bottom: 62 },
];

const kZoom = [
  { type: 'inside' as const, xAxisIndex: [0, 1] },
  { type: 'slider' as const, xAxisIndex: [0, 1], height: 22, bottom: 14 },
];

const line = { type: 'line' as const, showSymbol: false, connectNulls: true, sampling: 'lttb' as const };

function axes(percent: boolean) {
  const label = { formatter: (value: number) => (percent ? formatPercent(value, 0) : formatCompact(value)) };
  return {
    xAxis: [
      { type: 'time' as const, gridIndex: 0, axisLabel: { show: false }, axisTick: { show: false } },
      { type: 'time' as const, gridIndex: 1 },
    ],
    yAxis: [
      { type: 'value' as const, gridIndex: 0, scale: true, axisLabel: label },
      {
        type: 'value' as const,
        gridIndex: 1,
        max: 0,
        splitNumber: 2,
        axisLabel: { formatter: (value: number) => formatPercent(value, 0) },
      },
    ],
    axisPointer: { link: [{ xAxisIndex: 'all' as const }] },
  };
}

/** Value and benchmark above, drawdown below, the worst window marked in both; one zoom. */
export function equityOption(points: EquityPoint[], window: Window | null, names: Names): ChartOption {
  const from = window?.mdd_peak_date?.slice(0, 10);
  const to = (window?.mdd_recovery_date ?? window?.mdd_trough_date ?? points.at(-1)?.date ?? undefined)?.slice(0, 10);
  const markArea =
    from && to
      ? {
          silent: true,
          itemStyle: { color: 'rgba(214, 69, 61, 0.1)' },
          label: { color: 'inherit', fontSize: 11, position: 'insideTop' as const },
          data: [[{ name: names.worst, xAxis: from }, { xAxis: to }]] as [
            { name: string; xAxis: string },
            { xAxis: string },
          ][],
        }
      : undefined;
  const value = (key: 'portfolio_value' | 'benchmark_value'): Point[] =>
    points.map((point) => [day(point), point[key]]);
  const benchmark = points.some((point) => point.benchmark_value !== null);
  const money = (each: unknown) => (each === null || each === undefined ? '–' : formatNumber(Number(each), 2));
  return {
    legend: { top: 4, left: 'center', data: benchmark ? [names.portfolio, names.benchmark] : [names.portfolio] },
    tooltip: { trigger: 'axis' },
    grid: kGrids(92),
    dataZoom: kZoom,
    ...axes(false),
    series: [
      {
        ...line,
        name: names.portfolio,
        data: value('portfolio_value'),
        lineStyle: { width: 1.8 },
        tooltip: { valueFormatter: money },
        ...(markArea ? { markArea } : {}),
      },
      ...(benchmark
        ? [
            {
              ...line,
              name: names.benchmark,
              data: value('benchmark_value'),
              lineStyle: { width: 1.4, type: 'dashed' as const },
              tooltip: { valueFormatter: money },
            },
          ]
        : []),
      {
        ...line,
        name: names.drawdown,
        xAxisIndex: 1,
        yAxisIndex: 1,
        data: drawdown(points),
        color: '#d6453d',
        lineStyle: { width: 1.2 },
        areaStyle: { opacity: 0.18 },
        tooltip: { valueFormatter: (each: unknown) => formatPercent(Number(each)) },
        ...(markArea ? { markArea: { ...markArea, label: { show: false } } } : {}),
      },
    ],
  } as ChartOption;
}

/** Several backtests over each other. */
export function overlayOption(curves: Curve[]): ChartOption {
  const tooltip = { valueFormatter: (each: unknown) => formatPercent(each === null ? null : Number(each)) };
  return {
    legend: { top: 4, left: 'center', data: curves.map((curve) => curve.name) },
    tooltip: { trigger: 'axis' },
    grid: kGrids(92),
    dataZoom: kZoom,
    ...axes(true),
    series: [
      ...curves.map((curve) => ({ ...line, name: curve.name, data: relative(curve.points), lineStyle: { width: 1.7 }, tooltip })),
      ...curves.map((curve) => ({
        ...line,
        name: curve.name,
        xAxisIndex: 1,
        yAxisIndex: 1,
        data: drawdown(curve.points),
        lineStyle: { width: 1.1 },
        tooltip,
      })),
    ],
  } as ChartOption;
}
