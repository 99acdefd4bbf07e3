"""What the rooms of Tensor's methods share: the members that Tensor itself brings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from kernels.array import Array, check_integer
from kernels.operands import normalize_axis
from minidnn.autograd import Edge, Function, VersionCounter
from minidnn.operators import indexing as places

Dim: TypeAlias = int | tuple[int, ...] | None


class TensorBase:
    """Memory and history as the methods see them; `minidnn.tensor.Tensor` provides them."""

    if TYPE_CHECKING:  # what Tensor brings; mark_changed says that the memory was written
        grad: Any
        _array: Array
        _requires_grad: bool
        _edge: Edge | None
        _counter: VersionCounter
        _view_version: int | None

        def _apply(self, function: Function, *inputs: Any) -> Self: ...
        def _apply_to(self, function: Function, inputs: Sequence[Any]) -> Self: ...
        def _apply_many(self, function: Function, *inputs: Any) -> tuple[Self, ...]: ...
        def _plain(self, array: Array) -> Self: ...
        def _assign_(self, result: Any) -> Self: ...
        def _set(self, array: Array, requires_grad: bool) -> None: ...
        def mark_changed(self) -> None: ...  # noqa: D102
        def retain_grad(self) -> None: ...  # noqa: D102

    def _hand_out(self) -> Array:
        """The array, for somebody who may keep it and write into it."""
        array = self._array  # held before it is said, so that whoever looks for holders finds one of the two
        if not self._counter.handed_out:
            self._counter.handed_out = True
        return array

    def _axis(self, name: str, dim: int) -> int:
        return normalize_axis(name, check_integer(name, dim), self._array.ndim)

    def _slice(self, axis: int, part: Any) -> Self:
        return self._apply(places.Slice(((slice(None),) * axis) + (part,)), self)
