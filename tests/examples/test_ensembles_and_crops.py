"""examples/ensembles_and_crops.py: asking more than once helps, in the committed table; a short run."""

from __future__ import annotations

from pathlib import Path
from statistics import mean
from types import ModuleType

import pytest

from tests.examples.script import EXAMPLES, load_example, rows

TABLE = EXAMPLES / "ensembles_and_crops.csv"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    """The script as a module."""
    return load_example("ensembles_and_crops")


@pytest.mark.parametrize("way", ["crops", "ensemble", "both"])
def test_every_way_gains(example: ModuleType, way: str) -> None:
    """In the mean, and an ensemble in every repetition."""
    single, asked = (example.values(rows(TABLE), name, "accuracy") for name in ("single", way))
    assert len(asked) == len(single) == 4
    assert mean(asked) > mean(single)
    losses = list(zip(*(example.values(rows(TABLE), name, "loss") for name in (way, "single")), strict=True))
    if way != "crops":
        assert all(better < alone for better, alone in losses)


@pytest.mark.slow
def test_it_runs(example: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    example.main(["--repetitions", "1", "--epochs", "2", "--out", str(tmp_path)])
    table = rows(tmp_path / "ensembles_and_crops.csv")
    assert [row["way"] for row in table] == list(example.WAYS)
    loss = {row["way"]: float(row["loss"]) for row in table}
    assert loss["ensemble"] < loss["single"]  # the mean probability's loss is below the mean of the losses
    assert len(capsys.readouterr().out.splitlines()) == 5
    figure = (tmp_path / "ensembles_and_crops.svg").read_bytes()
    example.main(["--plot-only", "--out", str(tmp_path)])
    assert (tmp_path / "ensembles_and_crops.svg").read_bytes() == figure
