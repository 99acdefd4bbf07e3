"""Arrays whose slices along one axis are taken from, or added into, given positions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kernels.array import Array


def take_slices(x: Array, axis: int, positions: Sequence[int]) -> Array:
    """Return y with y[..., o, ...] = x[..., positions[o], ...] along `axis`."""
    return x.take(np.asarray(positions, np.int64), axis)


def add_slices(values: Array, axis: int, positions: Sequence[int], length: int) -> Array:
    """Return the transposed map: sums[..., i, ...] adds the values[..., o, ...] with positions[o] = i.

    A gather: the slices that share a position are brought together, in the order of o, and reduced; so the
    result is the same on every run. Positions that no slice names are zero.
    """
    order = np.argsort(positions, kind="stable")
    found, starts = np.unique(np.asarray(positions)[order], return_index=True)
    sums = np.zeros((*values.shape[:axis], length, *values.shape[axis + 1 :]), values.dtype)
    np.moveaxis(sums, axis, 0)[found] = np.moveaxis(
        np.add.reduceat(values.take(order, axis), starts, axis), axis, 0
    )
    return sums
