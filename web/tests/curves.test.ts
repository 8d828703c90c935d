import { describe, expect, it } from 'vitest';
import { drawdown, relative } from '@/features/backtests/curves';
import type { EquityPoint } from '@/shared/api/types';

const points = (values: (number | null)[], injected: (number | null)[] = []): EquityPoint[] =>
  values.map((value, index) => ({
    date: `2020-01-0${index + 1}T00:00:00`,
    portfolio_value: value,
    benchmark_value: null,
    injected_cash: injected[index] ?? null,
  }));

const gains = (each: EquityPoint[]) => relative(each).map(([, gain]) => gain);

describe('curves that are laid over each other', () => {
  it('count money that is paid in later as no gain', () => {
    expect(gains(points([1000, 1100, 2100, 2310], [1000, 1000, 2000, 2000]))).toEqual([
      0,
      expect.closeTo(0.1),
      expect.closeTo(0.05),
      expect.closeTo(0.155),
    ]);
  });

  it('begin at their first value where nobody wrote what was paid in', () => {
    expect(gains(points([null, 200, 250]))).toEqual([null, 0, 0.25]);
    // Not a sum: another writer's column.
    expect(gains(points([100, 110, 120], [100, 0, 0]))).toEqual([0, expect.closeTo(0.1), expect.closeTo(0.2)]);
  });

  it('have days, and gaps where no value is known', () => {
    expect(relative(points([100, null]))[1]).toEqual(['2020-01-02', null]);
    expect(drawdown(points([100, 80, null, 120])).map(([, depth]) => depth)).toEqual([
      0,
      expect.closeTo(-0.2),
      null,
      0,
    ]);
  });
});
