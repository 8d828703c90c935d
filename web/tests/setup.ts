import { afterEach } from 'vitest';
import { cleanup, configure } from '@testing-library/react';

// Ends what would never end; a machine that is busy elsewhere takes its time.
configure({ asyncUtilTimeout: 20_000 });

// What the component library asks of a browser, and jsdom has not.
class Observer {
  observe() {}
  unobserve() {}
  disconnect() {}
}
Object.assign(globalThis, { ResizeObserver: Observer });
window.matchMedia = (query) =>
  ({
    matches: false,
    media: query,
    onchange: null,
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
    addListener: () => undefined,
    removeListener: () => undefined,
    dispatchEvent: () => false,
  }) as MediaQueryList;
Element.prototype.scrollIntoView = () => undefined;
Object.defineProperty(document, 'fonts', {
  value: { addEventListener: () => undefined, removeEventListener: () => undefined },
});

afterEach(cleanup);
