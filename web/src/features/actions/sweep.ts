import type { InputSchema, JobType, Json, JsonObject } from '@/shared/api/types';

/** One thing that takes several values: an input, or a key of a list of overrides. */
export interface Axis {
  field: string;
  /** Of a list of overrides: the key within it. */
  key?: string;
  /** As written: a value a line, or separated by commas. */
  text: string;
}

export const kMostJobs = 1000;

const typeOf = (schema: InputSchema | undefined) =>
  Array.isArray(schema?.type) ? schema.type.find((type) => type !== 'null') : schema?.type;

/** Commas within brackets or quotes belong to a value. */
export function splitValues(text: string): string[] {
  const out: string[] = [];
  let value = '';
  let depth = 0;
  let quote = '';
  const push = () => {
    if (value.trim()) out.push(value.trim());
    value = '';
  };
  for (const letter of text) {
    if (quote) {
      if (letter === quote) quote = '';
    } else if (letter === '"' || letter === "'") quote = letter;
    else if ('[{('.includes(letter)) depth += 1;
    else if (']})'.includes(letter)) depth = Math.max(0, depth - 1);
    else if ((letter === ',' && depth === 0) || letter === '\n') {
      push();
      if (letter === '\n') depth = 0;
      continue;
    }
    value += letter;
  }
  push();
  return out;
}

/** Whether a list of texts is one of overrides: its author says so. */
export const isOverrides = (type: JobType, field: string) =>
  (type.ui_schema[field] as JsonObject | undefined)?.['ui:widget'] === 'overrides';

export interface Sweepable {
  field: string;
  kind: 'value' | 'list' | 'override';
}

export function sweepable(type: JobType): Sweepable[] {
  const plain = ['string', 'number', 'integer', 'boolean'];
  const out: Sweepable[] = [];
  for (const [field, schema] of Object.entries(type.input_schema.properties ?? {})) {
    const kind = typeOf(schema);
    if (kind !== 'array') {
      if (plain.includes(kind ?? '')) out.push({ field, kind: 'value' });
    } else if (isOverrides(type, field)) out.push({ field, kind: 'override' });
    else if (plain.includes(typeOf(schema.items) ?? '')) out.push({ field, kind: 'list' });
  }
  return out;
}

function typed(schema: InputSchema | undefined, text: string): Json {
  const kind = typeOf(schema);
  if ((kind === 'number' || kind === 'integer') && Number.isFinite(Number(text))) return Number(text);
  if (kind === 'boolean') return /^(1|true|yes|on)$/i.test(text);
  return text;
}

/**
 * The matrix of a batch. Keys of overrides are combined here, because to the server the list is one
 * value; a list of another kind takes one value of it a job (a job for each ticker).
 */
export function matrixOf(type: JobType, params: JsonObject, axes: Axis[]): Record<string, Json[]> {
  const matrix: Record<string, Json[]> = {};
  const lists = new Map<string, string[][]>();
  for (const axis of axes) {
    const schema = type.input_schema.properties?.[axis.field];
    const values = splitValues(axis.text);
    if (values.length === 0 || !schema) continue;
    if (isOverrides(type, axis.field)) {
      if (!axis.key?.trim()) continue;
      const key = axis.key.trim();
      const base = lists.get(axis.field) ?? [
        ((params[axis.field] ?? []) as string[]).filter((entry) => entry.split('=')[0]?.trim() !== key),
      ];
      lists.set(
        axis.field,
        base.flatMap((entries) =>
          values.map((value) => [
            ...entries.filter((entry) => entry.split('=')[0]?.trim() !== key),
            `${key}=${value}`,
          ]),
        ),
      );
    } else if (typeOf(schema) === 'array') {
      matrix[axis.field] = values.map((value) => [typed(schema.items, value)]);
    } else {
      matrix[axis.field] = values.map((value) => typed(schema, value));
    }
  }
  for (const [field, all] of lists) matrix[field] = all;
  return matrix;
}

export const countOf = (matrix: Record<string, Json[]>) =>
  Object.values(matrix).reduce((product, values) => product * values.length, 1);
