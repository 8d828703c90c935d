"""Small parts: ids, atomic files, price files, the table and the bar, models, the picture."""

import io
import json
import re
import struct
import zipfile
import zlib

import numpy as np
import pytest

from scripts import convert_prices
from scripts.lib import model_file, run_files
from scripts.lib.chart import line_chart
from scripts.lib.config import Config
from scripts.lib.console import Bar, format_value, table
from scripts.lib.errors import UsageError
from scripts.lib.ppo import BuyAgent
from scripts.lib.prices import parse_csv

SAMPLE_TABLE = """\
-----------------------------------------
| rollout/                |             |
|    ep_rew_mean          | 0.52        |
| time/                   |             |
|    fps                  | 1174        |
|    total_timesteps      | 20480       |
| train/                  |             |
|    approx_kl            | 0.011937    |
|    loss                 | 0.0312      |
-----------------------------------------"""


def test_table_has_exactly_the_form_of_the_sample():
    sections = {
        "rollout": {"ep_rew_mean": 0.52},
        "time": {"fps": 1174, "total_timesteps": 20480},
        "train": {"approx_kl": 0.011937, "loss": 0.0312},
    }
    assert table(sections) == SAMPLE_TABLE


def test_values_never_have_exponents():
    assert [format_value(v) for v in (1e-9, -1e-9, 1e-5, -0.25, 1e7, 3)] == [
        "0", "0", "0.00001", "-0.25", "10000000", "3",
    ]  # fmt: skip


def test_bar_has_the_form_of_tqdm(capsys):
    now, out = [0.0], io.StringIO()
    bar = Bar("train", 200, "step", stream=out, clock=lambda: now[0])
    for count, seconds in ((50, 1.0), (60, 1.1), (100, 2.0), (200, 4.0)):
        now[0] = seconds
        bar.advance_to(count)
        if count == 100:
            bar.say("a line")
    bar.advance_to(200)
    bar.end()
    assert out.getvalue() == (
        "\rtrain:  25%|██▌       | 50/200 [00:01<00:03, 50.00step/s]"  # 60 comes too early
        "\rtrain:  50%|█████     | 100/200 [00:02<00:02, 50.00step/s]\n"
        "\rtrain: 100%|██████████| 200/200 [00:04<00:00, 50.00step/s]\n"
    )
    assert capsys.readouterr().out == "a line\n"


def test_ids():
    ids = [run_files.new_id("bt_") for _ in range(2000)]
    assert len(set(ids)) == len(ids)
    for name in ids:
        assert re.fullmatch(r"bt_\d{8}_\d{6}__[0-9a-f]{8}", name)
        assert not name.split("__")[1].isdigit()  # no reader of YAML may take it for a number


def test_a_folder_is_never_shared(tmp_path):
    names = iter(["a", "a", "b"])
    make = lambda prefix: next(names)
    assert run_files.create_folder(tmp_path, make_id=make)[0] == "a"
    assert run_files.create_folder(tmp_path, make_id=make)[0] == "b"


def test_write_replaces_whole_files_and_cleans_up(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    run_files.write_json(path, {"a": float("nan"), "b": [float("inf"), 1, "é"]})
    assert json.loads(path.read_text()) == {"a": None, "b": [None, 1, "é"]}
    monkeypatch.setattr(run_files.os, "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError):
        run_files.write_text(path, "new")
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]
    assert "NaN" not in path.read_text()


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "\x00\x01", '{"a": 1'])
def test_half_written_json_reads_as_none(tmp_path, text):
    (tmp_path / "m.json").write_text(text)
    assert run_files.read_json(tmp_path / "m.json") is None
    assert run_files.read_json(tmp_path / "missing.json") is None


def test_prices_tolerate_what_real_files_have():
    text = (
        "\ufeffclose,DATE,Open,High,Low,Adj\r\n"
        "4,2020-01-03,4,5,3,9\r\n"
        "1,2020-01-02T00:00:00,1,2,1,9\r\n"
        ",2020-01-04,4,5,3,9\r\n"  # no close: left out
        "nan,2020-01-05,4,5,3,9\r\n"
        "2,2020-01-02,1,2,1,9\r\n"  # the later line counts
        "\r\n"
    ).lstrip("\ufeff")
    p = parse_csv(text, "T", "t.csv")
    assert [str(d) for d in p.dates] == ["2020-01-02", "2020-01-03"]
    assert list(p.close) == [2, 4] and list(p.high) == [2, 5] and list(p.volume) == [0, 0]


@pytest.mark.parametrize(
    "text, part",
    [
        ("", "no column Date, Open"),
        ("Date,Open,High,Low\n", "no column Close"),
        ("Date,Open,High,Low,Close\n", "no day with prices"),
        ("Date,Open,High,Low,Close\n2020-01-02,1,1,1,x\n", "line 2"),
        ("Date,Open,High,Low,Close\n2020-01-02,1,1,1,1\n2020-02-30,1,1,1,1\n", "line 3"),
    ],
)
def test_bad_price_files_are_refused_with_their_name(text, part):
    with pytest.raises(UsageError, match="t.csv.*" + part):
        parse_csv(text, "T", "t.csv")


