"""Train once for each point of a grid of overrides, one after the other; a table at the end."""

import itertools
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

from .lib import cli, run_files
from .lib.config import Config, parse_yaml
from .lib.errors import RunError, UsageError
from .lib.metrics import lift

_RUN_ID = re.compile(rb"run_id: ([0-9a-f_]+)\s*$")


def parse_grid(texts):
    """`["a.b=1,2", ...]` -> `[("a.b", [1, 2]), ...]`. The values are those of a YAML list."""
    grid = []
    for text in texts:
        key, equals, values = text.partition("=")
        if not equals:
            raise UsageError(f"--grid {text!r}: write key=v1,v2, for instance seed=1,2,3")
        if key in dict(grid):
            raise UsageError(f"--grid {key} is given twice: put all its values into one")
        parsed = parse_yaml(f"[{values}]", f"--grid {key}")
        if not isinstance(parsed, list) or not parsed:
            raise UsageError(f"--grid {key}: there is no value after the =")
        grid.append((key, parsed))
    return grid


def points(grid):
    """Every combination, as a list of `key=value` overrides; the last key changes fastest."""
    keys = [key for key, _ in grid]
    for values in itertools.product(*(values for _, values in grid)):
        yield [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in zip(keys, values)]


def train(config, overrides, dry_run):
    """Run one training, its output passed on. Returns its exit code and run id (or None)."""
    command = [sys.executable, "-m", "scripts.run_experiment", "--config", config]
    for override in overrides:
        command += ["--set", override]
    command += ["--dry-run"] if dry_run else []
    run_id = None
    sys.stdout.flush()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
        try:
            for line in child.stdout:
                sys.stdout.buffer.write(line)
                sys.stdout.buffer.flush()
                found = _RUN_ID.match(line)
                run_id = found[1].decode() if found else run_id
        except BaseException:
            child.terminate()
            raise
    return child.returncode, run_id


def summary(results):
    """The table: one line a training, with the validation metrics of its base model."""
    lines = [f"{'run':<28}{'exit':>5}{'precision':>11}{'lift':>8}{'f1':>8}  overrides"]
    for overrides, code, run_id in results:
        metrics = (run_id and run_files.read_json(Path("runs", run_id, "metrics.json"))) or {}
        values = metrics.get("overall")
        cells = ["-", "-", "-"]
        if values:
            gain = lift(values)
            cells = [
                f"{values['precision']:.4f}",
                "-" if gain is None else f"{gain:.3f}",
                f"{values['f1']:.4f}",
            ]
        numbers = f"{cells[0]:>11}{cells[1]:>8}{cells[2]:>8}"
        lines.append(f"{run_id or '-':<28}{code:>5}{numbers}  {' '.join(overrides)}")
    return "\n".join(lines)


def main(argv):
    parser = cli.Parser("sweep", __doc__)
    parser.add_argument("--config", required=True, metavar="PATH", help="training configuration")
    parser.add_argument(
        "--grid",
        action="append",
        default=[],
        metavar="KEY=V1,V2",
        help="values to try for one key; may be repeated",
    )
    parser.add_argument("--max", type=int, metavar="N", help="train the first N combinations only")
    parser.add_argument("--dry-run", action="store_true", help="dry runs of all combinations")
    options = parser.parse_args(argv)
    if options.max is not None and options.max < 1:
        raise UsageError(f"--max {options.max}: at least 1")
    grid = parse_grid(options.grid)
    if not grid:
        raise UsageError("no --grid: give at least one, for instance --grid seed=1,2,3")
    combinations = list(points(grid))
    chosen = combinations[: options.max]
    for overrides in chosen:  # all are checked before the first is trained
        Config.load(options.config, overrides)
    print(f"sweep: {len(combinations)} combinations, {len(chosen)} of them to train")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the child on the way out
    results = []
    for number, overrides in enumerate(chosen, 1):
        print(f"sweep {number}/{len(chosen)}: {' '.join(overrides)}")
        results.append((overrides, *train(options.config, overrides, options.dry_run)))
    print(summary(results))
    failed = sum(code != 0 for _, code, _ in results)
    if failed:
        raise RunError(f"{failed} of {len(results)} trainings failed: see their messages above")
    return 0


if __name__ == "__main__":
    cli.run(main)
