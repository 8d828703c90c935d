/** Numbers, times and sizes as people read them; in the language of the page. */

let locale = 'en';

export function setLocale(next: string): void {
  locale = next;
}

const cache = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat>();

function numbers(options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = `n${locale}${JSON.stringify(options)}`;
  let found = cache.get(key) as Intl.NumberFormat | undefined;
  if (!found) cache.set(key, (found = new Intl.NumberFormat(locale, options)));
  return found;
}

function dates(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `d${locale}${JSON.stringify(options)}`;
  let found = cache.get(key) as Intl.DateTimeFormat | undefined;
  if (!found) cache.set(key, (found = new Intl.DateTimeFormat(locale, options)));
  return found;
}

/** What stands where a value is not known. */
export const kNone = '–';

const known = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value);

export function formatNumber(value: number | null | undefined, digits?: number): string {
  if (!known(value)) return kNone;
  return numbers(
    digits === undefined
      ? { maximumFractionDigits: 4 }
      : { minimumFractionDigits: digits, maximumFractionDigits: digits },
  ).format(value);
}

export function formatCompact(value: number | null | undefined): string {
  if (!known(value)) return kNone;
  return numbers({ notation: 'compact', maximumFractionDigits: 1 }).format(value);
}

/** 0.123 is 12.3 %. */
export function formatPercent(value: number | null | undefined, digits = 1): string {
  if (!known(value)) return kNone;
  return numbers({
    style: 'percent',
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(value);
}

export function formatBytes(value: number | null | undefined): string {
  if (!known(value)) return kNone;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let index = 0;
  let rest = value;
  while (rest >= 1024 && index < units.length - 1) {
    rest /= 1024;
    index += 1;
  }
  return `${numbers({ maximumFractionDigits: index && rest < 100 ? 1 : 0 }).format(rest)} ${units[index]}`;
}

/** 4.2 s, 3 m 12 s, 2 h 05 m, 3 d 04 h: always short, so that a column of them is calm. */
export function formatDuration(seconds: number | null | undefined): string {
  if (!known(seconds)) return kNone;
  const total = Math.max(0, seconds);
  if (total < 10) return `${total.toFixed(1)}s`;
  const whole = Math.floor(total);
  const two = (value: number) => String(value).padStart(2, '0');
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)}h ${two(Math.floor((whole % 3600) / 60))}m`;
  return `${Math.floor(whole / 86400)}d ${two(Math.floor((whole % 86400) / 3600))}h`;
}

export function parseTime(text: string | null | undefined): number | null {
  if (!text) return null;
  const value = Date.parse(text);
  return Number.isNaN(value) ? null : value;
}

/** Time of day today, else the day too. */
export function formatTime(text: string | null | undefined, now = Date.now()): string {
  const value = parseTime(text);
  if (value === null) return text || kNone;
  const same = new Date(value).toDateString() === new Date(now).toDateString();
  const sameYear = new Date(value).getFullYear() === new Date(now).getFullYear();
  return dates({
    ...(same ? {} : { month: 'short', day: 'numeric' }),
    ...(sameYear ? {} : { year: 'numeric' }),
    hour: '2-digit',
    minute: '2-digit',
    ...(same ? { second: '2-digit' } : {}),
    hourCycle: 'h23',
  }).format(value);
}

export function formatFullTime(text: string | null | undefined): string {
  const value = parseTime(text);
  if (value === null) return text || kNone;
  return dates({ dateStyle: 'medium', timeStyle: 'medium', hourCycle: 'h23' }).format(value);
}

/** A date as the workspace's files write it: the day alone, whatever follows. */
export function formatDay(text: string | null | undefined): string {
  return text ? text.slice(0, 10) : kNone;
}

/** One argument as a shell would need it, for people who copy the command. */
export function shellQuote(argument: string): string {
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(argument)) return argument;
  return `'${argument.replaceAll("'", `'\\''`)}'`;
}

/** `20260217_171416__0e304dfc` keeps what tells ids apart: the time, and the end. */
export function shortId(id: string): string {
  const found = /^(?:job_|bt_)?(\d{4})(\d{2})(\d{2})_(\d{2})(\d{2})\d{2}__([0-9a-f]{8})$/.exec(id);
  return found ? `${found[2]}-${found[3]} ${found[4]}:${found[5]} · ${found[6]}` : id;
}

/** Where there is no room for more: `bt_…0e304dfc`. */
export function tailOf(id: string): string {
  const found = /^(job_|bt_)?\d{8}_\d{6}__([0-9a-f]{8})$/.exec(id);
  return found ? `${found[1] ?? ''}…${found[2]}` : id;
}
