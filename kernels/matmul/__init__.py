"""The matrix product of stacks of matrices."""

from __future__ import annotations

from kernels.array import Array
from kernels.operands import NUMBERS, broadcastable, check_same
from kernels.registry import dispatch

__all__ = ["matmul"]


def matmul(a: Array, b: Array) -> Array:
    """Return the matrix products a b over broadcast leading axes.

        y[..., m, n] = sum_k a[..., m, k] b[..., k, n]

    Shapes: a (..., M, K), b (..., K, N); result (..., M, N), the leading axes broadcast.
    Dtypes: numbers, the same for both and the result.
    Edge contract: any length may be 0; with K = 0 the result is zero. Sums do not depend on the number of
        threads.

    Raises:
        ValueError: fewer than 2 dimensions, inner lengths that differ, leading axes that do not broadcast.
        TypeError: another dtype (bool too), or two dtypes.
    """
    check_same(a, b, NUMBERS)
    for name, array in (("a", a), ("b", b)):
        if array.ndim < 2:
            raise ValueError(f"{name} must have at least 2 dimensions, got shape {tuple(array.shape)}")
    if a.shape[-1] != b.shape[-2]:
        raise ValueError(
            f"a {tuple(a.shape)} has {a.shape[-1]} columns but b {tuple(b.shape)} has {b.shape[-2]} rows; "
            "both need the same number"
        )
    if a.shape[:-2] != b.shape[:-2] and not broadcastable(a.shape[:-2], b.shape[:-2]):
        raise ValueError(
            f"the leading axes of a {tuple(a.shape)} and b {tuple(b.shape)} do not broadcast; "
            "along each they need 1 or one length"
        )
    return dispatch(matmul, a, b)
