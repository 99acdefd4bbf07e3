"""Tensor: an array that remembers how it was computed, and `apply`, where every operation becomes one."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from kernels.array import Array
from kernels.creation import constant
from kernels.device import device_of, shares_memory
from kernels.elementwise import add, cast
from minidnn import autograd
from minidnn.anomaly import calling_line, check_anomaly
from minidnn.autograd import AccumulateGrad, Edge, Function, VersionCounter, next_number
from minidnn.modes import MODES, no_grad
from minidnn.tensor_methods import TensorMethods, as_array


class Tensor(TensorMethods):
    """An n-dimensional array with a gradient, PyTorch's names and semantics.

    Args:
        array: an array of NumPy or of a device (CuPy's, the emulator's), whose memory is shared, or numbers
            and nested lists of them (floats become float32, integers int64, booleans bool).
        requires_grad: whether `backward` shall collect a gradient here (floating dtypes only).

    Attributes:
        data: the array itself, in the memory of `device`.
        grad: the gradient collected so far, a Tensor, or None.
        requires_grad: whether this tensor is differentiated.
        grad_fn: the Function that computed it, or None for a leaf.

    Raises:
        TypeError: values that are not numbers, or a gradient wanted for integers.
    """

    # Defaults for the common case, so that a tensor costs no more attributes than it uses.
    grad: Tensor | None = None
    _requires_grad: bool = False
    _edge: Edge | None = None  # for a computed tensor: the Function that computed it
    _leaf_edge: Edge | None = None  # for a leaf: its own node, made when it is first needed
    _view_version: int | None = None

    def __init__(self, array: Any, requires_grad: bool = False) -> None:
        self._set(as_array(array), requires_grad)

    def _set(self, array: Array, requires_grad: bool) -> None:
        self._array = array
        self._counter = VersionCounter()
        if requires_grad:
            self.requires_grad = True

    # ---- what it is ----------------------------------------------------------------------------

    @property
    def data(self) -> Array:
        """The array, sharing memory. Assigning another one of the same shape counts as an in-place change."""
        return self._hand_out()

    @data.setter
    def data(self, array: Any) -> None:
        replacement = as_array(array.data if isinstance(array, Tensor) else array)
        if replacement.shape != self.shape:
            raise ValueError(f"data must have shape {self.shape}, got {replacement.shape}")
        self._array = replacement
        self._counter.handed_out = True
        self.mark_changed()

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes along the axes."""
        return self._array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The elements' type, a NumPy dtype."""
        return self._array.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._array.ndim

    @property
    def grad_fn(self) -> Function | None:
        """The Function that computed this tensor, or None for a leaf."""
        return None if self._edge is None else self._edge[0]

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation computed it."""
        return self._edge is None

    @property
    def requires_grad(self) -> bool:
        """Whether operations on this tensor are recorded and `backward` reaches it."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if self._edge is not None and not value:
            raise ValueError("requires_grad of a computed tensor cannot be set to False; use detach()")
        if value and self.dtype.kind not in "fc":
            raise TypeError(f"only floating tensors can require gradients, this one is {self.dtype}")
        self._requires_grad = bool(value)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set `requires_grad` in place and return self."""
        self.requires_grad = requires_grad
        return self

    # ---- differentiation -----------------------------------------------------------------------

    def backward(self, gradient: Any = None, retain_graph: bool = False) -> None:
        """Add dL/dleaf to the `grad` of every leaf this tensor depends on, L = sum(gradient * self).

        Args:
            gradient: the upstream gradient, of this tensor's shape; may be left out for one element (1).
            retain_graph: keep the graph for another backward; otherwise it is freed on the way.

        Raises:
            ValueError: nothing to differentiate, a missing or misshapen gradient, a freed graph, or an
                array that was changed in place although backward needs it.
        """
        if not self._requires_grad:
            raise ValueError("backward needs a tensor that requires grad; this one does not depend on any")
        array = self._array
        if gradient is None:
            if array.size != 1:
                raise ValueError(
                    f"gradient may be left out for one element only; this tensor has shape {array.shape}"
                )
            upstream = constant(1, array.dtype, array)
            upstream = upstream.reshape(array.shape) if array.ndim else upstream
        else:
            upstream = as_tensor(gradient)._array
            if upstream.shape != array.shape:
                raise ValueError(f"gradient must have shape {array.shape}, got {upstream.shape}")
            if upstream.dtype != array.dtype:
                raise TypeError(f"gradient must have dtype {array.dtype}, got {upstream.dtype}")
            if type(upstream) is not type(array):
                raise ValueError(f"gradient must lie on {device_of(array)}, got one on {device_of(upstream)}")
        autograd.backward([(self._gradient_edge(), upstream)], retain_graph)

    def detach(self) -> Tensor:
        """Return a tensor that shares memory and version but no history."""
        detached = Tensor(self._array)
        detached._counter = self._counter
        return detached

    def retain_grad(self) -> None:
        """Keep the gradient of this computed tensor in `grad` too (leaves do so anyway)."""
        if not self._requires_grad:
            raise ValueError("retain_grad needs a tensor that requires grad")
        if self._edge is None:
            return
        function, output = self._edge
        this = weakref.ref(self)  # the graph must not keep the tensor alive

        def keep(gradient: Array) -> None:
            tensor = this()
            if tensor is not None:
                tensor._accumulate(gradient, is_new=False)

        function.retained = {**(function.retained or {}), output: keep}

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> HookHandle:
        """Call `hook(gradient)` when this tensor's gradient is known; a returned Tensor replaces it.

        Returns:
            A handle whose `remove()` takes the hook away.
        """
        if not self._requires_grad:
            raise ValueError("register_hook needs a tensor that requires grad")
        function, output = self._gradient_edge()

        def run(gradient: Array) -> Array:
            with no_grad():
                replacement = hook(Tensor(gradient))
            return gradient if replacement is None else replacement._array

        if function.hooks is None:
            function.hooks = {}
        hooks = function.hooks.setdefault(output, [])
        hooks.append(run)
        return HookHandle(lambda: hooks.remove(run) if run in hooks else None)

    def _gradient_edge(self) -> Edge:
        """Where a gradient of this tensor is sent: the Function that computed it, or the leaf's own node."""
        if self._edge is not None:
            return self._edge
        if self._leaf_edge is None:
            self._leaf_edge = AccumulateGrad(weakref.ref(self), self.shape), 0
        return self._leaf_edge

    def _accumulate(self, gradient: Array, is_new: bool) -> None:
        if self.grad is not None:
            self.grad._array = add(self.grad._array, gradient)
        elif is_new and gradient.flags.c_contiguous:
            self.grad = _wrap(gradient)
        else:  # somebody else may hold the array, but each tensor owns its gradient
            self.grad = _wrap(gradient.copy())

    # ---- changes in place ----------------------------------------------------------------------

    def mark_changed(self) -> None:
        """Say that the memory was changed in place: a backward that needs the old values will raise."""
        self._counter.value += 1

    # ---- what the inherited methods are made of ---------------------------------------------------

    def _apply(self, function: Function, *inputs: Any) -> Self:
        return _apply(function, inputs)[0]  # type: ignore[return-value]

    # For operands that come as a tuple: to unpack them into arguments and to pack those again takes 0.3 us.
    def _apply_to(self, function: Function, inputs: Sequence[Any]) -> Self:
        return _apply(function, inputs)[0]  # type: ignore[return-value]

    def _apply_many(self, function: Function, *inputs: Any) -> tuple[Self, ...]:
        return tuple(_apply(function, inputs))  # type: ignore[arg-type]

    def _plain(self, array: Array) -> Self:
        return _wrap(array)  # type: ignore[return-value]


