"""The buy agent, and proximal policy optimisation (PPO) to train it.

Each day the agent sees the features and says buy or not. A buy earns `label - cost`, doing nothing
earns 0; with the cost at the ticker's base rate, buying every day earns nothing on average, so only
picking better days than chance pays. What the agent does has no influence on the next day: it is a
contextual bandit in the clothes of a reinforcement learning problem.
"""

import time
from dataclasses import dataclass

import numpy as np

from .errors import RunError, UsageError
from .mlp import Adam, Mlp, clip_norm

_CLIP_FEATURE = 5.0


@dataclass(frozen=True)
class PpoSettings:
    n_envs: int = 16
    n_steps: int = 128
    batch_size: int = 256
    n_epochs: int = 6
    learning_rate: float = 3e-4
    gamma: float = 0.0
    gae_lambda: float = 0.95
    clip_range: float = 0.2
    ent_coef: float = 0.01
    vf_coef: float = 0.5
    max_grad_norm: float = 0.5
    episode_days: int = 64

    @classmethod
    def from_config(cls, config, learning_rate=None):
        key = "train.ppo."
        return cls(
            n_envs=config.integer(key + "n_envs", 16, low=1, high=4096),
            n_steps=config.integer(key + "n_steps", 128, low=1, high=65536),
            batch_size=config.integer(key + "batch_size", 256, low=2, high=65536),
            n_epochs=config.integer(key + "n_epochs", 6, low=1, high=100),
            learning_rate=learning_rate or config.number(key + "learning_rate", 3e-4, 1e-8, 1.0),
            gamma=config.number(key + "gamma", 0.0, 0.0, 1.0),
            gae_lambda=config.number(key + "gae_lambda", 0.95, 0.0, 1.0),
            clip_range=config.number(key + "clip_range", 0.2, 0.001, 1.0),
            ent_coef=config.number(key + "ent_coef", 0.01, 0.0, 10.0),
            vf_coef=config.number(key + "vf_coef", 0.5, 0.0, 10.0),
            max_grad_norm=config.number(key + "max_grad_norm", 0.5, 1e-6, 1e6),
            episode_days=config.integer(key + "episode_days", 64, low=1, high=10000),
        )


def sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


class BuyAgent:
    """Actor (a day's chance to be bought), critic (what the day is worth), and the normaliser."""

    def __init__(self, mean, scale, hidden, rng):
        self.mean, self.scale = np.asarray(mean, np.float32), np.asarray(scale, np.float32)
        self.hidden = tuple(hidden)
        features = len(self.mean)
        self.actor = Mlp((features, *hidden, 1), rng, output_gain=0.01)
        self.critic = Mlp((features, *hidden, 1), rng)

    @classmethod
    def for_data(cls, x, hidden, rng):
        scale = x.std(axis=0)
        return cls(x.mean(axis=0), np.where(scale > 1e-9, scale, 1.0), hidden, rng)

    @property
    def parameters(self):
        return self.actor.parameters + self.critic.parameters

    def normalise(self, x):
        x = (np.asarray(x, np.float32) - self.mean) / self.scale
        return np.clip(x, -_CLIP_FEATURE, _CLIP_FEATURE)

    def confidence(self, x):
        """The probability of buying, of each row of features (as computed, not normalised)."""
        return sigmoid(self.actor.forward(self.normalise(x))[:, 0]).astype(float)

    def decide(self, x):
        return self.confidence(x) >= 0.5


def buy_cost(config):
    """`base_rate`, or the fixed cost of a buy."""
    if config.get("train.reward.buy_cost", "base_rate") == "base_rate":
        return "base_rate"
    return config.number("train.reward.buy_cost", low=0.0, high=1.0)


def buy_rewards(dataset, cost, labels=None):
    """What a buy on each day earns: `label - cost`."""
    labels = dataset.train_y if labels is None else labels
    return labels - (dataset.base_rate if cost == "base_rate" else cost)


