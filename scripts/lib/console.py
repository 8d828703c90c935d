"""What a long command shows while it works: tables of numbers, and one progress bar."""

import sys
import time

_BLOCKS = " ▏▎▍▌▋▊▉█"


def format_value(value):
    """A table cell. Never in exponent form, so that a simple pattern finds every number."""
    if isinstance(value, float):
        text = f"{value:.6f}".rstrip("0").rstrip(".")
        return "0" if text in ("-0", "") else text
    return str(value)


def table(sections):
    """`{section: {name: value}}` as Stable-Baselines3 logs it; no final newline."""
    rows = []
    for section, entries in sections.items():
        rows.append((f"{section}/", ""))
        rows += [(f"   {name}", format_value(value)) for name, value in entries.items()]
    width = max([23] + [len(name) for name, _ in rows])
    room = max([11] + [len(value) for _, value in rows])
    line = "-" * (width + room + 7)
    body = [f"| {name:<{width}} | {value:<{room}} |" for name, value in rows]
    return "\n".join([line, *body, line])


def _clock(seconds):
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes:02d}:{seconds:02d}"


class Bar:
    """A progress bar in the form of tqdm, on stderr: redrawn after a carriage return.

    Ordinary lines go through `say`, which keeps them apart from the bar.
    """

    def __init__(self, name, total, unit="it", stream=None, clock=time.monotonic):
        self._name, self._total, self._unit = name, total, unit
        self._stream, self._clock = stream or sys.stderr, clock
        self._start, self._drawn_at = clock(), None
        self._count, self._width = 0, 0  # width of the bar that is on the current line; 0: none

    def __enter__(self):
        self._draw(self._start)  # at once, as tqdm does: whoever reads the log learns the total
        return self

    def __exit__(self, kind, value, trace):
        self.end()

    def advance_to(self, count):
        moved, self._count = count != self._count, count
        now = self._clock()
        complete = moved and count >= self._total
        if complete or self._drawn_at is None or now - self._drawn_at >= 0.25:
            self._draw(now)

    def say(self, text):
        """Print `text` on stdout as lines of its own."""
        if self._width and self._stream.isatty():
            self._stream.write("\r" + " " * self._width + "\r")
        elif self._width:
            self._stream.write("\n")
        self._stream.flush()
        self._width = 0
        print(text, flush=True)

    def end(self):
        if self._width:
            self._stream.write("\n")
            self._stream.flush()
            self._width = 0

    def _draw(self, now):
        seconds = max(now - self._start, 1e-9)
        fraction = min(self._count / self._total, 1.0) if self._total else 1.0
        eighths = round(fraction * 10 * 8)
        bar = "█" * (eighths // 8) + (_BLOCKS[eighths % 8] if eighths < 80 else "")
        rate = self._count / seconds
        left = _clock((self._total - self._count) / rate) if rate else "?"
        text = (
            f"{self._name}: {fraction * 100:3.0f}%|{bar:<10}| {self._count}/{self._total} "
            f"[{_clock(seconds)}<{left}, {rate:.2f}{self._unit}/s]"
        )
        self._stream.write("\r" + text.ljust(self._width))
        self._stream.flush()
        self._width, self._drawn_at = len(text), now
