import { useEffect } from 'react';
import { useNavigate } from 'react-router';

/** `g` and then one of these. */
export const kGoTo: Record<string, string> = {
  d: '/',
  j: '/jobs',
  a: '/actions',
  r: '/registry',
  u: '/runs',
  b: '/backtests',
  m: '/admin',
};

const kSequenceMs = 1200;

const writes = (target: EventTarget | null) =>
  target instanceof HTMLElement &&
  (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

export function useShortcuts(showHelp: () => void): void {
  const navigate = useNavigate();
  useEffect(() => {
    let since = 0;
    const onKey = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      if (writes(event.target)) return;
      if (since && performance.now() - since < kSequenceMs) {
        since = 0;
        const to = kGoTo[event.key];
        if (to) {
          event.preventDefault();
          void navigate(to);
        }
        return;
      }
      if (event.key === 'g') since = performance.now();
      else if (event.key === '?') showHelp();
      else if (event.key === '/') {
        const search = document.querySelector<HTMLInputElement>('[data-search]');
        if (!search) return;
        event.preventDefault();
        search.focus();
        search.select();
      }
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, [navigate, showHelp]);
}
