"""A tensor outside the engine: NumPy, DLPack, copies, pickles and text."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt

from kernels.array import Array
from kernels.device import CPU, Device, device_of, to_host
from minidnn.tensor_methods.base import TensorBase
from minidnn.tensor_methods.reading import DEFAULT_DTYPES


class Interchange(TensorBase):
    """Tensor's exports."""

    # NumPy hands `array + tensor` to Tensor.__radd__ instead of looping over the elements.
    __array_ufunc__ = None

    @property
    def device(self) -> Device:
        """Where the memory lies; see `minidnn.device`."""
        return device_of(self._array)

    def numpy(self) -> Array:
        """Return the array in host memory, shared; read-only when this tensor requires grad.

        A write through an alias cannot be noticed by `backward`, so it is not allowed where it would
        matter: use `detach().numpy()` for a writable alias at your own risk.

        Raises:
            TypeError: a tensor in a device's memory.
        """
        if device_of(self._array) != CPU:
            raise TypeError(f"numpy needs a tensor in host memory, this one is on {self.device}; use cpu()")
        array = self._hand_out()
        if not self._requires_grad:
            return array
        view = array.view()
        view.flags.writeable = False
        return view

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __dlpack__(self, **options: Any) -> Any:
        if self._requires_grad:
            raise ValueError("a tensor that requires grad cannot be exported by DLPack; use detach()")
        return self._hand_out().__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._array.__dlpack_device__()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        if self._edge is not None:
            raise ValueError("only leaf tensors can be deep-copied; use detach() or clone()")
        twin: Self = _restore(type(self), self._array.copy(), self._requires_grad)
        if self.grad is not None:
            twin.grad = self._plain(self.grad._array.copy())
        memo[id(self)] = twin
        return twin

    def __reduce__(self) -> tuple[Any, ...]:
        if self._edge is not None:
            raise ValueError("only leaf tensors can be pickled; use detach()")
        # A pickle is read on machines without the device: what lay there comes back in host memory.
        return _restore, (type(self), to_host(self._hand_out()), self._requires_grad)

    def __repr__(self) -> str:
        return describe(self, "tensor")

    def _repr_html_(self) -> str:
        """What Jupyter shows."""
        from minidnn.html import tensor_html

        facts = [("device", str(self.device))] if self.device != CPU else []
        if self._edge is not None:
            facts.append(("computed by", self._edge[0].name))
        elif self._requires_grad:
            facts.append(("requires_grad", "True"))
        return tensor_html(self._array, facts, repr(self))


def _restore(kind: Any, array: Array, requires_grad: bool) -> Any:
    """A tensor or parameter; a subclass's own constructor, which may take other arguments, is not called."""
    restored = kind.__new__(kind)
    restored._set(array, requires_grad)
    return restored


def describe(value: TensorBase, prefix: str) -> str:
    """`tensor([[1., 2.]], dtype=float64, grad_fn=<Add>)`: what is not the default is said."""
    start = f"{prefix}("
    array = to_host(value._array)
    body = np.array2string(
        array, separator=", ", prefix=start, precision=4, suppress_small=False, threshold=1000
    )
    notes = [body]
    if array.size == 0 and array.shape != (0,):
        notes.append(f"size={array.shape}")
    if array.dtype not in DEFAULT_DTYPES.values():
        notes.append(f"dtype={array.dtype}")
    if (place := device_of(value._array)) != CPU:
        notes.append(f"device={str(place)!r}")
    if value._edge is not None:
        notes.append(f"grad_fn={value._edge[0]!r}")
    elif value._requires_grad:
        notes.append("requires_grad=True")
    return start + ", ".join(notes) + ")"
