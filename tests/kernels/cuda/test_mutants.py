"""The samples would notice a fault in a CUDA kernel: at least 95% of all small changes."""

from __future__ import annotations

import json

import pytest

from tests.kernels import tables
from tests.kernels.cuda import mutants
from tests.kernels.cuda.mutants import NOTICED

DRAWN = 20


@pytest.mark.slow
def test_drawn_mutants_are_noticed() -> None:
    """All of them by script: see mutants.py."""
    found = mutants.fates(mutants.draw(mutants.mutants(), DRAWN), workers=1)
    assert mutants.survivors(found) == []


def test_results_of_all_mutants() -> None:
    """The committed run: of every file at least 95% are noticed, and what survived is explained."""
    results = json.loads(mutants.RESULTS.read_text())
    assert set(results) <= {mutant.source for mutant in mutants.mutants()}
    for source, row in results.items():
        explained = [why for why in row["survivors"].values() if not why.endswith("not explained")]
        assert len(explained) == len(row["survivors"]), source
        assert row["noticed"] >= 0.95 * (row["mutants"] - len(explained)), source


def test_mutants_are_changes_of_code() -> None:
    """Not of comments or of what the preprocessor reads, and each in one line."""
    every = mutants.mutants()
    assert len({mutant.name for mutant in every}) == len(every)
    for mutant in every:
        original = (mutants.ROOT / mutant.source).read_text().split("\n")
        changed = mutant.text().split("\n")
        differing = [i for i, (a, b) in enumerate(zip(original, changed, strict=True), 1) if a != b]
        assert differing == [mutant.line]
        assert not mutant.before.lstrip().startswith(("//", "#include"))


def test_every_source_has_samples_that_judge_it() -> None:
    folders = {mutant.folder for mutant in mutants.mutants()}
    assert folders <= set(tables.folders())


def test_a_dropped_barrier_is_noticed() -> None:
    barrier = next(m for m in mutants.mutants("reduction") if m.change == "a barrier dropped")
    assert mutants.fate(barrier) == NOTICED
