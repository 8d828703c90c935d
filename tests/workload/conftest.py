import sys

import pytest

from .synthetic import ROOT, Workspace

sys.path.insert(0, str(ROOT))


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A workspace with one finished training and its registry; tests may only add to it."""
    made = Workspace(tmp_path_factory.mktemp("trained"))
    made.output = made.ok("run_experiment", "--config", "configs/t.yaml")
    made.run_id = made.names("runs/*")[0].split("/")[1]
    made.ok("index_runs")
    return made
