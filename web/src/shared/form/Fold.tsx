import type { ReactNode } from 'react';
import classes from './form.module.css';

/** A part of a form that few people need; `open` when there is something in it to see. */
export function Fold({ title, open, children }: { title: string; open: boolean; children: ReactNode }) {
  return (
    <details className={classes.fold} open={open || undefined}>
      <summary>{title}</summary>
      {children}
    </details>
  );
}
