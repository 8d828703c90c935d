/** Overrides as people write them: `key=value` a line, with comments. */

export interface OverrideLine {
  /** From 1, in the text. */
  line: number;
  key: string;
  value: string;
  /** As the server gets it. */
  entry: string;
  /** What the value looks like to YAML. */
  kind: 'text' | 'number' | 'boolean' | 'list' | 'map' | 'null' | 'empty';
  problem: 'noEquals' | 'badKey' | 'repeated' | null;
}

const kKey = /^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*$/;

function kindOf(value: string): OverrideLine['kind'] {
  if (value === '') return 'empty';
  if (/^[-+]?(\d[\d_]*)(\.\d*)?([eE][-+]?\d+)?$|^[-+]?\.\d+([eE][-+]?\d+)?$/.test(value)) return 'number';
  if (/^(true|false|yes|no|on|off)$/i.test(value)) return 'boolean';
  if (/^(null|~)$/i.test(value)) return 'null';
  if (value.startsWith('[')) return 'list';
  if (value.startsWith('{')) return 'map';
  return 'text';
}

/**
 * A `#` begins a comment at the start of a line, or after a blank outside of quotes and brackets: as in
 * YAML, so that `color=#fff` keeps its colour.
 */
function withoutComment(line: string): string {
  let quote = '';
  for (let index = 0; index < line.length; index += 1) {
    const letter = line[index]!;
    if (quote) {
      if (letter === quote) quote = '';
      else if (letter === '\\' && quote === '"') index += 1;
    } else if (letter === '"' || letter === "'") {
      // An apostrophe within a word is a letter.
      if (index === 0 || /[\s=[{,:(]/.test(line[index - 1]!)) quote = letter;
    } else if (letter === '#' && (index === 0 || /\s/.test(line[index - 1]!))) {
      return line.slice(0, index);
    }
  }
  return line;
}

export function parseOverrides(text: string): OverrideLine[] {
  const out: OverrideLine[] = [];
  const seen = new Set<string>();
  text.split(/\r?\n/).forEach((raw, index) => {
    const line = withoutComment(raw).trim();
    if (!line) return;
    const at = line.indexOf('=');
    const key = (at === -1 ? line : line.slice(0, at)).trim();
    const value = at === -1 ? '' : line.slice(at + 1).trim();
    let problem: OverrideLine['problem'] = null;
    if (at === -1) problem = 'noEquals';
    else if (!kKey.test(key)) problem = 'badKey';
    else if (seen.has(key)) problem = 'repeated';
    seen.add(key);
    out.push({
      line: index + 1,
      key,
      value,
      entry: at === -1 ? line : `${key}=${value}`,
      kind: kindOf(value),
      problem,
    });
  });
  return out;
}

export const entriesOf = (text: string) => parseOverrides(text).map((line) => line.entry);
