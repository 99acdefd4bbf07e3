"""Tensor: an array that remembers how it was computed, and `apply`, where every operation becomes one."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any, Self, cast

import numpy as np
import numpy.typing as npt

from kernels.array import Array, shown
from kernels.elementwise import add
from minidnn import autograd
from minidnn.autograd import AccumulateGrad, Edge, Function, VersionCounter
from minidnn.tensor_methods import TensorMethods

_DEFAULT_DTYPES: dict[str, np.dtype[Any]] = {
    "f": np.dtype(np.float32),
    "i": np.dtype(np.int64),
    "b": np.dtype(np.bool_),
}


class Tensor(TensorMethods):
    """An n-dimensional array with a gradient, PyTorch's names and semantics.

    Args:
        array: a NumPy array, whose memory is shared, or numbers and nested lists of them (floats become
            float32, integers int64, booleans bool).
        requires_grad: whether `backward` shall collect a gradient here (floating dtypes only).

    Attributes:
        data: the array itself.
        grad: the gradient collected so far, a Tensor, or None.
        requires_grad: whether this tensor is differentiated.
        grad_fn: the Function that computed it, or None for a leaf.

    Raises:
        TypeError: values that are not numbers, or a gradient wanted for integers.
    """

    # NumPy hands `array + tensor` to Tensor.__radd__ instead of looping over the elements.
    __array_ufunc__ = None

    grad: Tensor | None

    def __init__(self, array: Any, requires_grad: bool = False) -> None:
        self._array = _as_array(array)
        self.grad = None
        self._requires_grad = False
        self._edge: Edge | None = None
        self._accumulator: AccumulateGrad | None = None
        self._counter = VersionCounter()
        self._view_version: int | None = None
        if requires_grad:
            self.requires_grad = True

    # ---- what it is ----------------------------------------------------------------------------

    @property
    def data(self) -> Array:
        """The array, sharing memory. Assigning another one of the same shape counts as an in-place change."""
        return self._array

    @data.setter
    def data(self, array: Any) -> None:
        replacement = _as_array(array.data if isinstance(array, Tensor) else array)
        if replacement.shape != self.shape:
            raise ValueError(f"data must have shape {self.shape}, got {replacement.shape}")
        self._array = replacement
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
        return None if self._edge is None else self._edge.function

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
        if gradient is None:
            if self._array.size != 1:
                raise ValueError(
                    f"gradient may be left out for one element only; this tensor has shape {self.shape}"
                )
            upstream = np.ones_like(self._array)
        else:
            upstream = as_tensor(gradient)._array
            if upstream.shape != self.shape:
                raise ValueError(f"gradient must have shape {self.shape}, got {upstream.shape}")
            if upstream.dtype != self.dtype:
                raise TypeError(f"gradient must have dtype {self.dtype}, got {upstream.dtype}")
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
                tensor._accumulate(gradient)

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
            with autograd.no_grad():
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
        if self._accumulator is None:
            this = weakref.ref(self)

            def accumulate(gradient: Array) -> None:
                tensor = this()
                if tensor is not None:
                    tensor._accumulate(gradient)

            self._accumulator = AccumulateGrad(accumulate, self.shape)
        return Edge(self._accumulator, 0)

    def _accumulate(self, gradient: Array) -> None:
        if self.grad is None:
            # The same array may have been handed to another tensor too: each owns its gradient.
            self.grad = Tensor(gradient.copy())
        else:
            self.grad._array = add(self.grad._array, gradient)

    # ---- changes in place ----------------------------------------------------------------------

    def mark_changed(self) -> None:
        """Say that the memory was changed in place: a backward that needs the old values will raise."""
        self._counter.value += 1

    def _assign_(self, result: Tensor) -> Self:
        """Make this tensor hold `result`'s values in its own memory, and take over its history.

        Raises:
            ValueError: a leaf that requires grad, a view of a differentiated tensor, or another shape.
        """
        if result.shape != self.shape:
            raise ValueError(f"an in-place result must keep shape {self.shape}, it has {result.shape}")
        if result.dtype != self.dtype:
            raise TypeError(f"an in-place result must keep dtype {self.dtype}, it has {result.dtype}")
        recorded = autograd.is_grad_enabled() and (self._requires_grad or result._requires_grad)
        if recorded and self.is_leaf and self._requires_grad:
            raise ValueError("a leaf that requires grad cannot be changed in place; use no_grad()")
        if recorded and self._view_version is not None:
            raise ValueError(
                "a view cannot be changed in place while gradients are recorded; assign to its base: "
                "base[index] = value"
            )
        self._array[...] = result._array
        self.mark_changed()
        if recorded:
            moves = self._forget_retained()
            self._requires_grad = True
            self._edge = result._edge
            self._counter.rewritten = True
            if moves:  # `grad` is to be that of the new value
                self.retain_grad()
        return self

    def _forget_retained(self) -> bool:
        """Undo `retain_grad`; return whether it was in force."""
        if self._edge is None or self._edge.function.retained is None:
            return False
        return self._edge.function.retained.pop(self._edge.output, None) is not None

    # ---- what the inherited methods are made of ---------------------------------------------------

    def _apply(self, function: Function, *inputs: Any) -> Self:
        return cast("Self", apply(function, *inputs))

    def _apply_many(self, function: Function, *inputs: Any) -> tuple[Self, ...]:
        return cast("tuple[Self, ...]", apply_many(function, *inputs))

    def _plain(self, array: Array) -> Self:
        return cast("Self", _wrap(array))

    # ---- interchange ---------------------------------------------------------------------------

    def numpy(self) -> Array:
        """Return the array, sharing memory; read-only when this tensor requires grad.

        A write through an alias cannot be noticed by `backward`, so it is not allowed where it would
        matter: use `detach().numpy()` for a writable alias at your own risk.
        """
        if not self._requires_grad:
            return self._array
        view = self._array.view()
        view.flags.writeable = False
        return view

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __dlpack__(self, **options: Any) -> Any:
        if self._requires_grad:
            raise ValueError("a tensor that requires grad cannot be exported by DLPack; use detach()")
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._array.__dlpack_device__()

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if self._edge is not None:
            raise ValueError("only leaf tensors can be deep-copied; use detach() or clone()")
        copied = type(self).__new__(type(self))
        Tensor.__init__(copied, self._array.copy(), self._requires_grad)
        copied.grad = None if self.grad is None else Tensor(self.grad._array.copy())
        memo[id(self)] = copied
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        if self._edge is not None:
            raise ValueError("only leaf tensors can be pickled; use detach()")
        return _restore, (type(self), self._array, self._requires_grad)

    def __repr__(self) -> str:
        return describe(self, "tensor")

    __hash__ = object.__hash__


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
    tensors = [value if value is None or isinstance(value, Tensor) else as_tensor(value) for value in inputs]
    recorded = False
    if autograd.is_grad_enabled():
        function.needs = tuple(tensor is not None and tensor._requires_grad for tensor in tensors)
        recorded = any(function.needs)
    else:
        function.needs = (False,) * len(tensors)
    result = function.forward(*[None if tensor is None else tensor._array for tensor in tensors])
    arrays = result if isinstance(result, tuple) else (result,)
    outputs = [_wrap(array) for array in arrays]
    if function.is_view:
        for output, base in zip(outputs, tensors, strict=False):
            _share_version(output, base)
    if recorded:
        _record(function, tensors, outputs)
    if autograd.anomaly_enabled():
        given = [None if tensor is None else tensor._array for tensor in tensors]
        for output in outputs:
            autograd.check_anomaly(function, output._array, "its output", "input", given)
    return outputs


def _record(function: Function, tensors: Sequence[Tensor | None], outputs: Sequence[Tensor]) -> None:
    """Put the Function into the graph between its inputs and its outputs."""
    for tensor in tensors:
        if tensor is not None and tensor._view_version is not None:
            _check_view(tensor)
    edges = tuple(
        tensor._gradient_edge() if tensor is not None and needed else None
        for tensor, needed in zip(tensors, function.needs, strict=True)
    )
    function.enter_graph(edges, tuple(output._array.shape for output in outputs))
    for position, output in enumerate(outputs):
        if output._array.dtype.kind in "fc":
            output._requires_grad = True
            output._edge = Edge(function, position)
    if function.saved:
        function.guards = tuple(
            (tensor._counter, tensor._counter.value)
            for tensor in (*tensors, *outputs)
            if tensor is not None and any(tensor._array is array for array in function.saved)
        )


def _check_view(view: Tensor) -> None:
    """Raise if the memory was rewritten after `view` was taken: its history would be that of old values."""
    counter = view._counter
    if view._view_version != counter.value and (counter.rewritten or not view.is_leaf):
        raise ValueError(
            "this view was taken before its base was changed in place; take the view again after the change"
        )


def _share_version(view: Tensor, base: Tensor | None) -> None:
    if base is not None and np.may_share_memory(view._array, base._array):
        view._counter = base._counter
        view._view_version = base._counter.value


def _wrap(array: Array) -> Tensor:
    """A new tensor around an array that is known to be one (skips the constructor's conversions)."""
    tensor = Tensor.__new__(Tensor)
    tensor._array = array
    tensor.grad = None
    tensor._requires_grad = False
    tensor._edge = None
    tensor._accumulator = None
    tensor._counter = VersionCounter()
    tensor._view_version = None
    return tensor


def as_tensor(value: Any, dtype: npt.DTypeLike | None = None, name: str = "x") -> Tensor:
    """Return `value` as a Tensor: tensors unchanged, arrays wrapped without a copy, numbers converted.

    `name` is the argument that a message names.

    Raises:
        TypeError: values that are not numbers.
    """
    if isinstance(value, Tensor) and (dtype is None or value.dtype == dtype):
        return value
    array = value._array if isinstance(value, Tensor) else _as_array(value, name)
    return _wrap(array if dtype is None else array.astype(dtype, copy=False))


def tensor(value: Any, dtype: npt.DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """Return a new leaf holding a copy of `value` (numbers, nested lists, an array or a Tensor).

    Floats become float32, integers int64 and booleans bool; arrays keep their dtype unless `dtype` is given.

    Raises:
        TypeError: values that are not numbers, or a gradient wanted for integers.
    """
    array = value._array if isinstance(value, Tensor) else _as_array(value, "value")
    return Tensor(np.array(array, dtype=dtype, copy=True), requires_grad)


def from_numpy(array: Array) -> Tensor:
    """Return a tensor that shares the array's memory (TypeError for anything but an array)."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"array must be a NumPy array, got {type(array).__name__}")
    return Tensor(array)


def from_dlpack(source: Any) -> Tensor:
    """Return a tensor that shares memory with any object that speaks DLPack, such as a PyTorch tensor."""
    return Tensor(np.from_dlpack(source))


def _as_array(value: Any, name: str = "array") -> Array:
    """Return an array for numbers, nested lists, arrays and tensors; Python floats become float32."""
    if isinstance(value, np.ndarray):
        array = value
    elif isinstance(value, Tensor):
        array = value._array
    elif isinstance(value, np.generic) or hasattr(value, "__array__"):
        array = np.asarray(value)
    else:
        try:
            array = np.array([item.tolist() for item in value] if _holds_tensors(value) else value)
        except (ValueError, AttributeError):
            raise ValueError(
                f"{name} must hold numbers, in rows of one length if nested, got {shown(value)}"
            ) from None
        with np.errstate(over="ignore"):  # a number beyond float32 is infinite there
            array = np.asarray(array, dtype=_DEFAULT_DTYPES.get(array.dtype.kind))
    if array.dtype.kind not in "fiubc":
        raise TypeError(f"{name} must hold numbers, got {shown(value)} of dtype {array.dtype}")
    return array


def _holds_tensors(value: Any) -> bool:
    return isinstance(value, list | tuple) and any(isinstance(item, Tensor) for item in value)


def _restore(kind: type[Tensor], array: Array, requires_grad: bool) -> Tensor:
    restored = kind.__new__(kind)
    Tensor.__init__(restored, array, requires_grad)
    return restored


def describe(value: Tensor, prefix: str) -> str:
    """`tensor([[1., 2.]], dtype=float64, grad_fn=<Add>)`: what is not the default is said."""
    start = f"{prefix}("
    body = np.array2string(
        value._array, separator=", ", prefix=start, precision=4, suppress_small=False, threshold=1000
    )
    notes = [body]
    if value._array.size == 0 and value.shape != (0,):
        notes.append(f"size={value.shape}")
    if value.dtype not in _DEFAULT_DTYPES.values():
        notes.append(f"dtype={value.dtype}")
    if value.grad_fn is not None:
        notes.append(f"grad_fn={value.grad_fn!r}")
    elif value.requires_grad:
        notes.append("requires_grad=True")
    return start + ", ".join(notes) + ")"
