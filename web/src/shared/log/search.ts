import { useCallback, useEffect, useRef, useState } from 'react';
import { api, messageOf, url } from '../api/client';
import type { LogMatches } from '../api/types';

export interface SearchQuery {
  text: string;
  regex: boolean;
  ignoreCase: boolean;
}

/** A log can have millions of matches; nobody steps through more than that. */
const kMost = 10_000;
const kPage = 1000;

export interface SearchResult {
  lines: number[];
  /** There are more than are listed. */
  more: boolean;
  busy: boolean;
  error: string | null;
}

const kNothing: SearchResult = { lines: [], more: false, busy: false, error: null };

/** Line numbers with a match, gathered page by page on the server's side of the log. */
export function useLogSearch(jobId: string, query: SearchQuery, total: number): SearchResult {
  const { text, regex, ignoreCase } = query;
  const [result, setResult] = useState<SearchResult>(kNothing);
  /** The line to go on from; 0 while a search runs. */
  const next = useRef(0);
  const running = useRef<AbortController | null>(null);

  const run = useCallback(
    async (from: number, known: number[]) => {
      running.current?.abort();
      const control = new AbortController();
      running.current = control;
      next.current = 0;
      let lines = known;
      let at: number | null = from;
      let end = from;
      try {
        while (at !== null && lines.length < kMost) {
          const page: LogMatches = await api<LogMatches>(
            url(`/api/jobs/${encodeURIComponent(jobId)}/log/search`, {
              q: text,
              regex: regex || undefined,
              ignore_case: ignoreCase || undefined,
              from: at,
              limit: kPage,
            }),
            { signal: control.signal },
          );
          lines = [...lines, ...page.matches.map((match) => match.line)];
          at = page.next;
          end = page.total;
          setResult({ lines, more: at !== null, busy: at !== null && lines.length < kMost, error: null });
        }
        // The last line may be unfinished: it is looked at again.
        next.current = at ?? Math.max(1, end);
      } catch (error) {
        if (control.signal.aborted) return;
        setResult({ lines, more: false, busy: false, error: messageOf(error) });
      }
    },
    [jobId, text, regex, ignoreCase],
  );

  useEffect(() => {
    next.current = 0;
    if (!text) {
      setResult(kNothing);
      return;
    }
    setResult({ ...kNothing, busy: true });
    const timer = setTimeout(() => void run(1, []), 200);
    return () => {
      clearTimeout(timer);
      running.current?.abort();
    };
  }, [text, run]);

  // The log has grown: only what is new is searched.
  useEffect(() => {
    const from = next.current;
    if (!text || from === 0 || total <= from || result.lines.length >= kMost) return;
    const timer = setTimeout(
      () => void run(from, result.lines.filter((line) => line < from)),
      1000,
    );
    return () => clearTimeout(timer);
  }, [total, text, run, result.lines]);

  return result;
}

/** Where the matches of a line are, to mark them; the server has decided that there are any. */
export function rangesIn(line: string, query: SearchQuery): [number, number][] {
  if (!query.text || line.length > 4000) return [];
  let pattern: RegExp;
  try {
    const source = query.regex ? query.text : query.text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    pattern = new RegExp(source, query.ignoreCase ? 'giu' : 'gu');
  } catch {
    return [];
  }
  const ranges: [number, number][] = [];
  for (const found of line.matchAll(pattern)) {
    if (found[0].length) ranges.push([found.index, found.index + found[0].length]);
    if (ranges.length >= 200) break;
  }
  return ranges;
}
