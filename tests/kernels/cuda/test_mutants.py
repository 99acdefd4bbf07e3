"""The samples would notice a fault in a CUDA kernel: at least 95% of all small changes."""

from __future__ import annotations

import pytest

from kernels import softmax
from kernels.cuda.launch import Source
from tests.kernels import tables
from tests.kernels.cuda import judge, mutants
from tests.kernels.cuda.mutants import NOTICED

DRAWN = 20


@pytest.mark.slow
def test_drawn_mutants_are_noticed() -> None:
    """Of the files that are known as a whole; all of them by script, see mutants.py."""
    known = [source for source in mutants.results() if mutants.is_known(source, most=None)]
    every = [mutant for mutant in mutants.mutants() if mutant.source in known]
    found = dict(mutants.fates(mutants.draw(every, DRAWN)))
    assert mutants.survivors(found) == []


def test_results_of_all_mutants() -> None:
    """The committed run: of all at least 95% are noticed, of every file 95% of those that do harm, and what
    survived is explained.
    """
    results = mutants.results()
    noticed, judged = (sum(row[key] for row in results.values()) for key in ("noticed", "mutants"))
    assert noticed >= 0.95 * judged
    assert set(results) == {mutant.source for mutant in mutants.mutants()}
    assert not [source for source, row in results.items() if "drawn" in row]
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
    folders = {folder for mutant in mutants.mutants() for folder in mutant.folders}
    assert folders <= set(tables.folders())


def test_a_dropped_barrier_is_noticed() -> None:
    barrier = next(m for m in mutants.mutants(["linear"]) if m.change == "a barrier dropped")
    assert list(mutants.fates([barrier])) == [(barrier, NOTICED)]


@pytest.mark.slow
def test_a_race_is_left_to_the_sanitizer() -> None:
    """A barrier too few, behind which all threads read what no thread changes."""
    barrier = next(m for m in mutants.mutants(["nms"]) if "all threads have seen the bit" in m.before)
    assert list(mutants.fates([barrier])) == [(barrier, NOTICED)]


def test_a_header_is_changed_where_a_kernel_holds_it() -> None:
    """In sources that include it, and only there."""
    mutant = next(m for m in mutants.mutants(["lines.cuh"]) if m.change == "a sign changed")
    sources = {name: Source(softmax.__file__, name) for name in ("softmax.cu", "../linear/linear.cu")}
    changed = {name for name, source in sources.items() if mutant.put_into(source) != source.text}
    assert changed == {"softmax.cu"}
    assert mutant.after in mutant.put_into(sources["softmax.cu"])


@pytest.mark.parametrize(
    ("name", "words", "kernel"),
    [
        ("linear.cu", "sum +=", "column_sums"),
        ("depthwise_conv2d.cu", "plane[h * W", None),
        ("winograd.cu", "channels + channel) * H", "transform_inputs"),
        ("roi_align.cu", "gathered(vs", "roi_align_backward"),
    ],
)
def test_a_mutant_knows_its_kernel(name: str, words: str, kernel: str | None) -> None:
    mutant = next(m for m in mutants.mutants([name]) if words in m.before)
    assert judge.kernel_at(mutant) == kernel


def test_declared_arrays_are_no_indices() -> None:
    moved = [m for m in mutants.mutants(["winograd.cu"]) if m.change == "an index moved"]
    assert moved
    assert not [m.before for m in moved if "REAL d[SIDE], v[SIDE]" in m.before]


def test_every_test_beside_the_samples_is_one() -> None:
    for folder, (files, _) in judge.TESTS.items():
        assert folder in tables.folders()
        assert all((mutants.RESULTS.parent / name).exists() for name in files.split())
