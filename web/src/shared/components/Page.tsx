import { Skeleton, Text, Title } from '@mantine/core';
import { IconChevronRight } from '@tabler/icons-react';
import { Fragment, useEffect } from 'react';
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import classes from './Page.module.css';

interface PageProps {
  /** Of the browser's tab and, if there is no `heading`, of the page. */
  title: string;
  heading?: ReactNode;
  subtitle?: ReactNode;
  parent?: { to: string; label: string };
  actions?: ReactNode;
  children: ReactNode;
  /** The content scrolls inside of the page: tables that know only what they show. */
  fixed?: boolean;
  /** What stands below the title and beside it is not known yet: their room is kept. */
  pending?: boolean;
}

export function Page({ title, heading, subtitle, parent, actions, children, fixed, pending }: PageProps) {
  useEffect(() => {
    document.title = `${title} · Runyard`;
  }, [title]);
  return (
    <div className={classes.page} data-fixed={fixed || undefined}>
      <header className={classes.header}>
        <div className={classes.titles}>
          <div className={classes.line}>
            {parent && (
              <>
                <Link to={parent.to} className={classes.parent}>
                  {parent.label}
                </Link>
                <IconChevronRight size={14} className={classes.chevron} aria-hidden />
              </>
            )}
            <Title order={1} className={classes.title}>
              {heading ?? title}
            </Title>
          </div>
          {pending && <Skeleton height={20} width={280} mt={4} mb={4} />}
          {subtitle && (
            <Text size="sm" c="dimmed" component="div" mt={2}>
              {subtitle}
            </Text>
          )}
        </div>
        {pending && <Skeleton height={30} width={260} />}
        {actions && <div className={classes.actions}>{actions}</div>}
      </header>
      <div className={classes.content}>{children}</div>
    </div>
  );
}

interface PanelProps {
  title?: ReactNode;
  aside?: ReactNode;
  children: ReactNode;
  /** Without room around the content: tables, charts. */
  flush?: boolean;
  label?: string;
  className?: string;
}

export function Panel({ title, aside, children, flush, label, className }: PanelProps) {
  return (
    <section
      className={`${classes.panel} ${className ?? ''}`}
      aria-label={label ?? (typeof title === 'string' ? title : undefined)}
    >
      {(title || aside) && (
        <div className={classes.panelHead}>
          <Title order={2} className={classes.panelTitle}>
            {title}
          </Title>
          {aside}
        </div>
      )}
      <div className={flush ? classes.panelFlush : classes.panelBody}>{children}</div>
    </section>
  );
}

/** A dotted key is broken between its words. */
const breakable = (name: string): ReactNode =>
  name.split(/(?<=[._])/).map((part, index) => (
    <Fragment key={index}>
      {index > 0 && <wbr />}
      {part}
    </Fragment>
  ));

/** Names and values; what has no value is not shown. */
export function Facts({ rows, wide }: { rows: [string, ReactNode][]; wide?: boolean }) {
  return (
    <dl className={classes.facts} data-wide={wide || undefined}>
      {rows
        .filter(([, value]) => value !== null && value !== undefined && value !== '' && value !== false)
        .map(([name, value]) => (
          <div key={name} className={classes.fact}>
            <dt>{breakable(name)}</dt>
            <dd className="num">{value}</dd>
          </div>
        ))}
    </dl>
  );
}
