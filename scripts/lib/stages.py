"""The two stages of a training: a base agent on the whole universe, then one agent a ticker."""

import copy
import zlib
from dataclasses import asdict

import numpy as np

from . import model_file
from .metrics import evaluate
from .ppo import BuyAgent, Trainer, buy_rewards, check_same_shape


def generator(seed, name):
    """Random numbers of one stage: the same whatever other stages there are, and in any order."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def new_agent(datasets, hidden, seed):
    x = np.concatenate([dataset.train_x for dataset in datasets])
    return BuyAgent.for_data(x, hidden, generator(seed, "init"))


def resumed_agent(path, universe, hidden):
    """The agent in `path`, to be trained on."""
    agent = model_file.load(path).agent
    check_same_shape(agent, len(universe.features.names()), hidden, f"model {path}")
    return agent


def validation_reward(agent, datasets, cost):
    """Mean reward a day on the validation days: what picks `best.zip`."""
    earned = [
        np.where(agent.decide(d.validation_x), buy_rewards(d, cost, d.validation_y), 0)
        for d in datasets
    ]
    return float(np.concatenate(earned).mean())


def validation_metrics(agent, datasets):
    """Metrics over the validation days of all `datasets` together."""
    buy = np.concatenate([agent.decide(dataset.validation_x) for dataset in datasets])
    return evaluate(buy, np.concatenate([dataset.validation_y for dataset in datasets]))


class Stage:
    """Trains one agent and keeps its files: checkpoints, `best.zip`, `last.zip`, `final.zip`.

    `last.zip` is the newest state while it trains, `final.zip` appears when it is done, and
    `best.zip` is the state with the highest validation reward of those after each rollout.
    """

    def __init__(self, name, folder, universe, seed, ticker=None):
        self._name, self._folder = name, folder
        self._info = {
            "stage": "base" if ticker is None else "finetune",
            "ticker": ticker,
            "seed": seed,
            "features": asdict(universe.features),
            "label": asdict(universe.label),
            "benchmark": universe.benchmark,
            "data_cutoff_dates": universe.cutoffs(),
        }
        self._rng = generator(seed, name)

    @property
    def final_path(self):
        return self._folder / "final.zip"

    def train(self, agent, datasets, cost, settings, steps, checkpoint_every, report):
        """Train `agent` in place; `report(steps, table sections)` is called after each rollout."""
        best, next_checkpoint = -np.inf, checkpoint_every

        def after_rollout(done, sections):
            nonlocal best, next_checkpoint
            reward = validation_reward(agent, datasets, cost)
            if reward > best:
                best = reward
                self._save("best", agent, done)
            if done >= next_checkpoint:
                next_checkpoint = (done // checkpoint_every + 1) * checkpoint_every
                self._save(f"checkpoint_step_{done}", agent, done)
            self._save("last", agent, done)
            report(done, sections)

        Trainer(agent, datasets, cost, settings, self._rng).run(steps, after_rollout)
        self._save("final", agent, steps)

    def _save(self, name, agent, steps):
        model_file.save(self._folder / f"{name}.zip", agent, {**self._info, "steps": steps})


def copy_of(agent):
    return copy.deepcopy(agent)
