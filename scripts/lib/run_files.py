"""Folders and files of runs and backtests: unique ids, and files that are whole or not there."""

import datetime
import hashlib
import json
import math
import os
import subprocess
import tempfile
from pathlib import Path

from .errors import UsageError


def new_id(prefix="", now=None):
    """`<prefix>YYYYMMDD_HHMMSS__<hash8>`: local time and eight random hex digits.

    At least one of the eight is a letter, so that no YAML reader takes an id for a number.
    """
    now = now or datetime.datetime.now()
    while True:
        digits = hashlib.sha256(os.urandom(16)).hexdigest()[:8]
        if not digits.isdigit():
            return f"{prefix}{now:%Y%m%d_%H%M%S}__{digits}"


def create_folder(parent, prefix="", make_id=new_id):
    """Make a new folder `parent/<id>` that nobody else has; return its id and path."""
    parent = Path(parent)
    parent.mkdir(parents=True, exist_ok=True)
    while True:
        name = make_id(prefix)
        try:
            (parent / name).mkdir()
        except FileExistsError:
            continue
        return name, parent / name


def write_bytes(path, data):
    """Replace `path` in one step: a reader sees the old file or the new one, never a part."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def write_text(path, text):
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_json(path, value):
    write_text(path, json.dumps(plain(value), ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def plain(value):
    """`value` as JSON can hold it: numbers that are not finite become null."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def read_json(path):
    """The JSON object in `path`, or None when it is missing, half-written or something else."""
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def local_time():
    """Now, as manifests have it: ISO, local, microseconds, no zone."""
    return datetime.datetime.now().isoformat(timespec="microseconds")


def git_commit():
    """The commit of the workspace, or None."""
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "--verify", "HEAD"], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None if answer.returncode == 0 else None


def slashes(path):
    """A path as the workspace writes it; those written on Windows have backslashes."""
    return str(path).replace("\\", "/")


def existing_file(text, what):
    """The path of a file that a user or another file named, with either kind of slash."""
    for candidate in (text, slashes(text)):
        if Path(candidate).is_file():
            return slashes(candidate)
    raise UsageError(f"{what} {slashes(text)} does not exist: check the path")
