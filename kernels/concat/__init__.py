"""Concatenation along an axis, and its backward, which splits."""

from __future__ import annotations

from collections.abc import Sequence

from kernels.array import Array, check_integer
from kernels.operands import ANYTHING, check_operand, normalize_axis
from kernels.registry import dispatch

__all__ = ["concat_backward", "concat_forward"]


def concat_forward(arrays: Sequence[Array], axis: int) -> Array:
    """Return the arrays one after the other along `axis`.

        y[..., o_k + i, ...] = x_k[..., i, ...],   o_k = L_0 + ... + L_(k-1)

    Shapes: arrays[k] (..., L_k, ...), equal but along the axis; result (..., sum L_k, ...).
    Dtypes: numbers or bool, the same for all and the result.
    Edge contract: lengths of 0 along the axis are fine.

    Raises:
        ValueError: no arrays, 0-d arrays, shapes that differ elsewhere, or an axis out of range.
        TypeError: another dtype, or different dtypes.
    """
    if not arrays:
        raise ValueError("arrays must hold at least one array, got none")
    first = arrays[0]
    check_operand(first, ANYTHING, "arrays[0]")
    if first.ndim == 0:
        raise ValueError("arrays[0] must have at least 1 dimension, got shape ()")
    place = normalize_axis("axis", check_integer("axis", axis), first.ndim)
    _check_fit(arrays, place)
    return dispatch(concat_forward, arrays, place)


def concat_backward(grad_output: Array, lengths: Sequence[int], axis: int) -> tuple[Array, ...]:
    """Return the gradient of each concatenated array: its own part of grad_output.

        dx_k[..., i, ...] = dy[..., o_k + i, ...],   o_k = L_0 + ... + L_(k-1)

    Shapes: grad_output (..., sum L_k, ...); result k (..., L_k, ...).
    Dtypes: numbers or bool; the results' too.
    Edge contract: the results are copies; lengths of 0 are fine.

    Raises:
        ValueError: lengths that do not sum up to grad_output's, a negative one, or an axis out of range.
        TypeError: another dtype.
    """
    check_operand(grad_output, ANYTHING, "grad_output")
    if grad_output.ndim == 0:
        raise ValueError("grad_output must have at least 1 dimension, got shape ()")
    place = normalize_axis("axis", check_integer("axis", axis), grad_output.ndim)
    parts = tuple(check_integer("lengths", length, minimum=0) for length in lengths)
    if sum(parts) != grad_output.shape[place]:
        raise ValueError(
            f"lengths sum up to {sum(parts)} but grad_output has length {grad_output.shape[place]} "
            f"along axis {place}"
        )
    return dispatch(concat_backward, grad_output, parts, place)


def _check_fit(arrays: Sequence[Array], axis: int) -> None:
    """Require that all arrays have the first one's dtype, and its shape but along the axis."""
    first = arrays[0]
    dtype, ndim = first.dtype, first.ndim
    before, after = first.shape[:axis], first.shape[axis + 1 :]
    for k in range(1, len(arrays)):
        array = arrays[k]
        if not hasattr(array, "dtype") or array.dtype != dtype:
            check_operand(array, ANYTHING, f"arrays[{k}]")
            raise TypeError(f"arrays[{k}] has dtype {array.dtype} but arrays[0] has {dtype}")
        shape = array.shape
        if len(shape) != ndim or shape[axis + 1 :] != after or shape[:axis] != before:
            raise ValueError(
                f"arrays[{k}] has shape {tuple(shape)} but arrays[0] has {tuple(first.shape)}; "
                f"they may differ along axis {axis} only"
            )
