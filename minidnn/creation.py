"""Tensors from data and from nothing: constants, evenly spaced numbers, random draws.

Names and arguments as in PyTorch. Sizes come one by one or as one sequence; the default dtype is float32.
`device` says where the result lies, see `minidnn.device`: host memory if nothing is said, for the functions
with an x beside x. Random numbers are drawn on the host, so that they are the same on every device.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels import creation
from kernels.array import Array, check_integer
from kernels.device import EMULATOR, device_of, find, to_device
from kernels.elementwise import cast
from minidnn import random
from minidnn.device import device as device_named
from minidnn.tensor import Tensor, as_tensor
from minidnn.tensor_methods import as_array

_FLOAT = np.dtype(np.float32)
# DLPack's numbers for memory of a GPU, plain and managed, and for a device that it has no number for.
_DLPACK_CUDA, _DLPACK_EXTENSION = (2, 13), 12


def tensor(
    value: Any, dtype: npt.DTypeLike | None = None, requires_grad: bool = False, device: Any = None
) -> Tensor:
    """Return a new leaf holding a copy of `value` (numbers, nested lists, an array or a Tensor).

    Floats become float32, integers int64 and booleans bool; arrays keep their dtype unless `dtype` is given,
    and their device unless `device` is.

    Raises:
        TypeError: values that are not numbers, or a gradient wanted for integers.
    """
    given = as_array(value, "value")
    if isinstance(given, np.ndarray):
        own = np.array(given, dtype=dtype, copy=True)
    else:
        own = given.copy() if dtype is None else cast(given, dtype)
    place = device_of(own) if device is None else device_named(device)
    return Tensor(to_device(own, place), requires_grad)


def from_numpy(array: Array) -> Tensor:
    """Return a tensor that shares the array's memory (TypeError for anything but an array)."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"array must be a NumPy array, got {type(array).__name__}")
    return Tensor(array)


def from_dlpack(source: Any) -> Tensor:
    """Return a tensor that shares memory with any object that speaks DLPack, such as a PyTorch tensor.

    Memory of a GPU becomes CuPy's array, which waits for what the other library has queued on its stream; the
    emulator's arrays go to the emulator only.

    Raises:
        TypeError: an object that does not speak DLPack.
        BufferError: memory of another kind of device.
        ValueError: memory of a GPU that cannot be used from here, see `device`.
    """
    if not hasattr(source, "__dlpack_device__"):
        raise TypeError(f"source must speak DLPack, got {type(source).__name__}")
    kind = source.__dlpack_device__()[0]
    if kind in _DLPACK_CUDA:
        return Tensor(find("gpu").module.from_dlpack(source))
    if kind == _DLPACK_EXTENSION:
        return Tensor(EMULATOR.module.from_dlpack(source.data if isinstance(source, Tensor) else source))
    return Tensor(np.from_dlpack(source))


def full(
    size: Sequence[int],
    fill_value: Any,
    dtype: npt.DTypeLike | None = None,
    requires_grad: bool = False,
    device: Any = None,
) -> Tensor:
    """Return a tensor of the given size that holds fill_value everywhere; its dtype follows the value's type.

    Raises:
        ValueError: a negative length.
        TypeError: a length that is not an integer.
    """
    wanted = as_tensor(fill_value, name="fill_value").dtype if dtype is None else dtype
    return Tensor(creation.full(size, fill_value, wanted, _beside(device)), requires_grad)


def zeros(
    *size: Any, dtype: npt.DTypeLike | None = None, requires_grad: bool = False, device: Any = None
) -> Tensor:
    """Return zeros of the given size (ValueError for a negative length)."""
    return full(_lengths(size), 0, dtype or _FLOAT, requires_grad, device)


def ones(
    *size: Any, dtype: npt.DTypeLike | None = None, requires_grad: bool = False, device: Any = None
) -> Tensor:
    """Return ones of the given size (ValueError for a negative length)."""
    return full(_lengths(size), 1, dtype or _FLOAT, requires_grad, device)


def full_like(
    x: Any,
    fill_value: Any,
    dtype: npt.DTypeLike | None = None,
    requires_grad: bool = False,
    device: Any = None,
) -> Tensor:
    """Return a tensor of x's shape and dtype that holds fill_value everywhere."""
    model = as_tensor(x)
    return full(model.shape, fill_value, dtype or model.dtype, requires_grad, device or model.device)


def zeros_like(
    x: Any, dtype: npt.DTypeLike | None = None, requires_grad: bool = False, device: Any = None
) -> Tensor:
    """Return zeros of x's shape and dtype."""
    return full_like(x, 0, dtype, requires_grad, device)


def ones_like(
    x: Any, dtype: npt.DTypeLike | None = None, requires_grad: bool = False, device: Any = None
) -> Tensor:
    """Return ones of x's shape and dtype."""
    return full_like(x, 1, dtype, requires_grad, device)


def arange(
    start: float,
    end: float | None = None,
    step: float = 1,
    dtype: npt.DTypeLike | None = None,
    requires_grad: bool = False,
    device: Any = None,
) -> Tensor:
    """Return start, start + step, ... up to but without end; with one argument 0, 1, ... up to it.

    Dtypes: int64 if all arguments are integers, else float32.

    Raises:
        ValueError: a step of 0, an argument that is not finite, or a step that leads away from end.
    """
    first, last = (0, start) if end is None else (start, end)
    if (last - first) * step < 0:
        raise ValueError(f"step {step} leads away from {last}, starting at {first}")
    whole = all(isinstance(value, int | np.integer) for value in (first, last, step))
    wanted = dtype or (np.dtype(np.int64) if whole else _FLOAT)
    return Tensor(creation.sequence(first, last, step, wanted, _beside(device)), requires_grad)


def eye(
    n: int,
    m: int | None = None,
    dtype: npt.DTypeLike | None = None,
    requires_grad: bool = False,
    device: Any = None,
) -> Tensor:
    """Return the n x m matrix with 1 on the diagonal and 0 elsewhere; m is n by default.

    Raises:
        ValueError: a negative size.
        TypeError: a size that is not an integer.
    """
    rows = check_integer("n", n, minimum=0)
    columns = rows if m is None else check_integer("m", m, minimum=0)
    diagonal = arange(rows, device=device).unsqueeze(1) == arange(columns, device=device)
    return Tensor(diagonal.to(dtype or _FLOAT).data, requires_grad)


def randn(
    *size: Any, dtype: npt.DTypeLike | None = None, requires_grad: bool = False, device: Any = None
) -> Tensor:
    """Return independent draws from the standard normal distribution; `manual_seed` repeats them."""
    draws = random.generator().standard_normal(_lengths(size))
    return tensor(draws, dtype or _FLOAT, requires_grad, device)


def rand(
    *size: Any, dtype: npt.DTypeLike | None = None, requires_grad: bool = False, device: Any = None
) -> Tensor:
    """Return independent draws, uniform in [0, 1); `manual_seed` repeats them."""
    wanted = np.dtype(dtype or _FLOAT)
    # Rounding a float64 draw to float32 could give 1.
    draws = random.generator().random(_lengths(size), np.float64 if wanted == np.float64 else np.float32)
    return tensor(draws, wanted, requires_grad, device)


def _beside(device: Any) -> Array | None:
    """An array that lies on the device, for the kernels that make arrays from nothing."""
    return None if device is None else device_named(device).origin


def _lengths(size: Sequence[Any]) -> tuple[int, ...]:
    """Lengths given one by one or as one sequence."""
    if len(size) == 1 and isinstance(size[0], Sequence):
        size = size[0]
    return tuple(check_integer("size", length, minimum=0) for length in size)
