"""Every function of minidnn.functional against PyTorch: forward and all gradients."""

from __future__ import annotations

import numpy as np
import pytest

from minidnn import functional
from tests.kernels.sample import Draw
from tests.minidnn.case import Case, collect, compare, map_arrays, run_ours, tolerance

pytestmark = pytest.mark.reference
torch_answers = pytest.importorskip(
    "tests.minidnn.torch_answers",
    reason="torch is not installed; the stored references stand in",
    exc_type=ImportError,
)
CASES = collect("tests.minidnn.functional.cases")


def strided(array: np.ndarray) -> np.ndarray:
    """Equal values, reversed in memory."""
    return np.ascontiguousarray(array.T[::-1])[::-1].T if array.ndim else array


@pytest.mark.parametrize("case", CASES, ids=str)
def test_forward_and_gradients(case: Case) -> None:
    try:
        want = torch_answers.function_answer(case, case.inputs(Draw(5, np.float64)))
    except ImportError as missing:
        pytest.skip(str(missing))
    function = getattr(functional, case.function)
    for dtype in (np.float64, np.float32):
        inputs = case.inputs(Draw(5, dtype))
        for layout in (lambda array: array, strided):
            got = run_ours(function, case, map_arrays(layout, list(inputs)))
            compare(got, want, tolerance(case, inputs, dtype))
            floating = [output for output in got.outputs if output.dtype.kind == "f"]
            assert all(output.dtype == dtype for output in floating), "the output's dtype is the input's"


def test_every_function_has_a_case() -> None:
    assert set(functional.__all__) - {case.function for case in CASES} == set()
