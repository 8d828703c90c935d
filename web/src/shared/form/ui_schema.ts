import type { InputSchema, JobType, Json, JsonObject } from '../api/types';
import type { Language } from '../i18n';

function isObject(value: Json | undefined): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function merge(base: JsonObject, over: JsonObject): JsonObject {
  const out = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const old = out[key];
    out[key] = isObject(old) && isObject(value) ? merge(old, value) : value;
  }
  return out;
}

const typeOf = (schema: InputSchema) =>
  Array.isArray(schema.type) ? schema.type.find((type) => type !== 'null') : schema.type;

function defaults(schema: InputSchema): JsonObject {
  if (schema['x-workspace-path'] && typeOf(schema) === 'string') return { 'ui:widget': 'workspacePath' };
  if (schema['x-multiline'] === true) return { 'ui:widget': 'textarea' };
  if (typeOf(schema) === 'array' && schema.items) {
    const { items } = schema;
    if (!items.enum && ['string', 'number', 'integer'].includes(typeOf(items) ?? '') &&
        !items['x-workspace-path']) {
      return { 'ui:widget': 'tags' };
    }
    return { items: defaults(items) };
  }
  const out: JsonObject = {};
  for (const [name, inner] of Object.entries(schema.properties ?? {})) {
    const chosen = defaults(inner);
    if (Object.keys(chosen).length) out[name] = chosen;
  }
  return out;
}

/** The texts of a job type in the reader's language, if its author wrote them: `ui:i18n` in `ui_schema`. */
function localized(type: JobType, language: Language): JsonObject {
  const all = type.ui_schema['ui:i18n'];
  const texts = isObject(all) ? all[language] : undefined;
  return isObject(texts) ? texts : {};
}

/** What the author wrote goes before what we choose by the schema; the reader's language before both. */
export function uiSchemaOf(type: JobType, language: Language): JsonObject {
  const own = { ...type.ui_schema };
  delete own['ui:i18n'];
  const out = merge(merge(defaults(type.input_schema), own), localized(type, language));
  // These two are the page's, not the form's.
  delete out['ui:title'];
  delete out['ui:description'];
  return out;
}

export function titleOf(type: Pick<JobType, 'title' | 'type' | 'ui_schema'>, language: Language): string {
  const text = localized(type as JobType, language)['ui:title'];
  return typeof text === 'string' ? text : type.title || type.type;
}

export function descriptionOf(type: JobType, language: Language): string {
  const text = localized(type, language)['ui:description'];
  return typeof text === 'string' ? text : type.description;
}

/** The name of an input as the form shows it. */
export function labelOf(type: JobType, field: string, language: Language): string {
  const ui = uiSchemaOf(type, language)[field];
  const title = isObject(ui) ? ui['ui:title'] : undefined;
  return typeof title === 'string' ? title : (type.input_schema.properties?.[field]?.title ?? field);
}
