"""Where arrays lie, and what is done with them whatever that is: moved, seen in another shape, overwritten.

cpu         host memory: NumPy's arrays
gpu         a GPU's memory: CuPy's arrays
emulator    the memory of the CUDA emulator, `kernels.cuda.emulator`

An array's type says where it lies. Neither CuPy nor the emulator is imported before somebody asks for it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.array import Array


@dataclass(frozen=True)
class Device:
    """A place for arrays; `find` returns it.

    Attributes:
        name: "cpu", "gpu" or "emulator".
    """

    name: str

    @property
    def module(self) -> Any:
        """What makes arrays here: `numpy`, `cupy` or `kernels.cuda.emulator`; their names are the same."""
        return importlib.import_module(_MODULES[self.name])

    @property
    def origin(self) -> Array:
        """An empty array that lies here, for operations that are told the place by an array."""
        nothing: Array = self.module.empty(0, np.float32)
        return nothing

    def __str__(self) -> str:
        return self.name


_MODULES = {"cpu": "numpy", "gpu": "cupy", "emulator": "kernels.cuda.emulator"}
CPU, GPU, EMULATOR = map(Device, _MODULES)
# Where arrays of a type lie, NumPy's left out: as long as it is empty all arrays are NumPy's.
DEVICE_TYPES: dict[type, Device] = {}


def declare_array_type(array_type: type, device: Device) -> None:
    """From now on arrays of this type lie there, and versions of the gpu backend take them."""
    DEVICE_TYPES[array_type] = device


def find(name: str) -> Device:
    """Return the device of this name, ready for use.

    Raises:
        ValueError: an unknown name, or a device that this machine does not have: the message says what is
            missing and how to get it.
    """
    if name not in _MODULES:
        raise ValueError(f"device must be one of {', '.join(map(repr, _MODULES))}, got {name!r}")
    if name == "gpu":
        importlib.import_module("kernels.cuda.hardware").require()
    elif name == "emulator":
        importlib.import_module("kernels.cuda.emulator").require()
    return Device(name)


def is_array(value: Any) -> bool:
    """Whether `value` is an array, wherever it may lie."""
    return isinstance(value, np.ndarray) or on_some_device(value)


def on_some_device(value: Any) -> bool:
    """Whether `value` is an array in a device's memory; CuPy's may come before anybody asked for the GPU."""
    kind = type(value)
    if kind not in DEVICE_TYPES and kind.__module__.partition(".")[0] == "cupy" and hasattr(value, "shape"):
        find("gpu")
    return kind in DEVICE_TYPES


def device_of(array: Any) -> Device:
    """Return where an array lies."""
    return DEVICE_TYPES.get(type(array), CPU)


def to_device(array: Any, device: Device) -> Any:
    """Return an array's elements on a device: the array itself if it lies there, otherwise a copy."""
    if device_of(array) == device:
        return array
    host = to_host(array)
    return host if device == CPU else device.module.asarray(host)


def to_host(array: Any) -> Any:
    """Return an array's elements as NumPy's: the array itself, or a copy from a device's memory."""
    return array.get() if type(array) in DEVICE_TYPES else array


def send(array: Any, device: Device) -> Callable[[], Any]:
    """Begin to copy an array to a device; what is returned waits for it and returns it there.

    Only a GPU computes meanwhile: to other devices the array is copied at once.
    """
    if device == GPU and device_of(array) == CPU:
        upload: Callable[[], Any] = importlib.import_module("kernels.cuda.hardware").Upload(array).arrived
        return upload
    moved = to_device(array, device)
    return lambda: moved


def require_one_device(*arrays: Any) -> None:
    """Require that all arrays lie in one place (ValueError otherwise)."""
    places = {device_of(array).name for array in arrays}
    if len(places) > 1:
        raise ValueError(mixed(places))


def mixed(places: set[str]) -> str:
    """The message about arrays that lie in several places."""
    return (
        f"all arrays of an operation must lie on one device, these lie on {' and '.join(sorted(places))}; "
        "move them with to(device)"
    )


# ---- views and memory ---------------------------------------------------------------------------


def shares_memory(a: Any, b: Any) -> bool:
    """Whether two arrays may have elements in common."""
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and np.may_share_memory(a, b)
    return device_of(a) == device_of(b) and bool(device_of(a).module.may_share_memory(a, b))


def broadcast_to(array: Any, shape: Sequence[int]) -> Any:
    """Return a view of an array stretched to a shape (NumPy's rule; ValueError if it does not fit)."""
    return device_of(array).module.broadcast_to(array, tuple(shape))


def reshaped(array: Any, shape: Sequence[int], copy: bool | None = None) -> Any:
    """Return the elements in row-major order in another shape.

    `copy` is None: a view where the layout allows it; False: a view or ValueError.
    """
    if isinstance(array, np.ndarray):
        return np.reshape(array, tuple(shape), copy=copy)
    result = array.reshape(tuple(shape))
    if copy is False and array.size and not shares_memory(result, array):
        raise ValueError(
            f"an array of shape {array.shape} and strides {array.strides} has no view of shape {tuple(shape)}"
        )
    return result


def overwrite(target: Any, values: Any) -> None:
    """Write values, which broadcast to the target's shape, into its memory, converted to its dtype.

    Raises:
        ValueError: arrays on two devices, or values that do not fit.
    """
    if isinstance(target, np.ndarray) and isinstance(values, np.ndarray):
        target[...] = values
        return
    require_one_device(target, values)
    device_of(target).module.copyto(target, values)


def load_into(target: Any, values: Any) -> None:
    """`overwrite`, with values from any device."""
    if device_of(target) == CPU:
        overwrite(target, to_host(values))
    else:
        overwrite(target, to_device(to_host(values).astype(target.dtype), device_of(target)))
