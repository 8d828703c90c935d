/**
 * One connection to `/api/events`. It runs in a SharedWorker, so that ten open tabs hold one
 * connection and not ten (a browser gives a server six), or in the page where there is no such worker.
 */

export type FeedMessage =
  | { kind: 'state'; live: boolean }
  | { kind: 'event'; name: FeedEvent; data: string };

export const kFeedEvents = [
  'job_created',
  'job_updated',
  'job_deleted',
  'plugins_changed',
  'queue_changed',
  'reset',
] as const;

export type FeedEvent = (typeof kFeedEvents)[number];

const kRetryMs = 3000;

export class EventFeed {
  private source: EventSource | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  live = false;

  constructor(private readonly publish: (message: FeedMessage) => void) {}

  open(): void {
    if (this.source) return;
    const source = new EventSource('/api/events');
    this.source = source;
    source.onopen = () => this.setLive(true);
    source.onerror = () => {
      this.setLive(false);
      // The browser reconnects after a broken connection, but not after an answer that is an error.
      if (source.readyState === EventSource.CLOSED) {
        this.close();
        this.timer = setTimeout(() => this.open(), kRetryMs);
      }
    };
    for (const name of kFeedEvents) {
      source.addEventListener(name, (event) =>
        this.publish({ kind: 'event', name, data: String((event as MessageEvent).data) }),
      );
    }
  }

  close(): void {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  private setLive(live: boolean): void {
    this.live = live;
    this.publish({ kind: 'state', live });
  }
}
