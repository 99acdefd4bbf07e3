"""Other shapes for the same elements: views, joining and their backward."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kernels.array import Array
from kernels.concat import concat_backward, concat_forward
from kernels.device import broadcast_to, reshaped
from kernels.operands import broadcastable
from minidnn.autograd import Function
from minidnn.operators.arithmetic import unbroadcast


class Reshape(Function):
    """The elements in row-major order in another shape; a view where the memory layout allows it."""

    is_view = True

    def __init__(self, shape: Sequence[int], copy: bool | None = None) -> None:
        self.shape, self.copy = tuple(shape), copy

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        y: Array = reshaped(x, self.shape, self.copy)
        return y

    def backward(self, grad_output: Array) -> Array:
        return grad_output.reshape(self.x_shape)


class Permute(Function):
    """y's axis i is x's axis order[i]; a view. The backward puts the axes back."""

    is_view = True

    def __init__(self, order: Sequence[int]) -> None:
        self.order = tuple(order)

    def forward(self, x: Array) -> Array:
        return x.transpose(self.order)

    def backward(self, grad_output: Array) -> Array:
        inverse = sorted(range(len(self.order)), key=self.order.__getitem__)
        return grad_output.transpose(inverse)


class Expand(Function):
    """x stretched along axes of length 1 and new leading ones, not copied; the backward sums over them."""

    is_view = True

    def __init__(self, shape: Sequence[int]) -> None:
        self.shape = tuple(shape)

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        fits = x.ndim <= len(self.shape) and broadcastable(x.shape, self.shape)
        if not fits or np.broadcast_shapes(x.shape, self.shape) != self.shape:
            raise ValueError(f"a tensor of shape {x.shape} cannot be expanded to {self.shape}")
        y: Array = broadcast_to(x, self.shape)
        return y

    def backward(self, grad_output: Array) -> Array:
        return unbroadcast(grad_output, self.x_shape)


class Concat(Function):
    """The inputs one after the other along an axis; every input's gradient is its own part."""

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, *arrays: Array) -> Array:
        y = concat_forward(arrays, self.axis)
        self.lengths = [array.shape[self.axis] for array in arrays]
        return y

    def backward(self, grad_output: Array) -> tuple[Array, ...]:
        return concat_backward(grad_output, self.lengths, self.axis)
