"""Train a base agent on the universe, fine-tune it for each ticker: one run in runs/<run_id>/."""

from pathlib import Path

from .lib import cli, run_files
from .lib.config import Config, to_yaml
from .lib.console import Bar, table
from .lib.dataset import Universe
from .lib.errors import RunError
from .lib.metrics import describe
from .lib.ppo import PpoSettings, buy_cost
from .lib.stages import Stage, copy_of, new_agent, resumed_agent, validation_metrics


class Plan:
    """Everything a training needs, checked before anything is created."""

    def __init__(self, config):
        self.config = config
        self.seed = config.integer("seed", 42, low=0, high=2**32 - 1)
        self.hidden = config.integers("train.hidden", [64, 64], low=1, high=4096)
        self.cost = buy_cost(config)
        self.pretrain = config.flag("train.pretrain.enabled", True)
        self.pretrain_steps = config.integer("train.pretrain.steps", 50000, low=1)
        self.pretrain_checkpoints = config.integer("train.pretrain.checkpoint_every", 10000, low=1)
        self.pretrain_settings = PpoSettings.from_config(config)
        self.finetune = config.flag("train.finetune.enabled", True)
        self.finetune_steps = config.integer("train.finetune.steps", 10000, low=1)
        self.finetune_checkpoints = config.integer("train.finetune.checkpoint_every", 10000, low=1)
        self.finetune_settings = PpoSettings.from_config(
            config, config.number("train.finetune.learning_rate", None, 1e-8, 1.0)
        )
        self.universe = Universe(config)
        resume = config.text("train.pretrain.resume_from", None)
        self.resume_from = resume and run_files.existing_file(resume, "train.pretrain.resume_from")
        if self.resume_from:
            self.first_agent = resumed_agent(self.resume_from, self.universe, self.hidden)
        else:
            self.first_agent = new_agent(self.universe.pool(), self.hidden, self.seed)
        self.finetune_tickers = self.universe.finetune_tickers if self.finetune else []

    @property
    def total_steps(self):
        base = self.pretrain_steps if self.pretrain else 0
        return base + self.finetune_steps * len(self.finetune_tickers)


class Run:
    """The folder of one run, and its manifest."""

    def __init__(self, plan):
        self._plan = plan
        self.run_id, self.folder = run_files.create_folder("runs")
        self.manifest = {
            "run_id": self.run_id,
            "start_time": run_files.local_time(),
            "end_time": None,
            "git_commit": run_files.git_commit(),
            "seed": plan.seed,
            "config_hash": plan.config.hash(),
            "base_final_path": None,
            "per_ticker_final_paths": {},
            "data_cutoff_dates": plan.universe.cutoffs(),
            "feature_cache_keys": {t: d.cache_key for t, d in plan.universe.datasets.items()},
        }
        self.metrics = {"overall": {}, "per_ticker": {}}
        run_files.write_text(self.folder / "config.yaml", to_yaml(plan.config.values))
        self._write_manifest()

    def _write_manifest(self):
        run_files.write_json(self.folder / "manifest.json", self.manifest)

    def finish(self):
        run_files.write_json(self.folder / "metrics.json", self.metrics)
        self.manifest["end_time"] = run_files.local_time()
        self._write_manifest()
        print(f"manifest: {(self.folder / 'manifest.json').as_posix()}")


def train(plan, run):
    """Both stages. Returns the tickers whose fine-tuning failed, and why."""
    universe, failed = plan.universe, {}
    base_agent, done = plan.first_agent, 0
    with Bar("train", plan.total_steps, "step") as bar:
        if plan.pretrain:

            def report_base(steps, sections):
                bar.say(table(sections))
                bar.advance_to(steps)

            stage = Stage("base", run.folder / "models/base", universe, plan.seed)
            bar.say(f"base_stage: {_origin(plan.resume_from)} -> {stage.final_path.as_posix()}")
            stage.train(
                base_agent, universe.pool(), plan.cost, plan.pretrain_settings,
                plan.pretrain_steps, plan.pretrain_checkpoints, report_base,
            )  # fmt: skip
            done = plan.pretrain_steps
            run.manifest["base_final_path"] = stage.final_path.as_posix()
            run.metrics["overall"] = validation_metrics(base_agent, universe.pool())
        for ticker in plan.finetune_tickers:

            def report_ticker(steps, sections):
                # Under a name of its own: total_timesteps is measured against train.pretrain.steps.
                sections["time"]["finetune_timesteps"] = sections["time"].pop("total_timesteps")
                bar.say(table({f"finetune_{ticker}": {}, **sections}))
                bar.advance_to(done + steps)

            data = [universe.datasets[ticker]]
            name = f"finetune_{ticker}"
            folder = run.folder / "models/finetuned" / ticker
            stage = Stage(name, folder, universe, plan.seed, ticker)
            origin = _origin(plan.pretrain or plan.resume_from)
            bar.say(f"{name}: {origin} -> {stage.final_path.as_posix()}")
            agent = copy_of(base_agent)
            try:
                stage.train(
                    agent, data, plan.cost, plan.finetune_settings,
                    plan.finetune_steps, plan.finetune_checkpoints, report_ticker,
                )  # fmt: skip
            except RunError as failure:
                bar.end()
                cli.error(f"{name}: {failure}")
                failed[ticker] = failure
            else:
                run.manifest["per_ticker_final_paths"][ticker] = stage.final_path.as_posix()
                run.metrics["per_ticker"][ticker] = validation_metrics(agent, data)
            done += plan.finetune_steps
            bar.advance_to(done)
    return failed


def _origin(earlier):
    return "resume" if earlier else "fresh"


def main(argv):
    parser = cli.Parser("run_experiment", __doc__)
    parser.add_argument("--config", required=True, metavar="PATH", help="training configuration")
    cli.add_overrides(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="check everything and create the run, train nothing"
    )
    options = parser.parse_args(argv)
    config = Config.load(options.config, options.overrides)
    plan = Plan(config)
    cli.warn_of_unused(config)
    run = Run(plan)
    print(f"run_id: {run.run_id}")
    print(f"run_dir: {run.folder.as_posix()}")
    for ticker, data in plan.universe.datasets.items():
        print(
            f"data {ticker}: {len(data.train_y)} training days to {data.train_dates[-1]}, "
            f"{len(data.validation_y)} validation days from {data.validation_dates[0]}, "
            f"base rate {data.base_rate:.3f}"
        )
    if options.dry_run:
        run.metrics["dry_run"] = True
        print(f"dry run: {plan.total_steps} steps would be trained, nothing was")
        run.finish()
        return 0
    failed = train(plan, run)
    print("validation:")
    base = {"ALL (base)": run.metrics["overall"]} if run.metrics["overall"] else {}
    print(describe({**base, **run.metrics["per_ticker"]}))
    run.finish()
    if failed:
        reason = next(iter(failed.values()))
        raise RunError(f"fine-tuning failed for {', '.join(failed)}; the first: {reason}")
    return 0


if __name__ == "__main__":
    cli.run(main)
