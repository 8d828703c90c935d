"""The numbers: features, labels, metrics, nets, PPO."""

import numpy as np
import pytest

from scripts.lib import features
from scripts.lib.dataset import Dataset, Split, build
from scripts.lib.errors import RunError
from scripts.lib.features import FeatureSpec
from scripts.lib.labels import LabelSpec, labels
from scripts.lib.metrics import describe, evaluate, lift
from scripts.lib.mlp import Adam, Mlp, clip_norm
from scripts.lib.ppo import PpoSettings, Trainer, advantages, policy_gradient, sigmoid
from scripts.lib.prices import parse_csv
from scripts.lib.stages import generator, new_agent, validation_metrics

from .synthetic import csv_of, random_prices


def prices(seed=1, ticker="ABC", days=700):
    return parse_csv(csv_of(random_prices(seed, days)), ticker, "test")


def test_labels_of_a_hand_made_series():
    close = np.array([100.0, 100.0, 100.0, 100.0, 100.0, 100.0])
    high = np.array([200.0, 101.0, 125.0, 125.5, 100.0, 124.0])
    # Today's own high does not count, exactly the threshold does not, the last days are unknown.
    expected = [0.0, 1.0, 1.0, 0.0, np.nan, np.nan]
    np.testing.assert_array_equal(labels(high, close, LabelSpec(2, 0.25)), expected)
    assert np.isnan(labels(high, close, LabelSpec(6, 0.1))).all()
    assert np.isnan(labels(high, close, LabelSpec(50, 0.1))).all()


def test_labels_agree_with_the_definition():
    p, spec = prices(), LabelSpec(7, 0.03)
    got = labels(p.high, p.close, spec)
    for day in range(len(p) - 7):
        assert got[day] == (max(p.high[day + 1 : day + 8]) > p.close[day] * 1.03)
    assert np.isnan(got[-7:]).all()


def test_no_training_label_looks_past_the_split():
    p, horizon = prices(), 15
    label = LabelSpec(horizon, 0.03)
    data = build(p, prices(2, "SPX"), FeatureSpec(), label, Split(str(p.dates[400]), 0.3))
    assert data.train_dates[-1] == p.dates[400 - horizon - 1]
    assert data.validation_dates[0] == p.dates[400]
    assert data.validation_dates[-1] == p.dates[len(p) - horizon - 1]
    assert data.cutoff == str(p.dates[399])
    # Prices after the split cannot change what is learned.
    changed = parse_csv(csv_of(random_prices(1)), "ABC", "test")
    for array in (changed.open, changed.high, changed.low, changed.close):
        array[400:] *= 3
    other = build(changed, prices(2, "SPX"), FeatureSpec(), label, Split(str(p.dates[400]), 0.3))
    np.testing.assert_array_equal(data.train_x, other.train_x)
    np.testing.assert_array_equal(data.train_y, other.train_y)
    assert data.cache_key != other.cache_key


def test_split_by_fraction():
    dates = np.arange(100).astype("datetime64[D]")
    assert Split(None, 0.3).index(dates) == 70
    assert Split("1970-01-11", 0.3).index(dates) == 10


def test_features_know_nothing_of_later_days():
    p, market = prices(), prices(2, "SPX")
    whole = features.compute(p, market, FeatureSpec())
    cut = p.between(end=str(p.dates[500]))
    part = features.compute(cut, market.between(end=str(p.dates[500])), FeatureSpec())
    np.testing.assert_allclose(whole[:501], part, equal_nan=True)
    assert whole.shape[1] == len(FeatureSpec().names())
    assert np.isfinite(whole[100:]).all() and not np.isfinite(whole[:99]).all(axis=1).any()


def test_features_of_simple_series():
    up = np.arange(1.0, 41.0)
    assert features.rsi(up, 14)[-1] == 100
    assert features.rsi(up[::-1].copy(), 14)[-1] == 0
    assert features.rsi(np.full(40, 5.0), 14)[-1] == 50
    assert features.atr(up + 0.5, up - 0.5, up, 14)[-1] == pytest.approx(1.5, abs=0.05)
    assert features.donchian(up, up, up, 20)[-1] == 1
    assert features.donchian(np.full(30, 5.0), np.full(30, 5.0), np.full(30, 5.0), 20)[-1] == 0.5
    np.testing.assert_allclose(features.rolling(np.mean, up, 3)[:4], [np.nan, np.nan, 2, 3])


def test_a_ticker_has_no_strength_relative_to_itself():
    p = prices()
    spec = FeatureSpec((), (), (), (), (), (20,))
    column = features.compute(p, p, spec)[:, 0]
    assert np.isnan(column[:20]).all() and np.abs(column[20:]).max() < 1e-12


def test_a_benchmark_that_ended_long_ago_is_not_used():
    p = prices()
    close = features.aligned_close(p, p.between(end=str(p.dates[300])))
    assert close[300] == p.close[300] and close[303] == p.close[300]
    assert np.isnan(close[310:]).all()


def test_metrics_arithmetic():
    got = evaluate([1, 1, 1, 0, 0, 0, 0, 0], [1, 1, 0, 1, 0, 0, 0, 0])
    assert got == {
        "accuracy": 0.75, "precision": 0.666667, "recall": 0.666667, "f1": 0.666667, "support": 8,
        "buy_rate": 0.375, "positive_rate": 0.375, "tp": 2, "fp": 1, "tn": 4, "fn": 1,
    }  # fmt: skip
    assert lift(got) == pytest.approx(0.666667 / 0.375, abs=1e-5)


