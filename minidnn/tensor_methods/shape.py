"""Other shapes of the same elements: views where nothing else is said."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Self

from kernels import reduction
from kernels.array import check_integer, shown
from kernels.operands import normalize_axis
from minidnn.operators import shape as shapes
from minidnn.tensor_methods.base import Dim
from minidnn.tensor_methods.conversion import Conversion
from minidnn.tensor_methods.reading import as_array


class Shape(Conversion):
    """Tensor's changes of shape."""

    def reshape(self, *shape: Any) -> Self:
        """Return the elements in another shape (one length may be -1); a copy if the layout demands one."""
        return self._apply(shapes.Reshape(_sizes(shape)), self)

    def view(self, *shape: Any) -> Self:
        """Return the elements in another shape, sharing memory (ValueError if the layout forbids it)."""
        return self._apply(shapes.Reshape(_sizes(shape), copy=False), self)

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Self:
        """Return the tensor with the axes start_dim to end_dim (both included) made one."""
        start, end = self._axis("start_dim", start_dim), self._axis("end_dim", end_dim)
        if self._array.ndim == 0:
            return self.reshape(1)
        if start > end:
            raise ValueError(f"start_dim must not come after end_dim, got {start_dim} and {end_dim}")
        lengths = self._array.shape
        return self.reshape(*lengths[:start], math.prod(lengths[start : end + 1]), *lengths[end + 1 :])

    def unflatten(self, dim: int, sizes: Sequence[int]) -> Self:
        """Return the tensor with one axis made several of the given sizes (one may be -1)."""
        if not isinstance(sizes, Sequence) or not self._array.ndim:
            raise ValueError(
                f"sizes must be several lengths for one axis of x, got {shown(sizes)} for {self._array.shape}"
            )
        axis, lengths = self._axis("dim", dim), self._array.shape
        known = [check_integer("sizes", size, minimum=-1) for size in sizes]
        if known.count(-1) == 1:
            rest = math.prod(size for size in known if size != -1)
            known[known.index(-1)] = lengths[axis] // rest if rest else 0
        if math.prod(known) != lengths[axis] or min(known, default=0) < 0:
            raise ValueError(f"sizes {tuple(sizes)} do not multiply to axis {axis}'s length {lengths[axis]}")
        return self.reshape(*lengths[:axis], *known, *lengths[axis + 1 :])

    def squeeze(self, dim: Dim = None) -> Self:
        """Return the tensor without its axes of length 1 (all of them, or those named in dim)."""
        lengths = self._array.shape
        axes = reduction.normalize_axes(dim, len(lengths))
        return self.reshape([n for i, n in enumerate(lengths) if i not in axes or n != 1])

    def unsqueeze(self, dim: int) -> Self:
        """Return the tensor with a new axis of length 1 at dim."""
        axis = normalize_axis("dim", check_integer("dim", dim), self._array.ndim + 1)
        return self.reshape(*self._array.shape[:axis], 1, *self._array.shape[axis:])

    def transpose(self, dim0: int, dim1: int) -> Self:
        """Return the tensor with two axes swapped."""
        order = list(range(self._array.ndim))
        first, second = self._axis("dim0", dim0), self._axis("dim1", dim1)
        if order:
            order[first], order[second] = order[second], order[first]
        return self._apply(shapes.Permute(order), self)

    def permute(self, *dims: Any) -> Self:
        """Return the tensor with its axes in the order dims, which names each once."""
        order = [self._axis("dims", dim) for dim in _sizes(dims)]
        if sorted(order) != list(range(self._array.ndim)):
            raise ValueError(f"dims must name each of {self._array.ndim} axes once, got {_sizes(dims)}")
        return self._apply(shapes.Permute(order), self)

    @property
    def T(self) -> Self:  # noqa: N802 - PyTorch's name
        """The transposed matrix (a vector or scalar unchanged)."""
        if self._array.ndim > 2:
            raise ValueError(
                f"T needs at most 2 dimensions, got shape {self._array.shape}; use mT or permute"
            )
        return self._apply(shapes.Permute(range(self._array.ndim)[::-1]), self)

    @property
    def mT(self) -> Self:  # noqa: N802 - PyTorch's name
        """The stack of transposed matrices: the last two axes swapped."""
        if self._array.ndim < 2:
            raise ValueError(f"mT needs at least 2 dimensions, got shape {self._array.shape}")
        return self.transpose(-2, -1)

    def expand(self, *sizes: Any) -> Self:
        """Return the tensor stretched to sizes along axes of length 1, without a copy; -1 keeps a length."""
        wanted = _sizes(sizes)
        offset = len(wanted) - self._array.ndim
        lengths = [
            self._array.shape[i - offset] if size == -1 and i >= offset >= 0 else size
            for i, size in enumerate(wanted)
        ]
        return self._apply(shapes.Expand(lengths), self)

    def expand_as(self, other: Any) -> Self:
        """Return the tensor stretched to other's shape."""
        return self.expand(*as_array(other, "other").shape)

    def broadcast_to(self, *shape: Any) -> Self:
        """Return the tensor stretched to shape."""
        return self.expand(*shape)

    def repeat(self, *sizes: Any) -> Self:
        """Return the tensor repeated sizes[i] times along axis i, in new memory."""
        times = [check_integer("sizes", size, minimum=0) for size in _sizes(sizes)]
        if len(times) < self._array.ndim:
            raise ValueError(f"sizes must name all {self._array.ndim} axes, got {tuple(times)}")
        lengths = (1,) * (len(times) - self._array.ndim) + self._array.shape
        pairs = [n for length in lengths for n in (1, length)]  # (1, L0, 1, L1, ...)
        stretched = [n for time, length in zip(times, lengths, strict=True) for n in (time, length)]
        result = self.reshape(pairs).expand(stretched)
        return result.reshape([a * b for a, b in zip(times, lengths, strict=True)]).clone()

    def narrow(self, dim: int, start: int, length: int) -> Self:
        """Return elements start to start + length (excluded) along dim."""
        axis = self._axis("dim", dim)
        size = self._array.shape[axis] if self._array.ndim else 0
        first = check_integer("start", start)
        first += size if first < 0 else 0
        if not 0 <= first <= first + check_integer("length", length, minimum=0) <= size:
            raise ValueError(f"start {start} and length {length} leave axis {axis} of length {size}")
        return self._slice(axis, slice(first, first + length))

    def select(self, dim: int, index: int) -> Self:
        """Return the elements at one index of dim, without that axis."""
        return self._slice(self._axis("dim", dim), check_integer("index", index))

    def split(self, split_size: int | Sequence[int], dim: int = 0) -> tuple[Self, ...]:
        """Return the parts along dim: of split_size each (the last may be shorter), or of the given sizes."""
        axis = self._axis("dim", dim)
        if self._array.ndim == 0:
            raise ValueError("x must have at least 1 dimension to be split, got shape ()")
        length = self._array.shape[axis]
        if isinstance(split_size, Sequence):
            sizes = [check_integer("split_size", size, minimum=0) for size in split_size]
            if sum(sizes) != length:
                raise ValueError(
                    f"split_size must sum up to axis {axis}'s length {length}, got {tuple(sizes)}"
                )
        else:
            step = check_integer("split_size", split_size, minimum=0 if length == 0 else 1)
            sizes = [min(step, length - start) for start in range(0, length, step or 1)] or [0]
        ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
        return tuple(self._slice(axis, slice(end - size, end)) for size, end in zip(sizes, ends, strict=True))

    def chunk(self, chunks: int, dim: int = 0) -> tuple[Self, ...]:
        """Return at most `chunks` parts of equal length along dim (the last may be shorter)."""
        count = check_integer("chunks", chunks, minimum=1)
        axis = self._axis("dim", dim)
        length = self._array.shape[axis] if self._array.ndim else 0
        return self.split(-(-length // count) if length else [0] * count, dim)

    def unbind(self, dim: int = 0) -> tuple[Self, ...]:
        """Return the slices along dim, without that axis."""
        axis = self._axis("dim", dim)
        if self._array.ndim == 0:
            raise ValueError("unbind needs at least 1 dimension, got a scalar")
        return tuple(self._slice(axis, i) for i in range(self._array.shape[axis]))


def _sizes(arguments: Sequence[Any]) -> tuple[int, ...]:
    """Lengths given one by one or as one sequence."""
    if len(arguments) == 1 and isinstance(arguments[0], Sequence):
        arguments = arguments[0]
    return tuple(check_integer("shape", size) for size in arguments)
