"""Recompute metrics.json of a run from its stored models, on the validation days of its config.

With --model the numbers of that model are printed instead, and nothing is written.
"""

from pathlib import Path

from .lib import cli, model_file, run_files
from .lib.config import Config
from .lib.dataset import Universe
from .lib.errors import RunError, UsageError
from .lib.metrics import describe
from .lib.ppo import check_same_shape
from .lib.stages import validation_metrics


def model_paths(folder, mode, manifest, universe):
    """`{ticker or None for the base model: path}`, by the manifest, else by the usual places."""
    if mode == "base":
        usual = (folder / "models/base/final.zip").as_posix()
        return {None: run_files.slashes(manifest.get("base_final_path") or usual)}
    paths = manifest.get("per_ticker_final_paths") or {
        ticker: (folder / "models/finetuned" / ticker / "final.zip").as_posix()
        for ticker in universe.finetune_tickers
    }
    return {ticker: run_files.slashes(path) for ticker, path in paths.items()}


def check(model, universe):
    """The model must have been made for the features and the label of the run."""
    check_same_shape(
        model.agent, len(universe.features.names()), model.agent.hidden, f"model {model.path}"
    )
    if model.features != universe.features or model.label != universe.label:
        raise UsageError(
            f"model {model.path} was trained with other features or another label than the run's "
            "config.yaml has: give the run that it belongs to"
        )


def evaluate(paths, universe):
    """`{ticker or None: metrics}` of each model on its validation days."""
    results = {}
    for ticker, path in paths.items():
        model = model_file.load(path)
        check(model, universe)
        if ticker is not None and ticker not in universe.datasets:
            raise UsageError(f"{path} is for {ticker}, which the run's config.yaml does not name")
        data = universe.pool() if ticker is None else [universe.datasets[ticker]]
        results[ticker] = validation_metrics(model.agent, data)
    return results


def warn_of_new_prices(manifest, universe):
    keys = manifest.get("feature_cache_keys")
    for ticker, data in universe.datasets.items():
        if isinstance(keys, dict) and keys.get(ticker) not in (None, data.cache_key):
            cli.warn(f"the prices of {ticker} or its benchmark have changed since the training")


def main(argv):
    parser = cli.Parser("eval_metrics", __doc__)
    parser.add_argument("--run-dir", required=True, metavar="DIR", help="runs/<run_id>")
    parser.add_argument("--mode", required=True, choices=("base", "finetune"), help="which models")
    parser.add_argument("--model", metavar="P", help="evaluate this model, write nothing")
    parser.add_argument("--dry-run", action="store_true", help="check and say what would be done")
    options = parser.parse_args(argv)
    folder = Path(run_files.slashes(options.run_dir))
    if not folder.is_dir():
        raise UsageError(f"run folder {options.run_dir} does not exist: check --run-dir")
    universe = Universe(Config.load(folder / "config.yaml"))
    manifest = run_files.read_json(folder / "manifest.json") or {}
    if options.model:
        paths = {None: run_files.existing_file(options.model, "model")}
        if options.mode == "finetune":
            own = model_file.load(paths[None]).info["ticker"]
            paths = dict.fromkeys([own] if own else universe.finetune_tickers, paths[None])
    else:
        paths = model_paths(folder, options.mode, manifest, universe)
    if not paths:
        raise UsageError(f"{folder.as_posix()} has no ticker to evaluate: use --mode base")
    warn_of_new_prices(manifest, universe)
    print(f"{options.mode} metrics of {folder.as_posix()}")
    if options.dry_run:
        for ticker, path in paths.items():
            if not Path(path).is_file():
                cli.warn(f"model {path} does not exist (dry run: goes on)")
            print(f"  would evaluate {ticker or 'ALL'} with {path}")
        return 0
    for path in paths.values():
        if not Path(path).is_file():
            raise RunError(
                f"model {path} does not exist: the training of {folder.as_posix()} was a dry run, "
                "has not ended, or had no such stage"
            )
    results = evaluate(paths, universe)
    print(describe({ticker or "ALL (base)": metrics for ticker, metrics in results.items()}))
    if not options.model:
        write(folder / "metrics.json", options.mode, results)
    return 0


def write(path, mode, results):
    """Put the results into the document; what the other mode wrote stays."""
    document = run_files.read_json(path) or {}
    metrics = {"overall": document.get("overall", {}), "per_ticker": document.get("per_ticker", {})}
    if mode == "base":
        metrics["overall"] = results[None]
    else:
        metrics["per_ticker"] = results
    run_files.write_json(path, metrics)
    print(f"written: {path.as_posix()}")


if __name__ == "__main__":
    cli.run(main)
