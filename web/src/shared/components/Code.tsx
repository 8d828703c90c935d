import type { Json } from '../api/types';
import { compare } from '../lib/diff';
import { Facts } from './Page';

/** A configuration as the lines in which people override it. */
export function ConfigList({ value }: { value: Json }) {
  return (
    <Facts
      wide
      rows={compare([value]).map((row) => [row.key, <span key={row.key} className="mono">{row.values[0]}</span>])}
    />
  );
}
