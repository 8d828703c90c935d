/**
 * Where a line is, when there may be twenty million of them: a browser's element cannot be that high.
 *
 * `position` is the line (0-based, with a fraction) at the top of the view as if every line were one
 * row high. The bar's range is bounded, so its pixels may stand for many lines. When lines are wrapped
 * and so of unknown heights, one line is the anchor: at position p of maximum m, the line at p + p/m *
 * rows is drawn at the fraction p/m of the view's height. The first line begins at the top, the last
 * ends at the bottom, and in between nothing jumps; without wrapping this is plain scrolling.
 */

/** Browsers differ; the lowest limit known is 17 million pixels. */
const kMostPixels = 8_000_000;

export interface Geometry {
  total: number;
  rowHeight: number;
  viewHeight: number;
}

export const rowsOf = ({ viewHeight, rowHeight }: Geometry) => viewHeight / rowHeight;

export const maxPosition = (geometry: Geometry) =>
  Math.max(0, geometry.total - Math.max(1, rowsOf(geometry)));

/** Pixels of the bar for one line. */
export function pixelsPerLine(geometry: Geometry): number {
  const range = maxPosition(geometry) * geometry.rowHeight;
  return geometry.rowHeight * (range > kMostPixels ? kMostPixels / range : 1);
}

export const isScaled = (geometry: Geometry) => pixelsPerLine(geometry) < geometry.rowHeight;

export const spacerHeight = (geometry: Geometry) =>
  maxPosition(geometry) * pixelsPerLine(geometry) + geometry.viewHeight;

export function anchorOf(position: number, geometry: Geometry): { line: number; at: number } {
  const max = maxPosition(geometry);
  const fraction = max === 0 ? 0 : Math.min(1, position / max);
  const rows = Math.min(rowsOf(geometry), geometry.total);
  return { line: position + fraction * rows, at: fraction * geometry.viewHeight };
}

/** The position at which a line (0-based) is seen for certain, wrapped or not. */
export function positionOf(line: number, geometry: Geometry, wrapped: boolean): number {
  const max = maxPosition(geometry);
  if (max === 0) return 0;
  const wanted = wrapped
    ? (line * max) / geometry.total
    : line - Math.floor(rowsOf(geometry) / 3);
  return Math.min(max, Math.max(0, wanted));
}
