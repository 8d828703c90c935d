import { ActionIcon, Button, Loader, Text, TextInput, Tooltip } from '@mantine/core';
import { useLocalStorage, useResizeObserver } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import {
  IconArrowBarToDown,
  IconArrowBarToUp,
  IconArrowsMaximize,
  IconArrowsMinimize,
  IconChevronDown,
  IconChevronUp,
  IconCopy,
  IconDownload,
  IconLetterCase,
  IconRegex,
  IconSearch,
  IconTextWrap,
} from '@tabler/icons-react';
import type { Icon } from '@tabler/icons-react';
import {
  memo,
  useCallback,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from 'react';
import { ApiError, messageOf } from '../api/client';
import { useT } from '../i18n';
import { copyText } from '../lib/clipboard';
import { formatBytes, formatNumber } from '../lib/format';
import { mark, parseAnsi, plainText } from './ansi';
import type { Style } from './ansi';
import { waitForGrowth } from './growth';
import type { WaitForGrowth } from './growth';
import { anchorOf, isScaled, maxPosition, pixelsPerLine, positionOf, rowsOf, spacerHeight } from './scroll';
import { rangesIn, useLogSearch } from './search';
import type { SearchQuery } from './search';
import { linesOf, LogStore } from './store';
import type { LoadLines } from './store';
import classes from './LogViewer.module.css';

const kRow = 18;
/** How often the end is looked at while it grows: when it is followed, and when something else is read. */
const kFollowMs = 600;
const kIdleMs = 2500;
/** What "copy" takes at most without a selection. */
const kCopyLines = 5000;

export interface LineRange {
  from: number;
  to: number;
}

/** `#L120` and `#L120-L140`. */
export function parseHash(hash: string): LineRange | null {
  const found = /^#L(\d{1,12})(?:-L?(\d{1,12}))?$/.exec(hash);
  if (!found) return null;
  const from = Math.max(1, Number(found[1]));
  return { from, to: Math.max(from, Number(found[2] ?? found[1])) };
}

function css(style: Style): React.CSSProperties | undefined {
  if (Object.keys(style).length === 0) return undefined;
  const { fg, bg } = style;
  return {
    color: style.inverse ? (bg ?? 'var(--ry-surface)') : fg,
    background: style.inverse ? (fg ?? 'var(--mantine-color-text)') : bg,
    fontWeight: style.bold ? 650 : undefined,
    opacity: style.dim ? 0.7 : undefined,
    fontStyle: style.italic ? 'italic' : undefined,
    textDecoration: style.underline ? 'underline' : undefined,
  };
}

interface LineProps {
  number: number;
  text: string | undefined;
  query: SearchQuery;
  selected: boolean;
  current: boolean;
  cut: string | null;
  onNumber: (number: number, extend: boolean) => void;
}

const Line = memo(function Line({ number, text, query, selected, current, cut, onNumber }: LineProps) {
  const pieces = useMemo(() => {
    if (text === undefined) return null;
    const parsed = parseAnsi(text);
    const ranges = query.text ? rangesIn(parsed.map((piece) => piece.text).join(''), query) : [];
    return mark(parsed, ranges);
  }, [text, query]);
  return (
    <div
      className={classes.line}
      data-line={number}
      data-selected={selected || undefined}
      data-current={current || undefined}
    >
      <a
        href={`#L${number}`}
        className={classes.number}
        tabIndex={-1}
        aria-hidden
        data-number={number}
        onClick={(event) => {
          event.preventDefault();
          onNumber(number, event.shiftKey);
        }}
      />
      <span className={classes.text}>
        {pieces === null ? (
          <span className={classes.ghost} aria-hidden />
        ) : (
          pieces.map((piece, index) =>
            piece.marked ? (
              <mark key={index} className={classes.mark}>
                {piece.text}
              </mark>
            ) : (
              <span key={index} style={css(piece.style)}>
                {piece.text}
              </span>
            ),
          )
        )}
        {cut && <span className={classes.cut}>{cut}</span>}
      </span>
    </div>
  );
});

function Toggle(props: { icon: Icon; label: string; on: boolean; toggle: () => void }) {
  const { icon: Glyph, label, on, toggle } = props;
  return (
    <Tooltip label={label}>
      <ActionIcon
        size="sm"
        variant={on ? 'light' : 'subtle'}
        color={on ? 'indigo' : 'gray'}
        aria-label={label}
        aria-pressed={on}
        onClick={toggle}
      >
        <Glyph size={15} />
      </ActionIcon>
    </Tooltip>
  );
}

function Act(props: { icon: Icon; label: string; act: () => void; disabled?: boolean }) {
  const { icon: Glyph, label, act, disabled } = props;
  return (
    <Tooltip label={label}>
      <ActionIcon size="sm" aria-label={label} onClick={act} disabled={disabled ?? false}>
        <Glyph size={15} />
      </ActionIcon>
    </Tooltip>
  );
}

interface Props {
  jobId: string;
  /** It may still grow. */
  active: boolean;
  /** The part of the address after `#`. */
  hash: string;
  onHash: (hash: string) => void;
  load?: LoadLines;
  wait?: WaitForGrowth;
}

/**
 * A log of any size: a screenful of lines is in the page, a few thousand in the memory, and the rest
 * stays with the server.
 */
export function LogViewer({ load, ...props }: Props) {
  const { jobId } = props;
  const t = useT();
  const [store, setStore] = useState<LogStore | null>(null);
  useEffect(() => {
    const made = new LogStore(load ?? linesOf(jobId));
    setStore(made);
    return () => made.dispose();
  }, [jobId, load]);
  if (!store) return <div className={classes.root} />;
  return <Viewer key={jobId} t={t} store={store} {...props} />;
}

function Viewer({
  t,
  store,
  jobId,
  active,
  hash,
  onHash,
  wait = waitForGrowth,
}: Omit<Props, 'load'> & { store: LogStore; t: ReturnType<typeof useT> }) {
  useSyncExternalStore(store.subscribe, store.snapshot);
  const { total } = store;

  const [wrap, setWrap] = useLocalStorage({ key: 'runyard-log-wrap', defaultValue: false });
  const [large, setLarge] = useState(false);
  const selection = useMemo(() => parseHash(hash), [hash]);
  const [follow, setFollow] = useState(active && !selection);
  const [position, setPosition] = useState(0);
  const [query, setQuery] = useState<SearchQuery>({ text: '', regex: false, ignoreCase: true });
  const [match, setMatch] = useState(-1);

  const scroller = useRef<HTMLDivElement>(null);
  const window_ = useRef<HTMLDivElement>(null);
  const [observe, box] = useResizeObserver<HTMLDivElement>();
  const viewHeight = box.height || 400;
  const geometry = useMemo(
    () => ({ total, rowHeight: kRow, viewHeight }),
    [total, viewHeight],
  );
  const max = maxPosition(geometry);
  const pixels = pixelsPerLine(geometry);
  const shown = follow ? max : Math.min(position, max);

  // The end is looked at again and again while it grows, and once more when it can grow no longer. While
  // it is quiet, the server's stream is waited at; without one it is asked for.
  useEffect(() => {
    const gone = new AbortController();
    const watch = async () => {
      for (;;) {
        const { size } = store;
        if (!document.hidden || !store.loaded) await store.refresh();
        if (!active || gone.signal.aborted) return;
        await new Promise((resolve) => setTimeout(resolve, follow ? kFollowMs : kIdleMs));
        if (gone.signal.aborted) return;
        if (store.size === size && !store.error) await wait(jobId, size, gone.signal);
        if (gone.signal.aborted) return;
      }
    };
    void watch();
    return () => gone.abort();
  }, [store, active, follow, jobId, wait]);

  const goTo = useCallback(
    (next: number, stayFollowing = false) => {
      setFollow(stayFollowing);
      setPosition(Math.min(maxPosition(geometry), Math.max(0, next)));
    },
    [geometry],
  );

  // The bar follows the position; what the bar says back because of that, maybe when more lines have come
  // since, is no wish of the reader.
  const placed = useRef(0);
  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const wanted = shown * pixels;
    if (Math.abs(element.scrollTop - wanted) > 1) element.scrollTop = wanted;
    placed.current = element.scrollTop;
  }, [shown, pixels, viewHeight, total]);

  const onScroll = () => {
    const element = scroller.current;
    if (!element) return;
    if (Math.abs(element.scrollTop - placed.current) <= 1.5) return;
    placed.current = element.scrollTop;
    const next = element.scrollTop / pixels;
    const atEnd = element.scrollTop >= max * pixels - 2;
    setPosition(Math.min(max, next));
    setFollow(active && atEnd);
  };

  // A pixel of the bar is many lines of a huge log: wheel and keys then move by lines all the same.
  const scaled = isScaled(geometry);
  useEffect(() => {
    const element = scroller.current;
    if (!element || !scaled) return;
    const onWheel = (event: WheelEvent) => {
      if (event.ctrlKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) return;
      event.preventDefault();
      const unit = event.deltaMode === 1 ? 1 : event.deltaMode === 2 ? rowsOf(geometry) : 1 / kRow;
      const next = shown + event.deltaY * unit;
      goTo(next, active && next >= max);
    };
    element.addEventListener('wheel', onWheel, { passive: false });
    return () => element.removeEventListener('wheel', onWheel);
  }, [scaled, geometry, shown, goTo, active, max]);

  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.target !== scroller.current || event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(rowsOf(geometry)) - 1);
    const steps: Record<string, number> = {
      ArrowUp: -1, ArrowDown: 1, PageUp: -page, PageDown: page, Home: -Infinity, End: Infinity,
    };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = shown + step;
    goTo(next, active && next >= max);
  };

  // A link to a line, when the page opens and when the link changes.
  const aimed = useRef('');
  useEffect(() => {
    if (!selection || total === 0 || aimed.current === hash) return;
    aimed.current = hash;
    setFollow(false);
    setPosition(positionOf(selection.from - 1, geometry, wrap));
  }, [selection, hash, total, geometry, wrap]);

  const found = useLogSearch(jobId, query, total);
  const { lines: matches } = found;
  const currentLine = matches[match];

  // The first match that is not above of what is being read.
  const searched = useRef<SearchQuery | null>(null);
  useEffect(() => {
    if (!query.text) {
      searched.current = null;
      setMatch(-1);
      return;
    }
    if (matches.length === 0) {
      if (searched.current !== query) setMatch(-1);
      return;
    }
    if (searched.current === query) return;
    searched.current = query;
    const top = Math.floor(follow ? 0 : shown) + 1;
    const index = Math.max(0, matches.findIndex((line) => line >= top));
    setMatch(index);
    goTo(positionOf(matches[index]! - 1, geometry, wrap));
  }, [matches, query, shown, follow, geometry, wrap, goTo]);

  const step = (by: 1 | -1) => {
    if (matches.length === 0) return;
    const next = (match + by + matches.length) % matches.length;
    setMatch(next);
    goTo(positionOf(matches[next]! - 1, geometry, wrap));
  };

  // What is drawn: around the anchor, enough for the view if no line is wrapped.
  const rows = Math.ceil(rowsOf(geometry));
  const anchor = anchorOf(shown, geometry);
  const anchorLine = Math.min(Math.max(0, total - 1), Math.floor(anchor.line));
  const first = Math.max(0, Math.floor(anchor.line - rows - 4));
  const last = Math.min(total, Math.ceil(anchor.line + rows + 4));
  const from = wrap ? first : Math.max(0, Math.floor(shown) - 8);
  const to = wrap ? last : Math.min(total, Math.ceil(shown + rows) + 8);

  useEffect(() => {
    store.want(from + 1, to);
  }, [store, from, to, store.version]);

  // After the heights are known, before anything is painted.
  useLayoutEffect(() => {
    const element = window_.current;
    if (!element) return;
    if (!wrap) {
      element.style.transform = `translateY(${(from - shown) * kRow}px)`;
      return;
    }
    const line = element.children[anchorLine - from] as HTMLElement | undefined;
    if (!line) {
      element.style.transform = 'none';
      return;
    }
    const fraction = Math.min(1, anchor.line - anchorLine);
    let offset = anchor.at - line.offsetTop - fraction * line.offsetHeight;
    // All of it fits: it begins at the top, as a text does.
    if (from === 0 && (offset > 0 || (to === total && element.offsetHeight <= viewHeight))) offset = 0;
    element.style.transform = `translateY(${offset}px)`;
  });

  const onNumber = useCallback(
    (number: number, extend: boolean) => {
      const start = extend && selection ? selection.from : number;
      const range = { from: Math.min(start, number), to: Math.max(start, number) };
      const next = range.from === range.to ? `#L${range.from}` : `#L${range.from}-L${range.to}`;
      // Selected where it is: the text does not move.
      aimed.current = next;
      setFollow(false);
      setPosition(shown);
      onHash(next);
    },
    [onHash, selection, shown],
  );

  const copy = async () => {
    const range = selection ?? { from: Math.max(1, total - kCopyLines + 1), to: total };
    const bounded = { from: range.from, to: Math.min(range.to, total, range.from + kCopyLines - 1) };
    try {
      const lines: string[] = [];
      const loader = linesOf(jobId);
      for (let start = bounded.from; start <= bounded.to; ) {
        const page = await loader({ start, count: bounded.to - start + 1 }, new AbortController().signal);
        if (page.lines.length === 0) break;
        lines.push(...page.lines.map(plainText));
        start = page.next;
      }
      await copyText(`${lines.join('\n')}\n`);
      notifications.show({ color: 'teal', message: t('log.copied', { n: lines.length }) });
    } catch (error) {
      notifications.show({ color: 'red', title: t('log.copy.failed'), message: messageOf(error) });
    }
  };

  const digits = String(Math.max(total, 1)).length;
  const lines = [];
  for (let index = from; index < to; index += 1) {
    const number = index + 1;
    lines.push(
      <Line
        key={number}
        number={number}
        text={store.line(number)}
        query={query}
        selected={selection !== null && number >= selection.from && number <= selection.to}
        current={number === currentLine}
        cut={store.wasCut(number) ? t('log.cut') : null}
        onNumber={onNumber}
      />,
    );
  }

  return (
    <div className={classes.root} data-large={large || undefined} data-testid="log">
      <div className={classes.bar} role="toolbar" aria-label={t('log.tools')}>
        <div className={classes.find}>
          <TextInput
            size="xs"
            data-search
            className={classes.search}
            aria-label={t('log.search')}
            placeholder={t('log.search')}
            leftSection={found.busy ? <Loader size={12} /> : <IconSearch size={14} />}
            value={query.text}
            onChange={(event) => setQuery({ ...query, text: event.currentTarget.value })}
            onKeyDown={(event) => {
              if (event.key === 'Enter') {
                event.preventDefault();
                step(event.shiftKey ? -1 : 1);
              } else if (event.key === 'Escape') {
                setQuery({ ...query, text: '' });
                scroller.current?.focus();
              }
            }}
          />
          <Toggle
            icon={IconLetterCase}
            label={t('log.case')}
            on={!query.ignoreCase}
            toggle={() => setQuery({ ...query, ignoreCase: !query.ignoreCase })}
          />
          <Toggle
            icon={IconRegex}
            label={t('log.regex')}
            on={query.regex}
            toggle={() => setQuery({ ...query, regex: !query.regex })}
          />
          <Act icon={IconChevronUp} label={t('log.previous')} act={() => step(-1)} disabled={matches.length === 0} />
          <Act icon={IconChevronDown} label={t('log.next')} act={() => step(1)} disabled={matches.length === 0} />
          <Text size="xs" c={found.error ? 'red' : 'dimmed'} className={`num ${classes.count}`} role="status">
            {found.error ??
              (query.text && (matches.length || !found.busy)
                ? t('log.matches', {
                    at: match + 1,
                    n: `${formatNumber(matches.length)}${found.more ? '+' : ''}`,
                  })
                : '')}
          </Text>
        </div>
        <div className={classes.tools}>
          <Text size="xs" c="dimmed" className={`num ${classes.total}`}>
            {t('log.size', { lines: formatNumber(total), size: formatBytes(store.size) })}
          </Text>
          {active && (
            <Button
              size="compact-xs"
              variant={follow ? 'light' : 'default'}
              aria-pressed={follow}
              onClick={() => {
                setFollow(!follow);
                setPosition(shown);
              }}
            >
              {follow ? t('log.following') : t('log.follow')}
            </Button>
          )}
          <Toggle icon={IconTextWrap} label={t('log.wrap')} on={wrap} toggle={() => setWrap(!wrap)} />
          <Act icon={IconArrowBarToUp} label={t('log.top')} act={() => goTo(0)} />
          <Act icon={IconArrowBarToDown} label={t('log.bottom')} act={() => goTo(max, active)} />
          <Act icon={IconCopy} label={selection ? t('log.copyLines') : t('log.copy')} act={() => void copy()} />
          <Tooltip label={t('log.download')}>
            <ActionIcon
              size="sm"
              component="a"
              href={`/api/jobs/${encodeURIComponent(jobId)}/log`}
              download={`${jobId}.log`}
              aria-label={t('log.download')}
            >
              <IconDownload size={15} />
            </ActionIcon>
          </Tooltip>
          <Toggle
            icon={large ? IconArrowsMinimize : IconArrowsMaximize}
            label={t(large ? 'log.small' : 'log.large')}
            on={large}
            toggle={() => setLarge(!large)}
          />
        </div>
      </div>
      <div
        ref={(element) => {
          scroller.current = element;
          observe(element);
        }}
        className={classes.scroller}
        onScroll={onScroll}
        onKeyDown={onKeyDown}
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label={t('log.label')}
        style={{ '--digits': digits } as React.CSSProperties}
      >
        {total === 0 ? (
          <div className={classes.empty}>
            {store.error && !(store.error instanceof ApiError && store.error.unreachable)
              ? messageOf(store.error)
              : !store.loaded
                ? t('loading')
                : active
                  ? t('log.waiting')
                  : t('log.empty')}
          </div>
        ) : (
          <div className={classes.spacer} style={{ height: spacerHeight(geometry) }}>
            <div className={classes.view} style={{ height: viewHeight }}>
              <div ref={window_} className={classes.window} data-wrap={wrap || undefined}>
                {lines}
              </div>
            </div>
          </div>
        )}
      </div>
    </div>
  );
}
