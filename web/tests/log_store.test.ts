import { describe, expect, it } from 'vitest';
import type { LogLines } from '@/shared/api/types';
import { kChunk, LogStore } from '@/shared/log/store';
import type { LoadLines } from '@/shared/log/store';

/** A log on the other side of the line, and what was asked of it. */
function remote(lines: string[], most = 5000) {
  const asked: object[] = [];
  const load: LoadLines = async (query) => {
    asked.push(query);
    const start = 'tail' in query ? Math.max(1, lines.length - query.tail + 1) : query.start;
    const count = 'tail' in query ? query.tail : query.count;
    const page = lines.slice(start - 1, start - 1 + Math.min(count, most));
    const answer: LogLines = {
      job_id: 'job', start, lines: page, total: lines.length, size: 1, next: start + page.length, cut: [], is_complete: true,
    };
    return answer;
  };
  return { asked, load, lines };
}

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `line ${index + 1}`);

/** Until what was asked for has come. */
async function settled(store: LogStore, number: number) {
  while (store.line(number) === undefined) await new Promise<void>((resolve) => {
    const stop = store.subscribe(() => {
      stop();
      resolve();
    });
  });
}

describe('LogStore', () => {
  it('knows the end first, and asks for the rest when it is wanted', async () => {
    const { load, asked } = remote(numbered(100_000));
    const store = new LogStore(load);
    await store.refresh();
    expect(store.total).toBe(100_000);
    expect(store.line(100_000)).toBe('line 100000');
    expect(store.line(50_000)).toBeUndefined();
    store.want(50_010, 50_040);
    await settled(store, 50_040);
    expect(store.line(50_010)).toBe('line 50010');
    expect(asked).toHaveLength(2);
  });

  it('goes on when a page ends early', async () => {
    const { load } = remote(numbered(1000), 7);
    const store = new LogStore(load);
    await store.refresh();
    store.want(1, 30);
    await settled(store, 30);
    expect(store.line(1)).toBe('line 1');
  });

  it('keeps a bounded part of the log', async () => {
    const { load } = remote(numbered(100 * kChunk));
    const store = new LogStore(load);
    await store.refresh();
    for (let chunk = 0; chunk < 60; chunk += 1) {
      store.want(chunk * kChunk + 1, chunk * kChunk + 2);
      await settled(store, chunk * kChunk + 1);
    }
    expect(store.keptChunks).toBeLessThanOrEqual(24);
    expect(store.line(1)).toBeUndefined();
    expect(store.line(59 * kChunk + 1)).toBe(`line ${59 * kChunk + 1}`);
  });

  it('forgets an unfinished last line when the log has gone on past its tail', async () => {
    const log = remote(['a', 'b', 'prog']);
    const store = new LogStore(log.load);
    await store.refresh();
    expect(store.line(3)).toBe('prog');
    log.lines[2] = 'progress done';
    log.lines.push(...numbered(1000));
    await store.refresh();
    expect(store.line(3)).toBeUndefined();
    store.want(1, 3);
    await settled(store, 3);
    expect(store.line(3)).toBe('progress done');
  });

  it('says why nothing came', async () => {
    const store = new LogStore(() => Promise.reject(new Error('no such log')));
    await store.refresh();
    expect(store.loaded).toBe(true);
    expect(String(store.error)).toContain('no such log');
  });
});
