import type { ReactNode } from 'react';

/** What is wider than the page scrolls by itself, with the keyboard too. */
export function ScrollX({ minWidth, label, children }: { minWidth: number; label: string; children: ReactNode }) {
  return (
    <div role="region" aria-label={label} tabIndex={0} style={{ overflowX: 'auto', outlineOffset: -2 }}>
      <div style={{ minWidth }}>{children}</div>
    </div>
  );
}
