import { api, url } from '../api/client';
import type { LogLines } from '../api/types';

/** Lines of a chunk, and how many chunks are kept: what has been seen lately, and never the whole log. */
export const kChunk = 200;
const kKept = 24;
/** Lines that are asked for when looking at the end. */
const kTail = 200;
const kCountingMs = 200;

export type LoadLines = (
  query: { start: number; count: number } | { tail: number },
  signal: AbortSignal,
) => Promise<LogLines>;

export const linesOf =
  (jobId: string): LoadLines =>
  (query, signal) =>
    api<LogLines>(url(`/api/jobs/${encodeURIComponent(jobId)}/log/lines`, query), { signal });

/**
 * The part of a log that is on this side of the line. Lines are numbered from 1. Asks for what is
 * wanted in chunks, keeps the last used ones, and knows how long the log is by now.
 */
export class LogStore {
  total = 0;
  size = 0;
  loaded = false;
  error: unknown = null;
  version = 0;

  private readonly chunks = new Map<number, Map<number, string>>();
  private readonly cut = new Set<number>();
  private readonly asked = new Map<number, Promise<void>>();
  private readonly listeners = new Set<() => void>();
  private readonly gone = new AbortController();

  constructor(private readonly load: LoadLines) {}

  readonly subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  };

  readonly snapshot = () => this.version;

  dispose(): void {
    this.gone.abort();
  }

  line(number: number): string | undefined {
    return this.chunks.get(Math.floor((number - 1) / kChunk))?.get(number);
  }

  wasCut(number: number): boolean {
    return this.cut.has(number);
  }

  get keptChunks(): number {
    return this.chunks.size;
  }

  /** Looks at the end of the log: how long is it, and what are its last lines? */
  async refresh(): Promise<void> {
    try {
      for (;;) {
        const page = await this.load({ tail: kTail }, this.gone.signal);
        // The line that was last may have gone on since, and a log that was cut begins anew.
        if (page.total < this.total) this.chunks.clear();
        else if (page.start > this.total && this.total > 0) this.forget(this.total);
        this.take(page);
        this.error = null;
        if (page.is_complete) break;
        // The lines of a huge log are being counted; what is known of it is shown meanwhile.
        this.loaded = true;
        this.changed();
        await new Promise((resolve) => setTimeout(resolve, kCountingMs));
      }
    } catch (error) {
      if (this.gone.signal.aborted) return;
      this.error = error;
    }
    this.loaded = true;
    this.changed();
  }

  /** Sees to it that these lines come, if they are not here. */
  want(from: number, to: number): void {
    const last = Math.min(to, this.total);
    for (let chunk = Math.floor((from - 1) / kChunk); chunk * kChunk < last; chunk += 1) {
      if (chunk < 0) continue;
      const begin = Math.max(from, chunk * kChunk + 1);
      const end = Math.min(last, (chunk + 1) * kChunk);
      for (let number = begin; number <= end; number += 1) {
        if (this.line(number) !== undefined) continue;
        if (!this.asked.has(chunk)) {
          const asked = this.fill(chunk).finally(() => this.asked.delete(chunk));
          this.asked.set(chunk, asked);
        }
        break;
      }
    }
  }

  private async fill(chunk: number): Promise<void> {
    let start = chunk * kChunk + 1;
    const end = start + kChunk;
    try {
      // A page ends early when its lines are long.
      while (start < end && start <= this.total) {
        const page = await this.load({ start, count: end - start }, this.gone.signal);
        this.take(page);
        this.changed();
        if (page.lines.length === 0) break;
        start = page.next;
      }
      this.error = null;
    } catch (error) {
      if (this.gone.signal.aborted) return;
      this.error = error;
      this.changed();
    }
  }

  private take(page: LogLines): void {
    this.total = Math.max(page.total, 0);
    this.size = page.size;
    page.lines.forEach((text, index) => {
      const number = page.start + index;
      const key = Math.floor((number - 1) / kChunk);
      let chunk = this.chunks.get(key);
      if (chunk) this.chunks.delete(key);
      else chunk = new Map();
      this.chunks.set(key, chunk); // the last used is the last in the map
      chunk.set(number, text);
    });
    for (const number of page.cut) this.cut.add(number);
    for (const key of this.chunks.keys()) {
      if (this.chunks.size <= kKept) break;
      this.chunks.delete(key);
    }
  }

  private forget(number: number): void {
    this.chunks.get(Math.floor((number - 1) / kChunk))?.delete(number);
  }

  private changed(): void {
    this.version += 1;
    for (const listener of this.listeners) listener();
  }
}
