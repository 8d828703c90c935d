"""How good decisions to buy were, against the labels of the same days."""

import numpy as np

NAMES = (
    "accuracy", "precision", "recall", "f1", "support", "buy_rate", "positive_rate",
    "tp", "fp", "tn", "fn",
)  # fmt: skip


def evaluate(buy, label):
    """Metrics of boolean decisions; `support` is the number of days. A share of nothing is 0."""
    buy, label = np.asarray(buy, dtype=bool), np.asarray(label, dtype=bool)
    days = len(label)
    tp, fp = int((buy & label).sum()), int((buy & ~label).sum())
    fn, tn = int((~buy & label).sum()), int((~buy & ~label).sum())
    share = lambda part, whole: round(part / whole, 6) if whole else 0.0
    return {
        "accuracy": share(tp + tn, days),
        "precision": share(tp, tp + fp),
        "recall": share(tp, tp + fn),
        "f1": share(2 * tp, 2 * tp + fp + fn),
        "support": days,
        "buy_rate": share(tp + fp, days),
        "positive_rate": share(tp + fn, days),
        "tp": tp,
        "fp": fp,
        "tn": tn,
        "fn": fn,
    }


def lift(metrics):
    """How much likelier a bought day is to be positive than any day; None without positive days."""
    rate = metrics["positive_rate"]
    return round(metrics["precision"] / rate, 6) if rate else None


def describe(per_ticker):
    """A table for people: one line a ticker."""
    names = ("accuracy", "precision", "recall", "f1", "lift", "buy_rate", "positive_rate")
    counts = ("support", "tp", "fp", "tn", "fn")
    widths = [max(len(name), 7) + 2 for name in names + counts]
    line = lambda first, cells: f"{first:<10}" + "".join(f"{c:>{w}}" for c, w in zip(cells, widths))
    lines = [line("ticker", names + counts)]
    for ticker, values in per_ticker.items():
        shown = {**values, "lift": lift(values)}
        cells = ["-" if shown[name] is None else f"{shown[name]:.4f}" for name in names]
        cells += [str(shown[name]) for name in counts]
        lines.append(line(ticker, cells))
    return "\n".join(lines)
