"""Concatenation in NumPy: one element after the other, and one block copy per array."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from kernels.array import Array
from kernels.concat import concat_backward, concat_forward
from kernels.registry import implements


def _offsets(lengths: Sequence[int]) -> list[int]:
    """Where each part begins."""
    return [0, *accumulate(lengths)][:-1]


@implements(concat_forward, "loops", "one element after the other")
def concat_forward_loops(arrays: Sequence[Array], axis: int) -> Array:
    """y[..., o_k + i, ...] = x_k[..., i, ...]."""
    lengths = [array.shape[axis] for array in arrays]
    shape = list(arrays[0].shape)
    shape[axis] = sum(lengths)
    y: Array = np.empty(shape, arrays[0].dtype)
    for array, offset in zip(arrays, _offsets(lengths), strict=True):
        for index in np.ndindex(array.shape):
            place = (*index[:axis], offset + index[axis], *index[axis + 1 :])
            y[place] = array[index]
    return y


@implements(concat_forward, "blocks", "one block copy per array")
def concat_forward_blocks(arrays: Sequence[Array], axis: int) -> Array:
    """NumPy copies each array as a block."""
    return np.concatenate(list(arrays), axis=axis)


@implements(concat_backward, "loops", "one element after the other")
def concat_backward_loops(grad_output: Array, lengths: Sequence[int], axis: int) -> tuple[Array, ...]:
    """dx_k[..., i, ...] = dy[..., o_k + i, ...]."""
    parts: list[Array] = []
    for length, offset in zip(lengths, _offsets(lengths), strict=True):
        part: Array = np.empty(
            (*grad_output.shape[:axis], length, *grad_output.shape[axis + 1 :]), grad_output.dtype
        )
        for index in np.ndindex(part.shape):
            part[index] = grad_output[(*index[:axis], offset + index[axis], *index[axis + 1 :])]
        parts.append(part)
    return tuple(parts)


@implements(concat_backward, "blocks", "one block copy per array")
def concat_backward_blocks(grad_output: Array, lengths: Sequence[int], axis: int) -> tuple[Array, ...]:
    """One slice of the gradient each."""
    before = (slice(None),) * axis
    return tuple(
        grad_output[(*before, slice(offset, offset + length))].copy()
        for length, offset in zip(lengths, _offsets(lengths), strict=True)
    )
