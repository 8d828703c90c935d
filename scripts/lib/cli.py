"""What every command line has in common: option errors, exit codes, and text streams."""

import argparse
import os
import re
import sys

from .errors import RunError, UsageError

_TICKER = re.compile(r"[A-Z0-9^][A-Z0-9.^=_-]{0,31}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class Parser(argparse.ArgumentParser):
    """argparse with our error sentence; abbreviations of options are not accepted."""

    def __init__(self, module, description):
        super().__init__(
            prog=f"python -m scripts.{module}", description=description, allow_abbrev=False
        )

    def error(self, message):
        raise UsageError(f"{message} (see {self.prog} --help)")


def add_overrides(parser):
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override one configuration value; dotted key, YAML value; may be repeated",
    )


def ticker(text):
    """The canonical form of one ticker; narrow, because a ticker becomes part of file names."""
    value = text.strip().upper() if isinstance(text, str) else text
    if not isinstance(value, str) or not _TICKER.fullmatch(value):
        raise UsageError(
            f"{text!r} is not a ticker: use letters, digits and . ^ = _ - "
            "(in YAML, put quotes around a ticker that looks like a number or a word such as true)"
        )
    return value


def tickers(values):
    """Canonical tickers in the order given, without repeats."""
    return list(dict.fromkeys(ticker(value) for value in values))


def date(text, name):
    """`text` as it is, when it is a calendar date YYYY-MM-DD."""
    import datetime

    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        datetime.date.fromisoformat(text)
    except (ValueError, TypeError):
        raise UsageError(f"{name}: {text!r} is not a date: write YYYY-MM-DD") from None
    return text


def warn(message):
    print(f"[WARN] {message}", file=sys.stderr, flush=True)


def warn_of_unused(config):
    """Call when all of the configuration has been read."""
    for key in config.unused_overrides():
        warn(f"--set {key}: nothing reads this key; is it spelled right?")


def error(message):
    sys.stdout.flush()
    print(f"[ERROR] {message}", file=sys.stderr, flush=True)


def run(main):
    """Call `main(argv)` as a program: its result, or the error it raised, becomes the exit code.

    An exception that is nobody's fault but ours keeps its traceback (exit code 1).
    """
    # Lines leave at once, also into a file, and no locale can make a print fail.
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        code = main(sys.argv[1:]) or 0
        sys.stdout.flush()
    except (UsageError, RunError) as failure:
        error(failure)
        code = failure.exit_code
    except BrokenPipeError:
        # The reader went away (`| head`); point stdout elsewhere so that the exit flush is quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except OSError as failure:
        error(f"{failure.filename or 'file system'}: {failure.strerror or failure}")
        code = 1
    except KeyboardInterrupt:
        error("interrupted")
        code = 130
    sys.exit(code)
