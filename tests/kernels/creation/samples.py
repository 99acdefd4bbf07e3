"""Samples of the kernels that make arrays from nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.kernels.sample import Sample

LIKE = np.zeros((2, 0), np.int8)  # only where it lies counts


def full(label: str, shape: tuple[int, ...], value: Any, dtype: Any = None) -> Sample:
    return Sample("full", label, lambda draw: (shape, value, np.dtype(dtype or draw.dtype), LIKE))


def sequence(label: str, start: float, stop: float, step: float, dtype: Any = None) -> Sample:
    return Sample("sequence", label, lambda draw: (start, stop, step, np.dtype(dtype or draw.dtype), LIKE))


SAMPLES = [
    full("plain", (3, 4), 1.5),
    full("zero", (2, 3), 0),
    full("scalar", (), -2.0),
    full("empty", (0, 3), 1),
    full("infinite", (2,), float("-inf")),
    full("int", (2, 3), 7, np.int64),
    full("bool", (2, 3), True, np.bool_),
    sequence("int", 0, 5, 1, np.int64),
    sequence("downwards", 7, -8, -3, np.int64),
    sequence("none", 3, 1, 1, np.int64),
    sequence("broken-step", -1.0, 2.0, 0.375),
    sequence("inexact-step", 0, 1, 0.1),
]


@st.composite
def _drawn(draw: st.DrawFn) -> Sample:
    if draw(st.booleans()):
        shape = tuple(draw(st.lists(st.integers(0, 4), max_size=3)))
        return full("drawn", shape, draw(st.integers(-8, 8)) / 8)
    whole = st.integers(-9, 9)
    return sequence("drawn", draw(whole), draw(whole), draw(whole.filter(bool)) / 4)


STRATEGY = _drawn()


def _full(shape: tuple[int, ...], value: Any, dtype: np.dtype, like: np.ndarray) -> np.ndarray:
    import torch

    return torch.full(shape, value, dtype=getattr(torch, dtype.name)).numpy()


def _sequence(start: float, stop: float, step: float, dtype: np.dtype, like: np.ndarray) -> np.ndarray:
    import torch

    if (stop - start) / step <= 0:  # torch refuses an empty range
        return np.empty(0, dtype)
    return torch.arange(start, stop, step, dtype=getattr(torch, dtype.name)).numpy()


ORACLES = {"full": _full, "sequence": _sequence}
