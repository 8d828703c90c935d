"""Rewrite the registry: every model below --runs-dir, and the best one of each ticker."""

from pathlib import Path

from .lib import cli, registry
from .lib.errors import UsageError


def main(argv):
    parser = cli.Parser("index_runs", __doc__)
    parser.add_argument("--runs-dir", default="runs", metavar="DIR", help="folder of the runs")
    parser.add_argument(
        "--out-dir", default="reports/registry", metavar="DIR", help="where the four files go"
    )
    options = parser.parse_args(argv)
    for name, path in (("--runs-dir", options.runs_dir), ("--out-dir", options.out_dir)):
        if Path(path).exists() and not Path(path).is_dir():
            raise UsageError(f"{name} {path} is a file, not a folder")
    if not Path(options.runs_dir).is_dir():
        cli.warn(f"{options.runs_dir} does not exist: the registry will be empty")
    models, best = registry.write(options.runs_dir, options.out_dir)
    ready = sum(row["status"] == "READY" for row in models)
    print(f"indexed {len(models)} models, {ready} of them READY -> {options.out_dir}")
    for row in best:
        print(
            f"best {row['ticker']}: {row['model_final_path']} precision {row['precision']:.4f} "
            f"lift {row['lift']:.3f} {row['best_status']}"
        )
    return 0


if __name__ == "__main__":
    cli.run(main)
