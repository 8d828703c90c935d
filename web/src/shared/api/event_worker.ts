/// <reference lib="webworker" />
import { EventFeed } from './event_feed';

const scope = self as unknown as SharedWorkerGlobalScope;
const ports = new Set<MessagePort>();
const feed = new EventFeed((message) => {
  for (const port of ports) port.postMessage(message);
});

scope.onconnect = (event) => {
  const port = event.ports[0]!;
  port.onmessage = (message: MessageEvent<'hello' | 'bye'>) => {
    if (message.data === 'bye') {
      ports.delete(port);
      if (ports.size === 0) feed.close();
      return;
    }
    ports.add(port);
    feed.open();
    if (feed.live) port.postMessage({ kind: 'state', live: true });
  };
  port.start();
};