def test_conversion_rounds_and_never_overwrites(tmp_path):
    source = tmp_path / "in.csv"
    source.write_text(
        "date,open,high,low,close,adjclose,volume\n"
        "2000-01-03,1469.250000,1478,1438.359985,1455.219971,1,93\n"
    )
    text = convert_prices.to_csv(convert_prices.read_csv(source, "SPX"))
    assert text == (
        "Date,Open,High,Low,Close,Volume\n2000-01-03,1469.25,1478,1438.36,1455.22,93\n"
    )
    target = tmp_path / "stocks/SPX.csv"
    assert convert_prices.write_new(target, text)
    target.write_text("mine")
    assert not convert_prices.write_new(target, text)
    assert target.read_text() == "mine" and [p.name for p in target.parent.iterdir()] == ["SPX.csv"]


def test_conversion_of_the_archive(tmp_path):
    kinds = [("date", "<M8[D]")] + [(n, "<f8") for n in ("open", "high", "low", "close")]
    rows = np.array(
        [(np.datetime64("2004-08-19"), 100, 104.06, 95.96, 100.34, 22351900)],
        dtype=kinds + [("volume", "<i8")],
    )
    np.savez(tmp_path / "goog.npz", price_data=rows)
    text = convert_prices.to_csv(convert_prices.read_npz(tmp_path / "goog.npz", "GOOG"))
    assert text.splitlines()[1] == "2004-08-19,100,104.06,95.96,100.34,22351900"
    (tmp_path / "bad.npz").write_text("no archive")
    with pytest.raises(UsageError, match="bad.npz"):
        convert_prices.read_npz(tmp_path / "bad.npz", "GOOG")


INFO = {
    "stage": "base",
    "ticker": None,
    "steps": 1,
    "seed": 1,
    "features": {
        "returns": [1, 5, 20], "rsi": [], "atr": [], "donchian": [],
        "moving_averages": [], "relative_strength": [],
    },
    "label": {"horizon_days": 5, "threshold": 0.1},
    "benchmark": "SPX",
    "data_cutoff_dates": {"ABC": "2019-01-01", "SPX": "2020-01-01"},
}  # fmt: skip


def make_agent(seed=0):
    rng = np.random.default_rng(seed)
    return BuyAgent.for_data(rng.standard_normal((50, 3)), (8,), rng)


def test_models_come_back_as_they_were(tmp_path):
    agent, x = make_agent(), np.random.default_rng(1).standard_normal((9, 3))
    model_file.save(tmp_path / "a/m.zip", agent, INFO)
    model_file.save(tmp_path / "b.zip", agent, INFO)
    loaded = model_file.load(tmp_path / "a/m.zip")
    np.testing.assert_array_equal(loaded.agent.confidence(x), agent.confidence(x))
    assert loaded.label.horizon_days == 5 and loaded.features.returns == (1, 5, 20)
    assert (loaded.cutoff("ABC"), loaded.cutoff("NEW")) == ("2019-01-01", "2020-01-01")
    assert (tmp_path / "a/m.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_what_is_no_model_is_refused(tmp_path):
    path = tmp_path / "m.zip"
    model_file.save(path, make_agent(), INFO)
    whole = path.read_bytes()
    bad = [b"", b"text", whole[: len(whole) // 2]]
    for info in ({**INFO, "features": {"rsi": [1]}}, {**INFO, "label": {}}, {"format": 9}):
        model_file.save(path, make_agent(), info)
        bad.append(path.read_bytes())
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.json", "[]")
    bad.append(path.read_bytes())
    for data in bad:
        path.write_bytes(data)
        with pytest.raises(UsageError, match="is not a model"):
            model_file.load(path)
    with pytest.raises(UsageError, match="does not exist"):
        model_file.load(tmp_path / "none.zip")


def test_the_picture_is_a_png_with_both_curves():
    dates = np.arange(200).astype("datetime64[D]")
    red, green = (200, 0, 0), (0, 150, 0)
    data = line_chart(dates, [(np.arange(200.0), red), (np.full(200, 7.0), green)], 300, 200)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", data[16:24]) == (300, 200)
    start = data.index(b"IDAT")
    length = struct.unpack(">I", data[start - 4 : start])[0]
    dots = np.frombuffer(zlib.decompress(data[start + 4 : start + 4 + length]), np.uint8)
    dots = dots.reshape(200, 1 + 300 * 3)[:, 1:].reshape(200, 300, 3)
    for color in (red, green):
        assert (dots == color).all(axis=2).sum() > 150
    line_chart(dates[:1], [([5.0], red)])  # one day, no height: still a picture


def test_the_price_source_checks_its_section():
    from scripts.lib.prices import Source

    with pytest.raises(UsageError, match="must be csv or yfinance"):
        Source.from_config(Config({"data": {"provider": "ftp"}}))
    with pytest.raises(UsageError, match="2020-13-01"):
        Source.from_config(Config({"data": {"start": "2020-13-01"}}))
