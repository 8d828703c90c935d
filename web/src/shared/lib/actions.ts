import { url } from '../api/client';
import type { JobType, Json, JsonObject } from '../api/types';

/**
 * The loaded job types that take this input: what one can do with a model, or with a run, is what the
 * plugins say they take. So a job type of somebody else's has its button here without a line of ours.
 */
export function takers(types: JobType[] | undefined, input: string): JobType[] {
  return (types ?? []).filter((type) => type.input_schema.properties?.[input] !== undefined);
}

/** The form of a job type, filled in. What it requires and nobody has said comes from its own example. */
export function actionHref(type: JobType, params: Record<string, string | null | undefined>): string {
  const example: JsonObject = type.examples[0] ?? {};
  const query: Record<string, string> = { type: type.type };
  for (const name of type.input_schema.required ?? []) {
    const value: Json | undefined = example[name];
    if (typeof value === 'string') query[name] = value;
  }
  for (const [name, value] of Object.entries(params)) if (value) query[name] = value;
  return url('/actions', query);
}

/** In the middle of a sentence. */
export const inSentence = (title: string) =>
  /^[A-Z][a-z]/.test(title) ? title.charAt(0).toLowerCase() + title.slice(1) : title;
