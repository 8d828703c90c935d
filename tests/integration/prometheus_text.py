"""A strict reader of Prometheus' text format 0.0.4, for the tests of /metrics."""

import math
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)?\}})? (\S+)")
TYPES = {"counter", "gauge", "histogram"}


def unescape(text):
    return re.sub(r"\\(.)", lambda match: {"n": "\n"}.get(match[1], match[1]), text)


def labels_of(text):
    found = re.findall(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"', text or "")
    names = [name for name, _ in found]
    assert len(set(names)) == len(names), f"a label is there twice: {text}"
    return {name: unescape(value) for name, value in found}


class Metrics:
    """What parse() found: samples by name and labels, and the type of each family."""

    def __init__(self, text):
        assert text.endswith("\n")
        self.types, self.samples = {}, {}
        helped, family = set(), None
        for line in text[:-1].split("\n"):
            if line.startswith("# HELP "):
                name, words = line[7:].split(" ", 1)
                assert re.fullmatch(NAME, name) and words, line
                assert name not in helped, f"two HELP of {name}"
                helped.add(name)
            elif line.startswith("# TYPE "):
                family, kind = line[7:].split(" ")
                assert family not in self.types, f"two TYPE of {family}"
                assert kind in TYPES and family in helped, line
                self.types[family] = kind
            else:
                match = SAMPLE.fullmatch(line)
                assert match, f"this is no sample: {line!r}"
                name, labels, value = match[1], labels_of(match[2]), float(match[3])
                suffixes = ("_bucket", "_sum", "_count") if self.types[family] == "histogram" else ("",)
                assert name in {family + suffix for suffix in suffixes}, f"{name} stands in {family}"
                if self.types[family] == "counter":
                    assert name.endswith("_total") and value >= 0, line
                key = (name, frozenset(labels.items()))
                assert key not in self.samples, f"there twice: {line}"
                self.samples[key] = value
        for family, kind in self.types.items():
            if kind == "histogram":
                self.check_histogram(family)

    def check_histogram(self, family):
        buckets = {}
        for (name, labels), value in self.samples.items():
            if name == family + "_bucket":
                labels = dict(labels)
                bound = float(labels.pop("le"))
                buckets.setdefault(frozenset(labels.items()), []).append((bound, value))
        assert buckets, family
        for labels, pairs in buckets.items():
            pairs.sort()
            counts = [count for _, count in pairs]
            assert counts == sorted(counts), f"{family} is not cumulative"
            assert pairs[-1][0] == math.inf
            assert pairs[-1][1] == self.samples[(family + "_count", labels)]
            assert (family + "_sum", labels) in self.samples

    def __call__(self, name, **labels):
        """The sum of the samples that have these labels; None when there is none."""
        values = [value for (one, have), value in self.samples.items()
                  if one == name and labels.items() <= dict(have).items()]
        return sum(values) if values else None
