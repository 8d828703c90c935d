"""Configuration files: YAML in, overrides on top, checked values out.

The YAML is read by the rules of YAML 1.2 (as the server reads it): `ON` and `NO` are tickers and
not booleans, `1e-3` is a number, `20260217_171416__01234567` is no integer, and dates stay text.
"""

import hashlib
import json
import math
import re

import yaml

from .errors import UsageError

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z0-9_^=-]+)*")
_REQUIRED = object()


class _Loader(yaml.SafeLoader):
    """SafeLoader with the core schema of YAML 1.2 in place of the types of YAML 1.1."""

    yaml_implicit_resolvers = {}


def _float(loader, node):
    text = node.value.lower()
    if text.endswith((".inf", ".nan")):
        return float(text.replace(".", ""))
    return float(text)


def _int(loader, node):
    text = node.value.lower()
    base = 16 if text.startswith("0x") else 8 if text.startswith("0o") else 10
    return int(text[2:] if base != 10 else text, base)


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+0123456789.",
    ),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})$"), list(_first)
    )
_Loader.add_constructor("tag:yaml.org,2002:float", _float)
_Loader.add_constructor("tag:yaml.org,2002:int", _int)


def parse_yaml(text, what):
    """The value of one YAML document of plain types."""
    try:
        value = yaml.load(text, Loader=_Loader)
        json.dumps(value)  # refuses what refers to itself, and keys that are not plain
    except yaml.YAMLError as failure:
        where = getattr(failure, "problem_mark", None)
        line = f" in line {where.line + 1}" if where else ""
        raise UsageError(
            f"{what}: not valid YAML{line}: {getattr(failure, 'problem', None) or failure}"
        ) from None
    except RecursionError:
        raise UsageError(f"{what}: nested too deeply") from None
    except (ValueError, TypeError) as failure:
        raise UsageError(f"{what}: not usable as configuration: {failure}") from None
    return value


def to_yaml(values):
    return yaml.safe_dump(values, allow_unicode=True, sort_keys=False, width=100)


def read_text(path, what):
    """The text of a UTF-8 file, without a byte order mark and with LF line ends."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            return file.read()
    except FileNotFoundError:
        raise UsageError(f"{what} {path} does not exist: check the path") from None
    except IsADirectoryError:
        raise UsageError(f"{what} {path} is a folder, not a file") from None
    except UnicodeDecodeError:
        raise UsageError(f"{what} {path} is not UTF-8 text: save it as UTF-8") from None
    except OSError as failure:
        raise UsageError(f"{what} {path} cannot be read: {failure.strerror}") from None


class Config:
    """A configuration document. `values` is the effective mapping, as saved beside the results."""

    def __init__(self, values):
        self.values = values
        self._overridden, self._read = [], set()

    @classmethod
    def load(cls, path, overrides=()):
        values = parse_yaml(read_text(path, "configuration"), str(path))
        if values is None:
            values = {}
        if not isinstance(values, dict):
            raise UsageError(f"{path}: a configuration is a mapping of keys to values")
        config = cls(values)
        for text in overrides:
            config.override(text)
        return config

    def override(self, text):
        """Apply one `key=value`; only the first `=` separates."""
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--set {text!r}: write key=value, for instance label.horizon_days=40")
        if not _KEY.fullmatch(key):
            raise UsageError(
                f"--set {text!r}: {key!r} is not a key: names of letters, digits, _ and -, "
                "separated by dots"
            )
        parsed = parse_yaml(value, f"--set {key}")
        self._overridden.append(key)
        node, names = self.values, key.split(".")
        for depth, name in enumerate(names):
            if isinstance(node, list):
                if not (name.isdigit() and int(name) < len(node)):
                    raise UsageError(
                        f"--set {key}: {'.'.join(names[:depth])} is a list of {len(node)}; "
                        f"{name!r} is not an index of it"
                    )
                name = int(name)
            elif not isinstance(node, dict):
                raise UsageError(
                    f"--set {key}: {'.'.join(names[:depth])} is a single value, it has no keys"
                )
            if depth == len(names) - 1:
                node[name] = parsed
            elif isinstance(node, list):
                node = node[name]
            else:
                if node.get(name) is None:
                    node[name] = {}
                node = node[name]

    def unused_overrides(self):
        """Keys that were overridden, but that no read so far asked for: most likely misspelled."""
        used = lambda key: any(
            key == read or key.startswith(f"{read}.") or read.startswith(f"{key}.")
            for read in self._read
        )
        return [key for key in self._overridden if not used(key)]

    def hash(self):
        """Hex digest of the effective values, whatever the order of keys in the file."""
        text = json.dumps(self.values, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    # Checked reads. A missing key or a null is the default; without a default it is an error.

    def get(self, key, default=None):
        self._read.add(key)
        node = self.values
        for name in key.split("."):
            if not isinstance(node, dict) or node.get(name) is None:
                return default
            node = node[name]
        return node

    def _typed(self, key, default, check, wanted):
        value = self.get(key)
        if value is None:
            if default is _REQUIRED:
                raise UsageError(f"configuration: {key} is missing: it must be {wanted}")
            return default
        if not check(value):
            raise UsageError(f"configuration: {key} is {value!r}: it must be {wanted}")
        return value

    def integer(self, key, default=_REQUIRED, low=0, high=10**9):
        return self._typed(
            key,
            default,
            lambda v: isinstance(v, int) and not isinstance(v, bool) and low <= v <= high,
            f"a whole number from {low} to {high}",
        )

    def number(self, key, default=_REQUIRED, low=-1e12, high=1e12):
        value = self._typed(
            key,
            default,
            lambda v: is_number(v) and low <= v <= high,
            f"a number from {low:g} to {high:g}",
        )
        return value if value is None else float(value)

    def flag(self, key, default=_REQUIRED):
        return self._typed(key, default, lambda v: isinstance(v, bool), "true or false")

    def text(self, key, default=_REQUIRED):
        return self._typed(key, default, lambda v: isinstance(v, str) and v != "", "a text")

    def mapping(self, key):
        return self._typed(key, {}, lambda v: isinstance(v, dict), "a mapping of keys to values")

    def integers(self, key, default=_REQUIRED, low=1, high=1000):
        return self._typed(
            key,
            default,
            lambda v: isinstance(v, list)
            and all(isinstance(n, int) and not isinstance(n, bool) and low <= n <= high for n in v),
            f"a list of whole numbers from {low} to {high}",
        )

    def tickers(self, key):
        """Canonical tickers; an absent key is an empty list."""
        from .cli import tickers

        values = self._typed(key, [], lambda v: isinstance(v, list), "a list of tickers")
        try:
            return tickers(values)
        except UsageError as failure:
            raise UsageError(f"configuration: {key}: {failure}") from None

    def date(self, key):
        """YYYY-MM-DD, or None."""
        from .cli import date

        value = self.get(key)
        return None if value is None else date(value, f"configuration: {key}")


def is_number(value):
    """Whether `value` is a number that a float can hold."""
    try:
        return type(value) in (int, float) and math.isfinite(value)
    except OverflowError:
        return False