class HookHandle:
    """What `register_hook` returns: `remove()` takes the hook away; also a context manager."""

    def __init__(self, remove: Callable[[], Any]) -> None:
        self._remove = remove

    def remove(self) -> None:
        """Take the hook away (once is enough)."""
        self._remove()

    def __enter__(self) -> HookHandle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


def apply(function: Function, *inputs: Any) -> Tensor:
    """Run a Function with one output on tensors, arrays or None, and record it where gradients are wanted."""
    return _apply(function, inputs)[0]


def apply_many(function: Function, *inputs: Any) -> tuple[Tensor, ...]:
    """Run a Function whose forward returns a tuple; see `apply`."""
    return tuple(_apply(function, inputs))


def _apply(function: Function, inputs: Sequence[Any]) -> list[Tensor]:
    modes = MODES.get()
    recording, observer = modes.recording, modes.observer
    tensors: list[Tensor | None] = []
    arrays: list[Array | None] = []
    needs: list[bool] = []
    for value in inputs:
        if value is None:
            tensors.append(None)
            arrays.append(None)
            needs.append(False)
        else:
            tensor = value if isinstance(value, Tensor) else as_tensor(value)
            tensors.append(tensor)
            arrays.append(tensor._array)
            needs.append(recording and tensor._requires_grad)
    function.needs = tuple(needs)
    result = function.forward(*arrays) if observer is None else observer.run(function, arrays)
    outputs = [_wrap(array) for array in result] if isinstance(result, tuple) else [_wrap(result)]
    if function.is_view:
        for output, base in zip(outputs, tensors, strict=False):
            _share_version(output, base)
    if True in needs:
        _record(function, tensors, outputs)
    if modes.anomaly:
        function.created_at = calling_line() if True in needs else None
        for output in outputs:
            check_anomaly(function.name, function.created_at, output._array, "its output", "input", arrays)
    return outputs


