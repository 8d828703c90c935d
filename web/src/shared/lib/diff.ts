import type { Json } from '../api/types';

/** `{a: {b: [1, 2]}}` is `a.b` with `[1,2]`: one line a value, as people write overrides. */
export function flatten(value: unknown, prefix = '', out: Map<string, string> = new Map()) {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
    for (const [key, inner] of Object.entries(value)) {
      flatten(inner, prefix ? `${prefix}.${key}` : key, out);
    }
    return out;
  }
  if (value !== undefined) out.set(prefix, show(value as Json));
  return out;
}

export function show(value: Json | undefined): string {
  if (value === undefined) return '';
  if (typeof value === 'string') return value;
  return JSON.stringify(value);
}

export interface DiffRow {
  key: string;
  values: (string | undefined)[];
  differs: boolean;
}

/** The same things side by side, in the order in which they are first named. */
export function compare(things: unknown[]): DiffRow[] {
  const flat = things.map((thing) => flatten(thing));
  const keys = new Set(flat.flatMap((map) => [...map.keys()]));
  return [...keys].map((key) => {
    const values = flat.map((map) => map.get(key));
    return { key, values, differs: values.some((value) => value !== values[0]) };
  });
}
