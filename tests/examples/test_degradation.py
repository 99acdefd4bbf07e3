"""examples/degradation.py runs, and its committed table shows what the paper's figure shows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples.script import EXAMPLES, rows
from tests.program import ENVIRONMENT


def losses(network: str) -> list[float]:
    """The training loss after every epoch, from the committed table."""
    table = rows(EXAMPLES / "degradation.csv")
    return [float(row["train_loss"]) for row in table if row["network"] == network]


def test_the_deeper_plain_network_trains_worse() -> None:
    shallow, deep = losses("plain20"), losses("plain56")
    assert len(shallow) == len(deep) == 12
    assert deep[-1] > 2 * shallow[-1]
    assert sum(deep) > sum(shallow)


def test_the_deeper_residual_network_does_not() -> None:
    assert losses("resnet56")[-1] <= losses("resnet20")[-1]
    assert losses("resnet56")[-1] < losses("plain56")[-1] / 2


@pytest.mark.slow
def test_it_runs(tmp_path: Path) -> None:
    script = [sys.executable, EXAMPLES / "degradation.py", "--out", tmp_path]
    pytest.importorskip("matplotlib")
    subprocess.run([*script, "--epochs", "2", "--images", "16"], env=ENVIRONMENT, check=True)
    table = rows(tmp_path / "degradation.csv")
    assert [(row["network"], row["epoch"]) for row in table] == [
        (network, epoch) for network in ("plain20", "plain56", "resnet20", "resnet56") for epoch in ("1", "2")
    ]
    assert all(0 <= float(row["train_error"]) <= 1 for row in table)
    figure = (tmp_path / "degradation.svg").read_bytes()
    subprocess.run([*script, "--plot-only"], env=ENVIRONMENT, check=True)
    assert (tmp_path / "degradation.svg").read_bytes() == figure