class MarketEnvs:
    """Parallel environments, each walking through stretches of consecutive training days.

    The days that come do not depend on what the agent does, so a whole rollout's days can be drawn
    at once and judged by the nets in one batch.
    """

    def __init__(self, agent, datasets, cost, settings, rng):
        self.x = np.concatenate([agent.normalise(d.train_x) for d in datasets])
        self.reward = np.concatenate([buy_rewards(d, cost) for d in datasets]).astype(np.float32)
        lengths = np.array([len(d.train_y) for d in datasets])
        self._end = np.cumsum(lengths)
        self._begin = self._end - lengths
        self._days, self._rng = settings.episode_days, rng
        count = settings.n_envs
        self._row, self._last = np.zeros(count, int), np.zeros(count, int)
        self._restart(np.ones(count, bool))

    def _restart(self, which):
        count = int(which.sum())
        ticker = self._rng.integers(len(self._begin), size=count)
        begin, end = self._begin[ticker], self._end[ticker]
        latest = np.maximum(end - self._days, begin)
        row = begin + (self._rng.random(count) * (latest - begin + 1)).astype(int)
        self._row[which] = row
        self._last[which] = np.minimum(row + self._days, end) - 1

    def draw(self, steps):
        """Rows [steps, envs], whether an episode ends with that day, and the rows that follow."""
        rows = np.empty((steps, len(self._row)), int)
        done = np.empty(rows.shape, bool)
        for step in range(steps):
            rows[step] = self._row
            done[step] = self._row == self._last
            self._row = self._row + 1
            self._restart(done[step])
        return rows, done, self._row.copy()


def advantages(reward, value, done, next_value, gamma, lam):
    """Generalised advantage estimation over [steps, envs]."""
    out = np.zeros_like(reward)
    running = np.zeros_like(next_value)
    for step in reversed(range(len(reward))):
        alive = 1.0 - done[step]
        delta = reward[step] + gamma * next_value * alive - value[step]
        running = delta + gamma * lam * alive * running
        out[step] = running
        next_value = value[step]
    return out


def policy_gradient(logit, action, old_log_probability, advantage, settings):
    """PPO's clipped loss (entropy bonus included) of a batch, and its gradient by the logits."""
    probability = sigmoid(logit)
    log_buy, log_pass = -np.logaddexp(0, -logit), -np.logaddexp(0, logit)
    log_probability = np.where(action, log_buy, log_pass)
    log_ratio = log_probability - old_log_probability
    ratio = np.exp(log_ratio)
    clipped = np.clip(ratio, 1 - settings.clip_range, 1 + settings.clip_range)
    free = ratio * advantage <= clipped * advantage  # where the clip does not hold the ratio
    entropy = -(probability * log_buy + (1 - probability) * log_pass)
    policy_loss = -np.minimum(ratio * advantage, clipped * advantage).mean()
    count = len(logit)
    gradient = -np.where(free, ratio * advantage, 0) * (action - probability)
    gradient += settings.ent_coef * logit * probability * (1 - probability)
    statistics = {
        "approx_kl": float((ratio - 1 - log_ratio).mean()),
        "clip_fraction": float((np.abs(ratio - 1) > settings.clip_range).mean()),
        "entropy_loss": float(-entropy.mean()),
        "policy_gradient_loss": float(policy_loss),
    }
    return float(policy_loss - settings.ent_coef * entropy.mean()), gradient / count, statistics


