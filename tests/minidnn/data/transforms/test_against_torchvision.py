"""Every transform that torchvision has too, stored and live, within one of 255 levels."""

from __future__ import annotations

import numpy as np
import pytest

from tests.minidnn.data.transforms.cases import (
    CASES,
    LIVE_SHAPES,
    RUNS,
    STORED,
    STORED_RUNS,
    STORED_SHAPES,
    image,
)

# What float32 may differ by: sums in another order, and grey as 0.2989 of red where BT.601 has 0.299.
BOUNDS = {"uint8": 1, "float32": 2e-4}


def compare(name: str, shape: tuple[int, int], dtype: str, want: np.ndarray) -> None:
    given = image(shape, dtype)
    before = given.copy()
    got = CASES[name].ours(given)
    assert got.shape == want.shape
    assert got.dtype == want.dtype
    assert np.abs(got.astype(np.float64) - want).max() <= BOUNDS[dtype]
    assert np.array_equal(given, before)
    assert not np.shares_memory(got, given)


@pytest.fixture(scope="module")
def answers() -> dict[str, np.ndarray]:
    with np.load(STORED) as stored:
        return dict(stored)


@pytest.mark.parametrize(("name", "dtype"), STORED_RUNS)
@pytest.mark.parametrize("shape", STORED_SHAPES)
def test_stored_answers(
    name: str, dtype: str, shape: tuple[int, int], answers: dict[str, np.ndarray]
) -> None:
    compare(name, shape, dtype, answers[f"{name} {dtype} {shape}"])


@pytest.mark.reference
@pytest.mark.parametrize(("name", "dtype"), RUNS)
@pytest.mark.parametrize("shape", LIVE_SHAPES)
def test_live(name: str, dtype: str, shape: tuple[int, int]) -> None:
    pytest.importorskip("torch")
    from tests.minidnn.data.transforms.make_torchvision import answer

    try:
        want = answer(name, shape, dtype)
    except ImportError as missing:
        pytest.skip(str(missing))
    compare(name, shape, dtype, want)
