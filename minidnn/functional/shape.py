"""Joining, splitting, choosing and reshaping as functions; the methods of the same names say more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kernels.array import check_integer, shown
from kernels.operands import normalize_axis
from minidnn.operators.arithmetic import Where
from minidnn.operators.shape import Concat
from minidnn.tensor import Tensor, apply, as_tensor
from minidnn.tensor_methods import common_dtype, converted, meet


def cat(tensors: Sequence[Any], dim: int = 0) -> Tensor:
    """Return the tensors one after the other along dim.

        y[..., o_k + i, ...] = x_k[..., i, ...],   o_k = L_0 + ... + L_(k-1)

    Shapes: tensors[k] (..., L_k, ...), equal but along dim; result (..., sum L_k, ...). Empty vectors (0,)
        are left out beside tensors of other shapes, as in PyTorch.
    Dtypes: integers and bool follow a floating tensor's.

    Raises:
        ValueError: no tensors, scalars, shapes that differ elsewhere, or dim out of range.
        TypeError: different floating dtypes.
    """
    members = _one_dtype(tensors)
    filled = [member for member in members if member.shape != (0,)] or members[:1]
    first = filled[0].shape
    if not first:
        raise ValueError(f"tensors must have at least 1 dimension, got shape {first}")
    axis = normalize_axis("dim", check_integer("dim", dim), len(first))
    for k, member in enumerate(members):
        if member.shape != (0,) and _without(member.shape, axis) != _without(first, axis):
            raise ValueError(
                f"tensors[{k}] has shape {member.shape} but another has {first}; "
                f"they may differ along dim {axis} only"
            )
    return apply(Concat(axis), *filled)


def stack(tensors: Sequence[Any], dim: int = 0) -> Tensor:
    """Return tensors of one shape stacked along a new axis at dim.

    Raises:
        ValueError: no tensors, shapes that differ, or dim out of range.
        TypeError: different floating dtypes.
    """
    members = _one_dtype(tensors)
    for k, member in enumerate(members):
        if member.shape != members[0].shape:
            raise ValueError(f"tensors[{k}] has shape {member.shape} but tensors[0] has {members[0].shape}")
    axis = normalize_axis("dim", check_integer("dim", dim), members[0].ndim + 1)
    return apply(Concat(axis), *[member.unsqueeze(axis) for member in members])


def _one_dtype(tensors: Sequence[Any]) -> list[Tensor]:
    """The tensors, integers and bool brought to the common dtype."""
    if not isinstance(tensors, list | tuple):
        raise TypeError(f"tensors must be a list or tuple of tensors, got {shown(tensors)}")
    members = [as_tensor(value, name=f"tensors[{k}]") for k, value in enumerate(tensors)]
    if not members:
        raise ValueError("tensors must hold at least one tensor, got none")
    dtype = members[0].dtype
    for member in members[1:]:
        dtype = common_dtype(dtype, member.dtype)
    return [as_tensor(converted(member, dtype)) for member in members]


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """A shape but for one of its axes, counted: shapes of different ranks stay different."""
    return (len(shape), *shape[:axis], *shape[axis + 1 :])


def split(x: Any, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Return x's parts along dim, as views: of one size (the last may be shorter), or of the given sizes.

    Raises:
        ValueError: sizes that do not sum up to the length, a size below 1, or dim out of range.
    """
    return as_tensor(x).split(split_size_or_sections, dim)


def chunk(x: Any, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Return at most `chunks` parts of equal length along dim, as views (the last may be shorter).

    Raises:
        ValueError: chunks below 1, or dim out of range.
    """
    return as_tensor(x).chunk(chunks, dim)


def where(condition: Any, x: Any, other: Any) -> Tensor:
    """Return x where the condition holds, else other; all three broadcast.

    Dtypes: condition bool; numbers follow a tensor's dtype, integers and bool a floating tensor's.

    Raises:
        ValueError: shapes that do not broadcast.
        TypeError: a condition that is not bool, or different floating dtypes.
    """
    first = x if isinstance(x, Tensor) or isinstance(other, Tensor) else as_tensor(x)
    return apply(Where(), condition, *meet(first, other))


def clamp(x: Any, min: float | None = None, max: float | None = None) -> Tensor:
    """Return min(max(x, min), max); None leaves a side open. dx = dy inside the bounds, else 0.

    Raises:
        ValueError: both bounds are None.
        TypeError: a bound that is not a real number.
    """
    return as_tensor(x).clamp(min, max)


def clip(x: Any, min: float | None = None, max: float | None = None) -> Tensor:
    """Return `clamp(x, min, max)`."""
    return clamp(x, min, max)


def flatten(x: Any, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Return x with the axes start_dim to end_dim (both included) made one, a view where possible.

    Raises:
        ValueError: an axis out of range, or start_dim after end_dim.
    """
    return as_tensor(x).flatten(start_dim, end_dim)


def matmul(x: Any, other: Any) -> Tensor:
    """Return the matrix product: y[..., m, n] = sum_k x[..., m, k] other[..., k, n].

    A vector x counts as one row, a vector other as one column (that axis is left out of the result); the
    leading axes of stacks broadcast.

    Raises:
        ValueError: scalars, inner lengths that differ, or leading axes that do not broadcast.
        TypeError: bool, or different floating dtypes.
    """
    return as_tensor(x).matmul(other)


def maximum(x: Any, other: Any) -> Tensor:
    """Return the larger of x and other, element by element; equals share the gradient.

    Raises:
        ValueError: shapes that do not broadcast.
        TypeError: different floating dtypes.
    """
    return as_tensor(x).maximum(other)


def minimum(x: Any, other: Any) -> Tensor:
    """Return the smaller of x and other, element by element; equals share the gradient.

    Raises:
        ValueError: shapes that do not broadcast.
        TypeError: different floating dtypes.
    """
    return as_tensor(x).minimum(other)