def test_metrics_without_buys_or_positives():
    nothing = evaluate([0, 0], [0, 0])
    assert nothing["precision"] == nothing["recall"] == nothing["f1"] == 0.0
    assert nothing["accuracy"] == 1.0 and lift(nothing) is None
    assert evaluate([], [])["accuracy"] == 0.0
    assert "ABC" in describe({"ABC": nothing})


def finite_difference(function, arrays, step=1e-6):
    out = []
    for array in arrays:
        gradient = np.zeros_like(array)
        for index in np.ndindex(array.shape):
            saved = array[index]
            array[index] = saved + step
            above = function()
            array[index] = saved - step
            below = function()
            array[index] = saved
            gradient[index] = (above - below) / (2 * step)
        out.append(gradient)
    return out


def test_mlp_gradient_agrees_with_finite_differences():
    rng = np.random.default_rng(0)
    net = Mlp((3, 5, 4, 2), rng, dtype=np.float64)
    x, target = rng.standard_normal((6, 3)), rng.standard_normal((6, 2))
    loss = lambda: float(((net.forward(x) - target) ** 2).sum())
    gradients = net.backward(2 * (net.forward(x) - target))
    for got, expected in zip(gradients, finite_difference(loss, net.parameters)):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-7)


def test_policy_gradient_agrees_with_finite_differences():
    rng = np.random.default_rng(1)
    logit = rng.standard_normal(40) * 2
    action = (rng.random(40) < 0.5).astype(float)
    old = np.log(sigmoid(np.where(action, logit, -logit) + rng.standard_normal(40) * 0.5))
    gain, settings = rng.standard_normal(40), PpoSettings(ent_coef=0.1)
    loss = lambda: policy_gradient(logit, action, old, gain, settings)[0]
    _, gradient, statistics = policy_gradient(logit, action, old, gain, settings)
    assert 0 < statistics["clip_fraction"] < 1  # both sides of the clip are tried
    np.testing.assert_allclose(gradient, finite_difference(loss, [logit])[0], rtol=1e-5, atol=1e-8)


def test_advantages_by_hand():
    reward, value = np.array([[1.0], [0.0], [2.0]]), np.array([[0.5], [1.0], [0.0]])
    done = np.array([[False], [True], [False]])
    got = advantages(reward, value, done, np.array([4.0]), gamma=0.5, lam=0.5)
    # last: 2 + .5*4 - 0 = 4; middle ends its episode: 0 - 1; first: 1 + .5*1 - .5 + .25*(-1)
    np.testing.assert_allclose(got.ravel(), [0.75, -1.0, 4.0])


def test_adam_goes_downhill_and_gradients_are_clipped():
    x = np.array([5.0, -3.0])
    adam = Adam([x], 0.1)
    for _ in range(300):
        adam.step([2 * x])
    assert np.abs(x).max() < 0.05
    gradients = [np.array([3.0]), np.array([4.0])]
    assert clip_norm(gradients, 1.0) == 5.0
    np.testing.assert_allclose(np.concatenate(gradients), [0.6, 0.8])


def signal_dataset(seed, days=4000):
    """The first feature decides the label in nine of ten cases; the others are noise."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((days, 4))
    y = ((x[:, 0] > 0.5) ^ (rng.random(days) < 0.1)).astype(float)
    dates = np.arange(days).astype("datetime64[D]")
    cut = days * 3 // 4
    return Dataset(
        "ABC", x[:cut], y[:cut], dates[:cut], x[cut:], y[cut:], dates[cut:], "1971-01-01", "key"
    )


def train_on_signal(seed):
    data = signal_dataset(3)
    settings = PpoSettings(n_envs=8, n_steps=64, batch_size=128, n_epochs=4, learning_rate=1e-3)
    agent = new_agent([data], (16, 16), seed)
    before = validation_metrics(agent, [data])
    seen = []
    trainer = Trainer(agent, [data], "base_rate", settings, generator(seed, "base"))
    trainer.run(6001, lambda steps, sections: seen.append((steps, sections)))
    return before, validation_metrics(agent, [data]), seen


def test_ppo_learns_what_can_be_learned_and_repeats_itself():
    before, after, seen = train_on_signal(1)
    assert after["accuracy"] > 0.8 and after["accuracy"] > before["accuracy"] + 0.2
    assert lift(after) > 1.8
    first, last = (sections["rollout"]["ep_rew_mean"] for _, sections in (seen[0], seen[-1]))
    assert last > first + 1
    # The count rises to the target, and over it by less than one step of the environments.
    assert [steps for steps, _ in seen][:2] == [512, 1024] and 6001 <= seen[-1][0] < 6001 + 8
    assert train_on_signal(1)[1:] != train_on_signal(2)[1:]
    again = train_on_signal(1)
    assert again[1] == after
    assert [s["train"] for _, s in again[2]] == [s["train"] for _, s in seen]


def test_a_training_that_runs_away_is_an_error():
    data = signal_dataset(3)
    settings = PpoSettings(n_envs=8, n_steps=64, learning_rate=1e30)
    trainer = Trainer(new_agent([data], (16,), 1), [data], 0.5, settings, generator(1, "base"))
    with np.errstate(all="ignore"), pytest.raises(RunError, match="lower the learning rate"):
        trainer.run(5000, lambda steps, sections: None)
