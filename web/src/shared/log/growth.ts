/** A log that is quiet for so long is looked at all the same: it may have been cut. */
const kMostMs = 60_000;

/** Resolves when the log may have gone on from `offset`, and at once when nobody can tell. */
export type WaitForGrowth = (jobId: string, offset: number, signal: AbortSignal) => Promise<void>;

/**
 * Waits at the server's stream of the log, so that a page whose job is quiet asks nothing. The stream is
 * only waited at: what a fast log writes is asked for by the screenful, and not sent here as a whole. A
 * page that nobody sees gives its connection back, as a browser has six for a server.
 */
export const waitForGrowth: WaitForGrowth = (jobId, offset, signal) =>
  new Promise((resolve) => {
    if (signal.aborted || document.hidden) {
      resolve();
      return;
    }
    const source = new EventSource(`/api/jobs/${encodeURIComponent(jobId)}/log/stream?offset=${offset}`);
    const done = () => {
      clearTimeout(timer);
      source.close();
      signal.removeEventListener('abort', done);
      document.removeEventListener('visibilitychange', done);
      resolve();
    };
    const timer = setTimeout(done, kMostMs);
    source.onmessage = done;
    source.onerror = done;
    source.addEventListener('end', done);
    signal.addEventListener('abort', done);
    document.addEventListener('visibilitychange', done);
  });
