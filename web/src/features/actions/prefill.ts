import type { InputSchema, JobType, Json, JsonObject } from '@/shared/api/types';

const typeOf = (schema: InputSchema | undefined) =>
  Array.isArray(schema?.type) ? schema.type.find((type) => type !== 'null') : schema?.type;

function parse(schema: InputSchema | undefined, text: string): Json {
  switch (typeOf(schema)) {
    case 'integer':
    case 'number':
      return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
    case 'boolean':
      return text === '' || /^(1|true|yes|on)$/i.test(text);
    case 'object':
      try {
        return JSON.parse(text) as Json;
      } catch {
        return text;
      }
    default:
      return text;
  }
}

/** The defaults of a schema's own fields. */
export function defaultsOf(schema: InputSchema): JsonObject {
  const out: JsonObject = {};
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    if (field.default !== undefined && field.default !== null) out[name] = field.default;
  }
  return out;
}

/**
 * Inputs from an address: `?type=backtest&ticker=TSM&config_path=...`. A list is given by repeating its
 * name, or by its singular (`ticker` for `tickers`); commas separate too, except in overrides, whose
 * values may hold some. What the job type does not know is left out.
 */
export function fromAddress(type: JobType, search: URLSearchParams): JsonObject {
  const { properties = {} } = type.input_schema;
  const out: JsonObject = {};
  for (const name of new Set(search.keys())) {
    if (name === 'type') continue;
    const values = search.getAll(name);
    const plural = `${name}s`;
    const field = name in properties ? name : plural in properties ? plural : null;
    if (field === null) continue;
    const schema = properties[field];
    if (typeOf(schema) === 'array') {
      const parts = values.some((value) => value.includes('=')) ? values : values.flatMap((value) => value.split(','));
      const items = parts.map((part) => part.trim()).filter(Boolean).map((part) => parse(schema?.items, part));
      if (items.length) out[field] = items;
    } else if (field === name && values[0] !== undefined) {
      out[field] = parse(schema, values[0]);
    }
  }
  return out;
}
