import { act, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { LogLines } from '@/shared/api/types';
import { LogViewer, parseHash } from '@/shared/log/LogViewer';
import type { WaitForGrowth } from '@/shared/log/growth';
import type { LoadLines } from '@/shared/log/store';
import { show } from './render';

const kLines = 1_000_000;

/** A million lines that nobody has in memory. */
const load = vi.fn<LoadLines>(async (query) => {
  const start = 'tail' in query ? kLines - query.tail + 1 : query.start;
  const count = 'tail' in query ? query.tail : Math.min(query.count, kLines - start + 1);
  const lines = Array.from({ length: count }, (_, index) =>
    start + index === 120 ? '<script>window.hurt = true</script> \x1b[31mred\x1b[0m' : `line ${start + index}`,
  );
  return { job_id: 'job', start, lines, total: kLines, size: 1, next: start + count, cut: [], is_complete: true } satisfies LogLines;
});

afterEach(() => vi.useRealTimers());

const drawn = () => document.querySelectorAll('[data-line]');

describe('LogViewer', () => {
  it('draws a screenful of a million lines', async () => {
    show(<LogViewer jobId="job" active={false} hash="" onHash={() => undefined} load={load} />);
    await screen.findByText('line 1');
    expect(drawn().length).toBeLessThan(200);
    expect(screen.getByText(/1,000,000 lines/)).toBeTruthy();
  });

  it('goes to a linked line, and shows markup as text and colours as style', async () => {
    show(<LogViewer jobId="job" active={false} hash="#L120" onHash={() => undefined} load={load} />);
    const text = await screen.findByText(/<script>window.hurt/);
    expect(document.querySelector('script')).toBeNull();
    expect('hurt' in window).toBe(false);
    expect(text.closest('[data-line]')?.getAttribute('data-selected')).toBe('true');
    expect(screen.getByText('red').style.color).toBe('var(--ansi-1)');
  });

  it('follows the end of a log that grows', async () => {
    show(<LogViewer jobId="job" active hash="" onHash={() => undefined} load={load} />);
    await screen.findByText(`line ${kLines}`);
    expect(screen.getByRole('button', { name: 'Following' }).getAttribute('aria-pressed')).toBe('true');
  });

  it('asks nothing while the log is quiet, and goes on when it is told of more', async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
    let total = 3;
    let tell: () => void = () => undefined;
    const wait = vi.fn<WaitForGrowth>((_job, _offset, signal) =>
      new Promise((resolve) => {
        tell = resolve;
        signal.addEventListener('abort', () => resolve());
      }),
    );
    const short = vi.fn<LoadLines>(async () => ({
      job_id: 'job',
      start: 1,
      lines: Array.from({ length: total }, (_, index) => `line ${index + 1}`),
      total,
      size: total * 7,
      next: total + 1,
      cut: [],
      is_complete: true,
    }));
    show(<LogViewer jobId="job" active hash="" onHash={() => undefined} load={short} wait={wait} />);
    await screen.findByText('line 3');
    await waitFor(() => expect(wait).toHaveBeenCalledTimes(1));
    expect(wait.mock.calls[0]?.slice(0, 2)).toEqual(['job', 21]);
    const asked = short.mock.calls.length;
    total = 4;
    await act(() => vi.advanceTimersByTimeAsync(60_000));
    expect(short).toHaveBeenCalledTimes(asked);
    tell();
    await screen.findByText('line 4');
  });

  it('tells which line was clicked', async () => {
    const onHash = vi.fn();
    show(<LogViewer jobId="job" active={false} hash="" onHash={onHash} load={load} />);
    await screen.findByText('line 1');
    await userEvent.click(document.querySelector('[data-number="3"]')!);
    expect(onHash).toHaveBeenCalledWith('#L3');
  });

  it('steps through the matches that the server found', async () => {
    vi.spyOn(globalThis, 'fetch').mockImplementation(async (input) => {
      expect(String(input)).toContain('/api/jobs/job/log/search?q=needle&ignore_case=true&from=1');
      return new Response(
        JSON.stringify({
          job_id: 'job',
          matches: [{ line: 500, text: 'needle' }, { line: 900_000, text: 'needle' }],
          next: null,
          total: kLines,
        }),
      );
    });
    show(<LogViewer jobId="job" active={false} hash="" onHash={() => undefined} load={load} />);
    await screen.findByText('line 1');
    await userEvent.type(screen.getByLabelText('Search the log'), 'needle');
    await screen.findByText('1 of 2');
    await screen.findByText('line 500');
    await userEvent.click(screen.getByLabelText(/^Next match/));
    await screen.findByText('line 900000');
    expect(screen.getByText('2 of 2')).toBeTruthy();
    await waitFor(() =>
      expect(document.querySelector('[data-line="900000"]')?.getAttribute('data-current')).toBe('true'),
    );
  });
});

describe('parseHash', () => {
  it('reads a line and a range, and nothing else', () => {
    expect(parseHash('#L120')).toEqual({ from: 120, to: 120 });
    expect(parseHash('#L5-L9')).toEqual({ from: 5, to: 9 });
    expect(parseHash('#L9-L5')).toEqual({ from: 9, to: 9 });
    expect(parseHash('#Lx')).toBeNull();
    expect(parseHash('')).toBeNull();
  });
});
