/** Colours of terminal output, as pieces of text with a style: never as HTML. */

export interface Style {
  fg?: string;
  bg?: string;
  bold?: boolean;
  dim?: boolean;
  italic?: boolean;
  underline?: boolean;
  inverse?: boolean;
}

export interface Piece {
  text: string;
  style: Style;
}

/** An escape sequence: colours are group 1; everything else that starts with ESC is dropped. */
const kEscape =
  // eslint-disable-next-line no-control-regex
  /\x1b(?:\[([0-9;:]*)m|\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])?|\x9b[0-?]*[ -/]*[@-~]/g;
// A tab is text; other control characters are not. Marks that turn the direction of text are shown as
// what they are, so that a line cannot pose as another.
// eslint-disable-next-line no-control-regex
const kControl = /[\x00-\x08\x0a-\x1f\x7f-\x9f]/g;
const kDirection = /[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]/g;

const clean = (text: string) => text.replace(kControl, '').replace(kDirection, '\ufffd');

/** Of the 256: 16 named ones by CSS variable (they differ in light and dark), a cube, and greys. */
function indexed(value: number): string | undefined {
  if (value < 0 || value > 255) return undefined;
  if (value < 16) return `var(--ansi-${value})`;
  if (value >= 232) {
    const level = 8 + (value - 232) * 10;
    return `rgb(${level}, ${level}, ${level})`;
  }
  const step = (index: number) => (index === 0 ? 0 : 55 + index * 40);
  const rest = value - 16;
  return `rgb(${step(Math.floor(rest / 36))}, ${step(Math.floor(rest / 6) % 6)}, ${step(rest % 6)})`;
}

function apply(style: Style, codes: number[]): Style {
  let next = { ...style };
  for (let index = 0; index < codes.length; index += 1) {
    const code = codes[index]!;
    if (code === 0) next = {};
    else if (code === 1) next.bold = true;
    else if (code === 2) next.dim = true;
    else if (code === 3) next.italic = true;
    else if (code === 4) next.underline = true;
    else if (code === 7) next.inverse = true;
    else if (code === 22) {
      delete next.bold;
      delete next.dim;
    } else if (code === 23) delete next.italic;
    else if (code === 24) delete next.underline;
    else if (code === 27) delete next.inverse;
    else if (code === 39) delete next.fg;
    else if (code === 49) delete next.bg;
    else if (code === 38 || code === 48) {
      let color: string | undefined;
      if (codes[index + 1] === 5) {
        color = indexed(codes[index + 2] ?? -1);
        index += 2;
      } else if (codes[index + 1] === 2) {
        const parts = codes.slice(index + 2, index + 5).map((part) => Math.min(255, Math.max(0, part)));
        if (parts.length === 3) color = `rgb(${parts.join(', ')})`;
        index += 4;
      }
      if (color) next[code === 38 ? 'fg' : 'bg'] = color;
    } else {
      const base = (from: number, to: number, shift: number) =>
        code >= from && code <= to ? indexed(code - from + shift) : undefined;
      const fg = base(30, 37, 0) ?? base(90, 97, 8);
      const bg = base(40, 47, 0) ?? base(100, 107, 8);
      if (fg) next.fg = fg;
      if (bg) next.bg = bg;
    }
  }
  return next;
}

export function parseAnsi(line: string): Piece[] {
  const pieces: Piece[] = [];
  let style: Style = {};
  let from = 0;
  const push = (text: string) => {
    const shown = clean(text);
    if (shown) pieces.push({ text: shown, style });
  };
  for (const found of line.matchAll(kEscape)) {
    push(line.slice(from, found.index));
    from = found.index + found[0].length;
    if (found[1] !== undefined) {
      style = apply(style, found[1].split(/[;:]/).map((code) => Number(code || 0)));
    }
  }
  push(line.slice(from));
  return pieces;
}

export function plainText(line: string): string {
  return clean(line.replace(kEscape, ''));
}

/** Cuts pieces where marked ranges begin and end. */
export function mark(
  pieces: Piece[],
  ranges: [number, number][],
): (Piece & { marked: boolean })[] {
  const out: (Piece & { marked: boolean })[] = [];
  let offset = 0;
  for (const piece of pieces) {
    const end = offset + piece.text.length;
    let at = offset;
    while (at < end) {
      const here = at;
      const inside = ranges.find(([from, to]) => from <= here && here < to);
      const stop = inside
        ? Math.min(end, inside[1])
        : Math.min(end, ...ranges.filter(([from]) => from > here).map(([from]) => from));
      out.push({
        text: piece.text.slice(at - offset, stop - offset),
        style: piece.style,
        marked: inside !== undefined,
      });
      at = stop;
    }
    offset = end;
  }
  return out;
}
