import type { FieldMistake, InputSchema } from '../api/types';

/** `/tickers/0` as its steps (RFC 6901). */
export function steps(pointer: string): string[] {
  if (!pointer.startsWith('/')) return [];
  return pointer
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function kindOf(schema: InputSchema | undefined): string | undefined {
  const { type } = schema ?? {};
  return Array.isArray(type) ? type.find((each) => each !== 'null') : type;
}

const isScalarList = (schema: InputSchema | undefined) =>
  kindOf(schema) === 'array' && !['array', 'object'].includes(kindOf(schema?.items) ?? '');

/** What the form library calls an ErrorSchema; its own type is too deep for the compiler. */
export interface FieldErrors {
  __errors?: string[];
  [step: string]: unknown;
}

export interface Mapped {
  /** By field, as the form library wants it. */
  fields: FieldErrors;
  /** What belongs to no field of the form. */
  rest: string[];
}

/**
 * Puts the server's mistakes at their fields. `errors[].pointer` is a JSON pointer into the body; what
 * points at something that the form does not show is kept for the top of it, never dropped. A list of
 * plain values is one control, so its items' mistakes stand together, with their numbers.
 */
export function mapMistakes(mistakes: FieldMistake[], schema: InputSchema): Mapped {
  const fields: FieldErrors = {};
  const rest: string[] = [];
  for (const { pointer, message } of mistakes) {
    const path = steps(pointer);
    let at: InputSchema | undefined = schema;
    let node = fields;
    let text = message;
    let known = path.length > 0;
    for (const step of path) {
      if (isScalarList(at)) {
        text = `#${Number(step) + 1}: ${message}`;
        break;
      }
      const next: InputSchema | undefined =
        kindOf(at) === 'array' ? at?.items : at?.properties?.[step];
      if (!next) {
        known = false;
        break;
      }
      at = next;
      node = (node[step] ??= {}) as FieldErrors;
    }
    if (known) (node.__errors ??= []).push(text);
    else rest.push(path.length ? `${path.join('.')}: ${message}` : message);
  }
  return { fields, rest };
}

/** The mistakes of the fields that somebody has been at. */
export function onlyTouched(mistakes: FieldMistake[], touched: ReadonlySet<string>): FieldMistake[] {
  return mistakes.filter(({ pointer }) => touched.has(steps(pointer)[0] ?? ''));
}

/** What a submit was refused for, as the form has it: the inputs may be below `params` in its body. */
export function ofInputs(mistakes: FieldMistake[]): FieldMistake[] {
  return mistakes.map((mistake) => ({ ...mistake, pointer: mistake.pointer.replace(/^\/params(?=\/|$)/, '') }));
}

const isOfOptions = ({ pointer }: FieldMistake) => steps(pointer)[0] === '_job';

/** What the server says of `_job`, by option. */
export function ofOptions(mistakes: FieldMistake[]): Map<string, string> {
  return new Map(mistakes.filter(isOfOptions).map(({ pointer, message }) => [steps(pointer)[1] ?? '', message]));
}

export function withoutOptions(mistakes: FieldMistake[]): FieldMistake[] {
  return mistakes.filter((mistake) => !isOfOptions(mistake));
}
