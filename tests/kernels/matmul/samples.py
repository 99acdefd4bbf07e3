"""Samples of the matrix product."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from tests.kernels.elementwise.samples import Make, broadcast_pairs, normal, numbers
from tests.kernels.sample import Sample


def product(
    label: str,
    sizes: tuple[int, int, int],
    a: tuple[int, ...] = (),
    b: tuple[int, ...] = (),
    make: Make = normal,
) -> Sample:
    """Matrices of sizes (M, K, N) with leading axes `a` and `b`."""
    rows, inner, columns = sizes
    return Sample(
        "matmul",
        label,
        lambda draw: (make(draw, (*a, rows, inner)), make(draw, (*b, inner, columns))),
        reduction_length=inner,
    )


SAMPLES = [
    product("matrices", (3, 5, 2)),
    product("one-row", (1, 4, 3)),
    product("one-column", (3, 4, 1)),
    product("one-inner", (2, 1, 3)),
    product("stack", (2, 3, 4), (5,), (5,)),
    product("stretched", (2, 3, 4), (2, 1), (3,)),
    product("one-matrix", (2, 3, 4), (2, 2)),
    product("several-tiles", (66, 19, 3)),
    product("whole-tiles-across", (66, 3, 64)),
    product("no-inner", (2, 0, 3)),
    product("no-rows", (0, 3, 2), (2,)),
    product("no-stack", (2, 3, 2), (0,)),
    product("int", (3, 5, 2), (2,), make=numbers),
]


@st.composite
def _drawn(draw: st.DrawFn) -> Sample:
    size = st.integers(0, 5)
    return product("drawn", (draw(size), draw(size), draw(size)), *draw(broadcast_pairs()))


STRATEGY = _drawn()


def _matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    import torch

    from tests.torch_bridge import to_torch

    return torch.matmul(to_torch(a), to_torch(b)).numpy()


ORACLES = {"matmul": _matmul}
