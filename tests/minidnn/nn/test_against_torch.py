"""Every layer of minidnn.nn against PyTorch: forward, all gradients, and the state it leaves."""

from __future__ import annotations

import numpy as np
import pytest

from minidnn import nn
from tests.kernels.sample import Draw
from tests.minidnn.case import ModuleCase, collect, compare, compare_arrays, run_our_module, tolerance

pytestmark = pytest.mark.reference
torch_answers = pytest.importorskip(
    "tests.minidnn.torch_answers",
    reason="torch is not installed; the stored references stand in",
    exc_type=ImportError,
)
CASES = collect("tests.minidnn.nn.cases")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_forward_gradients_and_state(case: ModuleCase) -> None:
    try:
        want, before, after = torch_answers.module_answer(case, case.inputs(Draw(5, np.float64)))
    except ImportError as missing:
        pytest.skip(str(missing))
    for dtype in (np.float64, np.float32):
        inputs = case.inputs(Draw(5, dtype))
        got, state = run_our_module(case, before, inputs, dtype)
        bound = tolerance(case, inputs, dtype)
        compare(got, want, bound)
        assert list(state) == list(after)
        for name, value in after.items():
            compare_arrays(name, state[name], value, bound)


# Containers and the bases are compared in tests of their own (test_container.py, test_module.py).
WITHOUT_CASE = {"Concat", "Module", "ModuleList", "Parameter", "Sequential", "utils"}


def test_every_layer_has_a_case() -> None:
    assert set(nn.__all__) - {case.module for case in CASES} == WITHOUT_CASE
