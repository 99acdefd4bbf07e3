"""examples/auxiliary_heads.py: the heads bring gradient to early stages, in the committed table and anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

from tests.examples.script import EXAMPLES, load_example, rows

BEFORE_A_HEAD = ("conv1", "conv2", "conv3", "inception3a", "inception3b", "inception4a")


@pytest.fixture(scope="module")
def example() -> ModuleType:
    """The script as a module."""
    return load_example("auxiliary_heads")


def ratios(example: ModuleType, table: Sequence[dict[str, str]]) -> dict[str, float]:
    """How many times larger the heads make each stage's gradient."""
    with_heads, without = (example.medians(table, name) for name in ("with heads", "without heads"))
    return {stage: more / less for stage, more, less in zip(example.STAGES, with_heads, without, strict=True)}


def test_stages_before_the_heads_get_more_in_the_committed_table(example: ModuleType) -> None:
    found = ratios(example, rows(EXAMPLES / "auxiliary_heads.csv"))
    assert all(found[stage] > 1.5 for stage in BEFORE_A_HEAD)
    assert all(found[stage] < 1.1 for stage in ("inception4e", "inception5a", "inception5b", "fc"))


@pytest.mark.slow
def test_stages_before_the_heads_get_more(example: ModuleType, tmp_path: Path) -> None:
    """The first step, other weights, other images; what stands behind the heads gets none of theirs."""
    pytest.importorskip("matplotlib")
    example.main(["--steps", "1", "--batch-size", "2", "--seed", "1", "--out", str(tmp_path)])
    found = ratios(example, rows(tmp_path / "auxiliary_heads.csv"))
    assert all(found[stage] > 1.5 for stage in BEFORE_A_HEAD)
    assert found["fc"] == pytest.approx(1, rel=1e-3)
    assert found["inception5b"] == pytest.approx(1, rel=1e-3)
    assert (tmp_path / "auxiliary_heads.svg").exists()
