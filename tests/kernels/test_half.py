"""Halves on the host: every version that takes them computes in float32 and rounds once."""

from __future__ import annotations

import numpy as np
import pytest

import kernels
from kernels import registry
from kernels.conv2d import conv2d_forward, conv2d_prepare_weight
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
