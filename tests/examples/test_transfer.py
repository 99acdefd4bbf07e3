"""examples/transfer.py: what is learned on other digits helps, in the committed table and in a short run."""

from __future__ import annotations

from pathlib import Path
from statistics import mean
from types import ModuleType

import pytest

from tests.examples.script import EXAMPLES, load_example, rows

TABLE = EXAMPLES / "transfer.csv"


@pytest.fixture(scope="module")
def transfer() -> ModuleType:
    """The script as a module."""
    return load_example("transfer")


def test_the_committed_table_is_whole(transfer: ModuleType) -> None:
    for method in transfer.METHODS:
        for shots in transfer.SHOTS:
            found = transfer.accuracies(rows(TABLE), method, shots)
            assert len(found) == 5
            assert all(0 <= accuracy <= 1 for accuracy in found)


def means(transfer: ModuleType, table: list[dict[str, str]], shots: int) -> dict[str, float]:
    """Accuracy by method, over the seeds."""
    methods = {row["method"] for row in table}
    return {method: mean(transfer.accuracies(table, method, shots)) for method in methods}


def test_transfer_gains_in_the_committed_table(transfer: ModuleType) -> None:
    """With the fewest images most; over all, features of the middle are better than the pixels too."""
    found = {shots: means(transfer, rows(TABLE), shots) for shots in transfer.SHOTS}
    gains = [found[shots]["middle"] - found[shots]["scratch"] for shots in transfer.SHOTS]
    assert gains[0] > 0.02
    assert gains[0] > gains[-1]
    for other in ("pixels", "last"):
        assert mean(one["middle"] for one in found.values()) > mean(one[other] for one in found.values())


@pytest.mark.slow
def test_transfer_gains_in_a_short_run(transfer: ModuleType) -> None:
    found = transfer.run(seeds=5, shots=(5,), epochs=60, methods=("scratch", "middle"))
    reached = means(transfer, found, 5)
    assert reached["middle"] > reached["scratch"] + 0.01
    assert reached["middle"] > 0.88


def test_the_table_and_the_figure_can_be_drawn(
    transfer: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "transfer.csv").write_bytes(TABLE.read_bytes())
    transfer.main(["--plot-only", "--out", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["images", *transfer.METHODS]
    assert (tmp_path / "transfer.svg").read_bytes().startswith(b"<?xml")
