"""Halves on the host: every version that takes them computes in float32 and rounds once."""

from __future__ import annotations

import numpy as np
import pytest

import kernels
from kernels import registry
from kernels.conv2d import conv2d_forward, conv2d_prepare_weight
from kernels.elementwise import cast
from kernels.window import Window
from tests.kernels import halves
from tests.kernels.sample import Sample


@pytest.mark.parametrize("sample", halves.SAMPLES, ids=str)
def test_versions_round_once(sample: Sample) -> None:
    arguments = halves.arguments(sample)
    taken = [
        row
        for row in registry.table()
        if row.operation == sample.operation and row.backend != "gpu" and row.fits(*arguments)
    ]
    assert taken
    for row in taken:
        with kernels.use(backend=row.backend, **{row.operation: row.name}):
            got = registry.contract(row.operation)(*arguments)
        halves.check(sample, got, row.name)


def test_halves_do_not_mix_with_floats() -> None:
    x, weight = np.ones((1, 1, 3, 3), np.float16), np.ones((1, 1, 2, 2), np.float32)
    with pytest.raises(TypeError, match="weight has dtype float32 but x has float16"):
        conv2d_forward(x, weight, None, Window.of(2), 1)


def test_a_weight_is_not_prepared_in_halves() -> None:
    with pytest.raises(
        TypeError, match="weight must have dtype float32 or float64 or complex128, got float16"
    ):
        conv2d_prepare_weight(np.ones((1, 1, 2, 2), np.float16), (1, 1, 3, 3), Window.of(2), 1)


def test_halves_are_converted_from_and_to_float32() -> None:
    """To nearest, ties to even; beyond 65504 and half a step lie the infinities."""
    step = 2.0**-10  # between 1 and 2
    x = np.array([1 + step / 2, 1 + step * 1.5, 65519, 65520, -1e9, 2.0**-25, 2.0**-24, np.nan], np.float32)
    want = np.array([1, 1 + 2 * step, 65504, np.inf, -np.inf, 0, 2.0**-24, np.nan], np.float16)
    for row in registry.table():
        if row.operation == "cast" and row.backend != "gpu":
            with kernels.use(backend=row.backend, cast=row.name):
                got = cast(x, np.float16)
                np.testing.assert_array_equal(got, want)
                assert got.dtype == np.float16
                np.testing.assert_array_equal(cast(got, np.float32), want.astype(np.float32))
    for array, dtype in ((x.astype(np.float64), np.float16), (want, np.float64), (want, np.float16)):
        with pytest.raises(TypeError, match="x must be float32 to become float16, and the reverse"):
            cast(array, dtype)
