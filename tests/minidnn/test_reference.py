"""Ours against PyTorch's stored answers, with or without PyTorch on this machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minidnn import functional
from tests.minidnn import reference
from tests.minidnn.case import Case, ModuleCase, compare, compare_arrays, run_our_module, run_ours, tolerance
from tests.minidnn.reference import Reference

TABLES = reference.tables()
STORED = [
    pytest.param(case, reference.read(name)[str(case)], id=f"{name}-{case}")
    for name, cases in TABLES.items()
    for case in cases
    if str(case) in reference.read(name)
]


@pytest.mark.parametrize(("case", "stored"), STORED)
def test_stored_answers(case: Case | ModuleCase, stored: Reference) -> None:
    for dtype in (np.float64, np.float32):
        inputs = stored.fill(case, dtype)
        bound = tolerance(case, inputs, dtype)
        if isinstance(case, Case):
            got = run_ours(getattr(functional, case.function), case, inputs, stored.draw_upstreams)
            state: dict[str, Any] = {}
        else:
            got, state = run_our_module(case, stored.before, inputs, dtype, stored.draw_upstreams)
        assert stored.gradients.keys() <= got.gradients.keys()
        compare(got, stored.answer(list(got.gradients)), bound)
        assert state.keys() == stored.before.keys()
        for name, value in (stored.before | stored.after).items():
            compare_arrays(name, state[name], value, bound)


@pytest.mark.parametrize("name", TABLES)
def test_every_function_and_module_has_an_answer(name: str) -> None:
    stored = reference.read(name)
    cases = {str(case): case for case in TABLES[name]}
    assert stored.keys() <= cases.keys(), "stale: run `python -m tests.minidnn.reference`"
    missing = {reference.subject(c) for c in cases.values()} - {reference.subject(cases[s]) for s in stored}
    assert not missing, f"{missing} have none: run `python -m tests.minidnn.reference`"
    for one in stored.values():
        assert one.outputs


def test_files_say_what_made_them() -> None:
    files = sorted(path.stem for path in reference.FOLDER.glob("*.safetensors"))
    assert files == sorted(name for name, cases in TABLES.items() if cases)
    for name in files:
        said = r"python -m tests.minidnn.reference with torch 2\S+, torchvision 0\S+, numpy 2\S+"
        assert re.fullmatch(said, reference.made_by(name))


def test_written_references_are_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="references are written where torch is installed")
    monkeypatch.setattr(reference, "FOLDER", tmp_path)
    one = Reference(
        inputs=[np.full(2, i) for i in range(11)],
        upstreams={1: np.ones((2, 0))},
        outputs=[np.arange(3), np.array(2.5)],
        gradients={"input 0": np.ones(2), "layer.weight": np.ones((1, 2)).T},
        before={"weight": np.zeros(1)},
    )
    reference.write("table", {"f-a/b": one, "f-c": Reference(outputs=[np.ones(1)])})
    read = reference.read("table")
    assert list(read) == ["f-c", "f-a/b"]
    got = dict(read["f-a/b"].arrays())
    want = dict(one.arrays())
    assert got.keys() == want.keys()
    for name, array in want.items():
        assert got[name].shape == array.shape
        assert np.array_equal(got[name], array)
    assert [int(array[0]) for array in read["f-a/b"].inputs] == list(range(11))


def test_the_smallest_cases_are_kept_within_the_budget() -> None:
    def sized(values: int) -> Reference:
        return Reference(outputs=[np.zeros(values)])

    budget = reference.BUDGET // 8
    made = {
        "f-big": ("f", sized(budget)),
        "f-small": ("f", sized(2)),
        "f-half": ("f", sized(budget // 2)),
        "g-huge": ("g", sized(3 * budget)),
    }
    assert list(reference.choose(made)) == ["f-small", "f-half", "g-huge"]
