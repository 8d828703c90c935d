import { describe, expect, it } from 'vitest';
import {
  anchorOf,
  isScaled,
  maxPosition,
  pixelsPerLine,
  positionOf,
  spacerHeight,
} from '@/shared/log/scroll';

const view = (total: number) => ({ total, rowHeight: 18, viewHeight: 360 });

describe('the geometry of a log', () => {
  it('is plain scrolling while a browser can do it', () => {
    const small = view(1000);
    expect(isScaled(small)).toBe(false);
    expect(maxPosition(small)).toBe(980);
    expect(spacerHeight(small)).toBe(18_000);
    // Line 500 is at the top: what is drawn at the anchor is exactly where plain scrolling has it.
    const { line, at } = anchorOf(500, small);
    expect(at / 18).toBeCloseTo(line - 500, 9);
  });

  it('bounds the height of twenty million lines, and still reaches each', () => {
    const huge = view(20_000_000);
    expect(isScaled(huge)).toBe(true);
    expect(spacerHeight(huge)).toBeLessThan(17_000_000);
    expect(maxPosition(huge) * pixelsPerLine(huge)).toBeCloseTo(8_000_000, 3);
    expect(anchorOf(maxPosition(huge), huge)).toEqual({ line: 20_000_000, at: 360 });
  });

  it('begins at the top and ends at the bottom, whatever is wrapped', () => {
    for (const total of [1, 19, 20, 21, 5000]) {
      const geometry = view(total);
      expect(anchorOf(0, geometry).at).toBe(0);
      if (total > 20) expect(anchorOf(maxPosition(geometry), geometry)).toEqual({ line: total, at: 360 });
    }
  });

  it('puts the wanted line at the anchor when lines are wrapped', () => {
    for (const line of [0, 7, 2500, 4999]) {
      const geometry = view(5000);
      expect(anchorOf(positionOf(line, geometry, true), geometry).line).toBeCloseTo(line, 6);
    }
    expect(positionOf(3, view(10), false)).toBe(0);
  });
});
