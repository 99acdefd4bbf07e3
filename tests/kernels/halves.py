"""Samples drawn in float16, and what a version may make of them."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from kernels import registry
from tests.kernels import tables
from tests.kernels.sample import Draw, Sample

OPERATIONS = [
    *("conv2d_forward", "conv2d_backward_input", "conv2d_backward_weight", "conv2d_backward_bias"),
    *("linear_forward", "linear_backward_input", "linear_backward_weight", "linear_backward_bias"),
]
SAMPLES = [sample for sample in tables.samples() if sample.operation in OPERATIONS]


def arguments(sample: Sample) -> list[Any]:
    return list(sample.make(Draw(1, np.float16)))


def check(sample: Sample, got: np.ndarray, version: str) -> None:
    """The sum in float64, rounded once, but for the rounding of a sum in float32."""
    want = _truth(sample)
    rounding = np.abs(want) * 2.0**-11 + 2.0**-25  # half a step of normal numbers and of the smallest ones
    slack = tables.bound(sample, np.float32) * np.abs(want).max(initial=0)
    assert got.dtype == np.float16
    assert (np.abs(got.astype(np.float64) - want) <= rounding + slack).all(), version


@functools.cache
def _truth(sample: Sample) -> np.ndarray:
    wide = [x.astype(np.float64) if isinstance(x, np.ndarray) else x for x in arguments(sample)]
    with registry.use(backend="reference"):
        want: np.ndarray = registry.contract(sample.operation)(*wide)
    return want
