"""Parts of a tensor: by index, slice, mask and gathering."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from kernels import elementwise, indexing
from kernels.device import broadcast_to, device_of, is_array, overwrite, to_device
from kernels.operands import check_broadcast
from minidnn.modes import MODES
from minidnn.operators import arithmetic
from minidnn.operators import indexing as places
from minidnn.tensor_methods.base import TensorBase
from minidnn.tensor_methods.promotion import (
    raw,
)
from minidnn.tensor_methods.reading import as_array
from minidnn.tensor_methods.shape import Shape


class Indexing(Shape):
    """Tensor's indexing."""

    def __getitem__(self, key: Any) -> Self:
        """Index as in PyTorch, with two differences: slices may run backwards, uint8 arrays are no masks."""
        basic, advanced = places.split_key(_parts(key), self._array)
        if not advanced:
            return self._apply(places.Slice(basic), self)
        view = self if _takes_all(basic) else self._apply(places.Slice(basic), self)
        return self._apply(places.Index(advanced), view)

    def __setitem__(self, key: Any, value: Any) -> None:
        basic, advanced = places.split_key(_parts(key), self._array)
        values = self._as_own_dtype(value)
        differentiated = self._requires_grad or (isinstance(values, TensorBase) and values._requires_grad)
        modes = MODES.get()
        if modes.observer is None and not (modes.recording and differentiated):
            view = self._array[places.open_ended(basic)]
            written = raw(values)
            overwrite(view, indexing.index_assign(view, advanced, written) if advanced else written)
            self.mark_changed()
            return
        written = values
        if advanced:
            part = self if _takes_all(basic) else self._apply(places.Slice(basic), self)
            written = self._apply(places.IndexAssign(advanced), part, values)
        if not advanced or not _takes_all(basic):
            written = self._apply(places.SliceAssign(basic), self, written)
        self._assign_(written)

    def _as_own_dtype(self, value: Any) -> Any:
        """A value to be written into self: numbers, arrays and tensors are converted to self's dtype."""
        if isinstance(value, TensorBase):
            same = value._array.dtype == self._array.dtype
            return value if same else self._apply(arithmetic.Cast(self._array.dtype), value)
        given = value if is_array(value) else np.asarray(value)  # in full precision
        own = elementwise.cast(given, self._array.dtype)
        return own if is_array(value) else to_device(own, device_of(self._array))

    def gather(self, dim: int, index: Any) -> Self:
        """Return y[i, j] = self[i, index[i, j]] (for dim 1): one element along dim per element of index."""
        return self._apply(places.Gather(self._axis("dim", dim)), self, index)

    def index_select(self, dim: int, index: Any) -> Self:
        """Return the elements at the indices (a vector) along dim."""
        chosen = as_array(index, "index")
        if chosen.ndim != 1:
            raise ValueError(f"index must be a vector, got shape {chosen.shape}")
        return self[(*((slice(None),) * self._axis("dim", dim)), chosen)]

    def masked_select(self, mask: Any) -> Self:
        """Return the elements where the mask (bool) holds, as a vector; the two broadcast."""
        chosen = to_device(as_array(mask, "mask"), device_of(self._array))
        if chosen.dtype != np.bool_:
            raise TypeError(f"mask must be bool, got {chosen.dtype}")
        shape = check_broadcast(x=self._array, mask=chosen)
        return self.expand(shape).reshape(-1)[broadcast_to(chosen, shape).reshape(-1)]

    def nonzero(self) -> Self:
        """Return the places of the elements that are not 0, one row of indices each."""
        return self._plain(indexing.nonzero(self._array))


def _parts(key: Any) -> tuple[Any, ...]:
    """An index as a tuple of parts, tensors as arrays."""
    return tuple(raw(part) for part in (key if isinstance(key, tuple) else (key,)))


def _takes_all(basic: tuple[Any, ...]) -> bool:
    """Whether the key of a view leaves everything as it is."""
    return all(part is Ellipsis or part == slice(None) for part in basic)