def _record(function: Function, tensors: Sequence[Tensor | None], outputs: Sequence[Tensor]) -> None:
    """Put the Function into the graph between its inputs and its outputs."""
    edges: list[Edge | None] = []
    for tensor in tensors:
        if tensor is None:
            edges.append(None)
            continue
        if tensor._view_version is not None:
            _check_view(tensor)
        edges.append(tensor._gradient_edge() if tensor._requires_grad else None)
    shapes: list[tuple[int, ...]] = []
    for position, output in enumerate(outputs):
        array = output._array
        shapes.append(array.shape)
        if array.dtype.kind in "fc":
            output._requires_grad = True
            output._edge = function, position
    function.number, function.edges, function.shapes = next_number(), edges, shapes
    if function.saved:
        saved = [id(array) for array in function.saved]
        function.guards = tuple(
            [
                (tensor._counter, tensor._counter.value)
                for tensor in (*tensors, *outputs)
                if tensor is not None and id(tensor._array) in saved
            ]
        )


def _check_view(view: Tensor) -> None:
    """Raise if the memory was rewritten after `view` was taken: its history would be that of old values."""
    counter = view._counter
    if view._view_version != counter.value and (counter.rewritten or not view.is_leaf):
        raise ValueError(
            "this view was taken before its base was changed in place; take the view again after the change"
        )


def _share_version(view: Tensor, base: Tensor | None) -> None:
    if base is not None and shares_memory(view._array, base._array):
        view._counter = base._counter
        view._view_version = base._counter.value


def _wrap(array: Array) -> Tensor:
    """A new tensor around an array that is known to be one (skips the constructor's conversions)."""
    tensor = Tensor.__new__(Tensor)
    tensor._array = array
    tensor._counter = VersionCounter()
    return tensor


def as_tensor(value: Any, dtype: npt.DTypeLike | None = None, name: str = "x") -> Tensor:
    """Return `value` as a Tensor: tensors unchanged, arrays wrapped without a copy, numbers converted.

    `name` is the argument that a message names.

    Raises:
        TypeError: values that are not numbers.
    """
    if isinstance(value, Tensor) and (dtype is None or value.dtype == dtype):
        return value
    array = value._array if isinstance(value, Tensor) else as_array(value, name)
    return _wrap(array if dtype is None or array.dtype == dtype else cast(array, dtype))
