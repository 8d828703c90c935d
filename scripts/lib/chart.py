"""A line chart as a PNG, without any library: enough for an equity curve."""

import struct
import zlib

import numpy as np

# Glyphs of 3 by 5 dots, one octal digit a row: what dates and amounts are written with.
_GLYPHS = {
    "0": "75557", "1": "26227", "2": "71747", "3": "71717", "4": "55711", "5": "74717",
    "6": "74757", "7": "71111", "8": "75757", "9": "75717", "-": "00700", ".": "00002",
}  # fmt: skip
_WHITE, _GRID, _TEXT = (255, 255, 255), (226, 230, 236), (90, 98, 110)
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 16, 34


class Canvas:
    """A picture of RGB dots; the origin is at the top left."""

    def __init__(self, width, height):
        self.dots = np.full((height, width, 3), _WHITE, dtype=np.uint8)

    def write(self, x, y, text, scale=2):
        for place, letter in enumerate(text):
            for row, bits in enumerate(_GLYPHS.get(letter, "00000")):
                for column in range(3):
                    if int(bits) >> (2 - column) & 1:
                        left, top = x + (place * 4 + column) * scale, y + row * scale
                        self.dots[top : top + scale, left : left + scale] = _TEXT

    def line(self, xs, ys, color):
        """A line of two dots' width through the points."""
        for x0, y0, x1, y1 in zip(xs, ys, xs[1:], ys[1:]):
            count = int(max(abs(x1 - x0), abs(y1 - y0), 1)) + 1
            x = np.round(np.linspace(x0, x1, count)).astype(int)
            y = np.round(np.linspace(y0, y1, count)).astype(int)
            for shift in (0, 1):
                self.dots[np.clip(y + shift, 0, len(self.dots) - 1), x] = color

    def png(self):
        height, width, _ = self.dots.shape
        rows = np.zeros((height, 1 + width * 3), dtype=np.uint8)  # each begins with filter type 0
        rows[:, 1:] = self.dots.reshape(height, -1)

        def chunk(kind, data):
            checked = kind + data
            return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        return (
            b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", header)
            + chunk(b"IDAT", zlib.compress(rows.tobytes(), 9))
            + chunk(b"IEND", b"")
        )


def line_chart(dates, curves, width=960, height=480):
    """PNG bytes of `curves` [(values, color), ...] over `dates`; the first one is on top."""
    canvas = Canvas(width, height)
    values = np.concatenate([np.asarray(v, dtype=float) for v, _ in curves])
    low, high = float(values.min()), float(values.max())
    margin = (high - low) * 0.04 or max(abs(high), 1.0) * 0.04
    low, high = low - margin, high + margin
    x_of = lambda i: _LEFT + i * (width - _LEFT - _RIGHT - 1) / max(len(dates) - 1, 1)
    y_of = lambda v: _TOP + (high - v) * (height - _TOP - _BOTTOM - 1) / (high - low)
    for part in np.linspace(low + margin, high - margin, 5):
        y = int(y_of(part))
        canvas.dots[y, _LEFT : width - _RIGHT] = _GRID
        label = f"{part:.0f}" if high - low > 20 else f"{part:.2f}"
        canvas.write(max(_LEFT - 8 - len(label) * 8, 2), y - 5, label)
    for part in np.linspace(0, len(dates) - 1, 5):
        x = int(x_of(part))
        canvas.dots[_TOP : height - _BOTTOM, x] = _GRID
        canvas.write(min(x - 40, width - 84), height - _BOTTOM + 12, str(dates[int(part)])[:10])
    for curve, color in reversed(curves):
        xs = [x_of(i) for i in range(len(curve))]
        canvas.line(xs, [y_of(float(v)) for v in curve], color)
    return canvas.png()
