"""A trained model in one .zip file.

Layout (version 1): `model.json` (what it is: stage, ticker, steps, seed, features, label,
benchmark, data_cutoff_dates, hidden) and NumPy arrays: `mean.npy`, `scale.npy` (the normaliser),
and `actor_<i>.npy`, `critic_<i>.npy`: weights and biases by turns, from the input to the output.
"""

import io
import json
import zipfile
import zlib
from dataclasses import dataclass

import numpy as np

from .errors import UsageError
from .features import FeatureSpec
from .labels import LabelSpec
from .ppo import BuyAgent
from .run_files import write_bytes

_VERSION = 1


@dataclass(frozen=True)
class Model:
    agent: BuyAgent
    info: dict
    path: str

    @property
    def features(self):
        return FeatureSpec.from_dict(self.info["features"])

    @property
    def label(self):
        return LabelSpec(**self.info["label"])

    def cutoff(self, ticker):
        """The last day whose prices the training may have seen, of `ticker` or, if new, of any."""
        dates = self.info["data_cutoff_dates"]
        return dates.get(ticker) or max(dates.values())


def save(path, agent, info):
    arrays = {"mean": agent.mean, "scale": agent.scale}
    for name, net in (("actor", agent.actor), ("critic", agent.critic)):
        arrays.update({f"{name}_{i}": array for i, array in enumerate(net.parameters)})
    document = {"format": _VERSION, **info, "hidden": list(agent.hidden)}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        # ZipInfo's fixed default date makes equal models equal files.
        archive.writestr(zipfile.ZipInfo("model.json"), json.dumps(document, indent=2))
        for name, array in arrays.items():
            data = io.BytesIO()
            np.save(data, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), data.getvalue())
    write_bytes(path, buffer.getvalue())


def load(path):
    try:
        with zipfile.ZipFile(path) as archive:
            info = json.loads(archive.read("model.json"))
            read = lambda name: np.load(io.BytesIO(archive.read(f"{name}.npy")), allow_pickle=False)
            if info["format"] != _VERSION:
                raise ValueError(f"its format is {info['format']}, this code reads {_VERSION}")
            agent = BuyAgent(read("mean"), read("scale"), info["hidden"], np.random.default_rng(0))
            for name, net in (("actor", agent.actor), ("critic", agent.critic)):
                for i, array in enumerate(net.parameters):
                    array[...] = read(f"{name}_{i}")
        model = Model(agent, info, str(path))
        if len(model.features.names()) != len(agent.mean) or not info["data_cutoff_dates"]:
            raise ValueError("its parts do not fit each other")
        model.label
        return model
    except FileNotFoundError:
        raise UsageError(f"model {path} does not exist: check the path") from None
    except OSError as failure:
        raise UsageError(f"model {path} cannot be read: {failure.strerror}") from None
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, TypeError, EOFError) as failure:
        raise UsageError(
            f"{path} is not a model of this workload ({failure}): "
            "train one with scripts.run_experiment"
        ) from None