class Trainer:
    """Trains one agent on some datasets. `steps` counts the days its environments have lived."""

    def __init__(self, agent, datasets, cost, settings, rng):
        self.agent, self.settings, self._rng = agent, settings, rng
        self._envs = MarketEnvs(agent, datasets, cost, settings, rng)
        self._adam = Adam(agent.parameters, settings.learning_rate)
        self._episode_reward = np.zeros(settings.n_envs)
        self._episode_length = np.zeros(settings.n_envs, int)
        self._finished = []  # (reward, length) of the last hundred episodes
        self.steps, self._updates, self._rollouts = 0, 0, 0
        self._started = time.monotonic()

    def run(self, total_steps, after_rollout):
        """Train until `total_steps`; call `after_rollout(steps, sections of the table)` each time.

        The last rollout is cut short: the count ends at the target, or at most n_envs - 1 over it.
        """
        while self.steps < total_steps:
            left = -(-(total_steps - self.steps) // self.settings.n_envs)
            sections = self._rollout(min(self.settings.n_steps, left))
            after_rollout(self.steps, sections)

    def _rollout(self, length):
        agent, settings, envs = self.agent, self.settings, self._envs
        rows, done, next_rows = envs.draw(length)
        flat = rows.ravel()
        x = envs.x[flat]
        logit = agent.actor.forward(x)[:, 0]
        value = agent.critic.forward(x)[:, 0].reshape(rows.shape)
        next_value = agent.critic.forward(envs.x[next_rows])[:, 0]
        action = self._rng.random(len(flat)) < sigmoid(logit)
        reward = np.where(action, envs.reward[flat], 0).reshape(rows.shape).astype(np.float32)
        old = np.where(action, -np.logaddexp(0, -logit), -np.logaddexp(0, logit))
        advantage = advantages(
            reward, value, done, next_value, settings.gamma, settings.gae_lambda
        ).ravel()
        target = advantage + value.ravel()
        self.steps += rows.size
        self._rollouts += 1
        self._count_episodes(reward, done)
        statistics = self._update(x, action.astype(np.float32), old, advantage, target)
        spread = float(target.var())
        statistics["explained_variance"] = (
            1 - float((target - value.ravel()).var()) / spread if spread > 1e-12 else 0.0
        )
        return self._sections(statistics)

    def _update(self, x, action, old, advantage, target):
        settings, agent, count = self.settings, self.agent, len(x)
        sums, batches = {}, 0
        for _ in range(settings.n_epochs):
            order = self._rng.permutation(count)
            for first in range(0, count, settings.batch_size):
                batch = order[first : first + settings.batch_size]
                gain = advantage[batch]
                if len(batch) > 1:
                    gain = (gain - gain.mean()) / (gain.std() + 1e-8)
                logit = agent.actor.forward(x[batch])[:, 0]
                policy_loss, gradient, statistics = policy_gradient(
                    logit, action[batch], old[batch], gain, settings
                )
                error = agent.critic.forward(x[batch])[:, 0] - target[batch]
                value_loss = float((error * error).mean())
                gradients = agent.actor.backward(gradient[:, None].astype(np.float32))
                gradients += agent.critic.backward(
                    (settings.vf_coef * 2 / len(batch) * error)[:, None].astype(np.float32)
                )
                loss = policy_loss + settings.vf_coef * value_loss
                if not np.isfinite(loss):
                    raise RunError(
                        f"the loss is not finite after {self.steps} steps: lower the learning rate"
                    )
                clip_norm(gradients, settings.max_grad_norm)
                self._adam.step(gradients)
                statistics.update(value_loss=value_loss, loss=loss)
                for name, number in statistics.items():
                    sums[name] = sums.get(name, 0.0) + number
                batches += 1
        self._updates += settings.n_epochs
        return {name: number / batches for name, number in sums.items()}

    def _count_episodes(self, reward, done):
        for rewards, ends in zip(reward, done):
            self._episode_reward += rewards
            self._episode_length += 1
            for env in np.flatnonzero(ends):
                self._finished.append((self._episode_reward[env], self._episode_length[env]))
            self._episode_reward[ends] = 0
            self._episode_length[ends] = 0
        self._finished = self._finished[-100:]

    def _sections(self, statistics):
        seconds = max(time.monotonic() - self._started, 1e-9)
        sections = {}
        if self._finished:
            reward, length = np.mean(self._finished, axis=0)
            sections["rollout"] = {"ep_len_mean": float(length), "ep_rew_mean": float(reward)}
        sections["time"] = {
            "fps": int(self.steps / seconds),
            "iterations": self._rollouts,
            "time_elapsed": int(seconds),
            "total_timesteps": self.steps,
        }
        sections["train"] = {
            name: statistics[name]
            for name in (
                "approx_kl", "clip_fraction", "entropy_loss", "explained_variance",
                "loss", "policy_gradient_loss", "value_loss",
            )  # fmt: skip
        }
        sections["train"]["learning_rate"] = self.settings.learning_rate
        sections["train"]["n_updates"] = self._updates
        return sections


def check_same_shape(agent, features, hidden, what):
    if len(agent.mean) != features or agent.hidden != tuple(hidden):
        raise UsageError(
            f"{what} was trained with {len(agent.mean)} features and layers {list(agent.hidden)}, "
            f"the configuration has {features} and {list(hidden)}: "
            "use the features and train.hidden of its run"
        )
