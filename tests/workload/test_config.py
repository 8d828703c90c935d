import pytest
import yaml

from scripts.lib.config import Config, parse_yaml, to_yaml
from scripts.lib.errors import UsageError


def test_yaml_types_follow_yaml_1_2():
    values = parse_yaml(
        "a: 2017-10-16\nb: ON\nc: 1e-3\nd: 20260217_171416__01234567\ne: 12:30\nf: true\ng: ~\n"
        "h: 007\ni: 0x1f\nj: -.5\nk:\nl: no\n",
        "test",
    )
    assert values == {
        "a": "2017-10-16", "b": "ON", "c": 0.001, "d": "20260217_171416__01234567", "e": "12:30",
        "f": True, "g": None, "h": 7, "i": 31, "j": -0.5, "k": None, "l": "no",
    }  # fmt: skip


def test_what_is_written_is_read_back_as_the_same():
    values = {"a": "2017-10-16", "b": "ON", "c": 1e-5, "d": [1, "1"], "e": "微笑 😀", "f": None}
    assert parse_yaml(to_yaml(values), "test") == values
    assert yaml.safe_load(to_yaml(values))["b"] == "ON"


def test_bom_and_crlf(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_bytes("\ufeffa:\r\n  b: 1\r\n  c: 芯片\r\n".encode())
    assert Config.load(path).values == {"a": {"b": 1, "c": "芯片"}}


def test_overrides():
    config = Config({"a": {"b": 1}, "l": [{"x": 1}, 2], "n": None})
    for text in (
        "a.b=40",
        'a.tickers=["NVDA","TSM"]',
        "a.text=it's \"a\" = b",
        "new.key.deep=1e-3",
        "l.0.x=5",
        "n.m=芯片 😀",
        "a.empty=",
        "a.date=2017-10-16",
        "a.flag=--force",
    ):
        config.override(text)
    assert config.values == {
        "a": {
            "b": 40,
            "tickers": ["NVDA", "TSM"],
            "text": 'it\'s "a" = b',
            "empty": None,
            "date": "2017-10-16",
            "flag": "--force",
        },
        "l": [{"x": 5}, 2],
        "n": {"m": "芯片 😀"},
        "new": {"key": {"deep": 0.001}},
    }


@pytest.mark.parametrize(
    "text, part",
    [
        ("--force", "write key=value"),
        ("novalue", "write key=value"),
        ("", "write key=value"),
        ("=1", "not a key"),
        ("a..b=1", "not a key"),
        (".a=1", "not a key"),
        ("a b=1", "not a key"),
        ("__import__('os')=1", "not a key"),
        ("a\n=1", "not a key"),
        ("-x=1", "not a key"),
        ("a.b.c=1", "single value"),
        ("l.7=1", "not an index"),
        ("l.x=1", "not an index"),
        ("a.b=[1", "not valid YAML"),
        ("a.b=!!python/object/apply:os.system ['true']", "not valid YAML"),
        pytest.param("a.b=" + "[" * 1500, "nested too deeply", id="deep"),
        ("a.b=&x [*x]", "not usable"),
        ("a.b={1: {[2]: 3}}", "not valid YAML"),
        ("a.b=\x07", "not valid YAML"),
        ("a.b=1\n---\nc: 2", "not valid YAML"),
        pytest.param("a.b=" + "9" * 5000, "not usable", id="long"),
    ],
)
def test_hostile_overrides_are_refused_with_a_sentence(text, part):
    config = Config({"a": {"b": 1}, "l": [1]})
    with pytest.raises(UsageError) as failure:
        config.override(text)
    assert part in str(failure.value)


@pytest.mark.parametrize(
    "value", ["x", True, -1, 0.5, [1], {"a": 1}, 10**400, float("nan"), float("inf")]
)
def test_checked_reads_refuse_what_does_not_fit(value):
    config = Config({"n": value})
    with pytest.raises(UsageError, match="n is .*: it must be"):
        config.integer("n", low=0, high=10)


def test_defaults_and_missing_keys():
    config = Config({"a": {"b": None}})
    assert config.integer("a.b", 3) == 3
    assert config.number("a.c", 0.5) == 0.5
    with pytest.raises(UsageError, match="a.b is missing"):
        config.integer("a.b")


def test_overrides_that_nothing_reads_are_known():
    config = Config({"a": {"b": 1, "m": {"k": 1}}})
    for text in ("a.b=2", "a.bb=3", "a.m.x=1", "c={d: 1}"):
        config.override(text)
    config.integer("a.b")
    config.mapping("a.m")
    config.get("c.d")
    assert config.unused_overrides() == ["a.bb"]


def test_hash_does_not_depend_on_the_order_of_keys():
    assert Config({"a": 1, "b": 2}).hash() == Config({"b": 2, "a": 1}).hash()
    assert Config({"a": 1}).hash() != Config({"a": 2}).hash()


def test_tickers():
    assert Config({"t": [" nvda ", "ON", "BRK.B", "NVDA"]}).tickers("t") == ["NVDA", "ON", "BRK.B"]
    for bad in ("../x", "--dry-run", "A/B", "", True, 5, "A B", "..", "A" * 40):
        with pytest.raises(UsageError, match="not a ticker"):
            Config({"t": [bad]}).tickers("t")
