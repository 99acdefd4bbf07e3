"""Reductions over axes: sums, means, products, extremes, running sums and the Euclidean norm.

`axes` are counted from the front (None: all); dy stands for the upstream gradient, spread back over the axes.
"""

from __future__ import annotations

import math

from kernels import comparison, elementwise, reduction
from kernels.array import Array, check_flag
from kernels.device import broadcast_to
from kernels.elementwise import cast, divide, multiply, where
from kernels.indexing import gather_backward, gather_forward
from kernels.reduction import normalize_axes, reduce_sum
from minidnn.autograd import Function
from minidnn.operators.arithmetic import constant

Axes = int | tuple[int, ...] | None


class _Reduction(Function):
    """What reductions share: which axes they run over, and how a result spreads back."""

    def __init__(self, axes: Axes = None, keepdims: bool = False) -> None:
        self.axes, self.keepdims = axes, check_flag("keepdim", keepdims)

    def spread(self, result: Array) -> Array:
        """A result (or its gradient) as a view of shape x_kept, 1 along the axes."""
        axes = normalize_axes(self.axes, len(self.x_shape))
        return result.reshape([1 if i in axes else n for i, n in enumerate(self.x_shape)])

    x_shape: tuple[int, ...]


class Sum(_Reduction):
    """y = sum of x;  dx = dy everywhere (a view with stride 0)."""

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        return reduce_sum(x, self.axes, self.keepdims)

    def backward(self, grad_output: Array) -> Array:
        dx: Array = broadcast_to(self.spread(grad_output), self.x_shape)
        return dx


class Mean(_Reduction):
    """y = sum of x / n;  dx = dy / n everywhere."""

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        count = math.prod(x.shape[axis] for axis in normalize_axes(self.axes, x.ndim))
        self.count = constant(count, x)
        return divide(reduce_sum(x, self.axes, self.keepdims), self.count)

    def backward(self, grad_output: Array) -> Array:
        dx: Array = broadcast_to(self.spread(divide(grad_output, self.count)), self.x_shape)
        return dx


class Product(_Reduction):
    """y = product of x;  dx = dy times the product of all other elements (exact for zeros)."""

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        self.save(x)
        return reduction.reduce_product(x, self.axes, self.keepdims)

    def backward(self, grad_output: Array) -> Array:
        x = self.saved[0]
        axes = normalize_axes(self.axes, x.ndim)
        return reduction.reduce_product_backward(self.spread(grad_output), x, axes)


class _EvenExtreme(_Reduction):
    """An extreme over any axes: dy is divided evenly among all elements that equal it."""

    def backward(self, grad_output: Array) -> Array:
        x, y = self.saved
        hits = comparison.equal(x, self.spread(y))
        weights = cast(hits, x.dtype)
        count = reduce_sum(weights, self.axes, keepdims=True)
        return multiply(weights, divide(self.spread(grad_output), count))


class Amax(_EvenExtreme):
    """y = the largest of x;  dx = dy / (how many equal it) where x equals it, else 0."""

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        y = reduction.reduce_maximum(x, self.axes, self.keepdims)
        self.save(x, y)
        return y


class Amin(_EvenExtreme):
    """y = the smallest of x;  dx = dy / (how many equal it) where x equals it, else 0."""

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        y = reduction.reduce_minimum(x, self.axes, self.keepdims)
        self.save(x, y)
        return y


class Extreme(Function):
    """The largest (or smallest) along one axis with its index: dy goes there, to the first of equals.

    Outputs: the values, and their int64 indices.
    """

    def __init__(self, axis: int, keepdims: bool, largest: bool) -> None:
        self.axis, self.keepdims, self.largest = axis, check_flag("keepdim", keepdims), largest

    def forward(self, x: Array) -> tuple[Array, Array]:
        search = reduction.argmax if self.largest else reduction.argmin
        self.x_shape = x.shape
        self.index = search(x, self.axis, keepdims=True)
        values = gather_forward(x, self.index, self.axis)
        index = elementwise.copy(self.index)  # the caller may write into it
        if self.keepdims or not x.ndim:
            return values, index
        return values.squeeze(self.axis), index.squeeze(self.axis)

    def backward(self, grad_output: Array, grad_index: None) -> Array:
        gradient = grad_output.reshape(self.index.shape)
        return gather_backward(gradient, self.index, self.axis, self.x_shape)


class CumulativeSum(Function):
    """y[i] = x[0] + ... + x[i];  dx[i] = dy[i] + dy[i+1] + ..., the running sum from the end."""

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, x: Array) -> Array:
        return reduction.cumulative_sum(x, self.axis, reverse=False)

    def backward(self, grad_output: Array) -> Array:
        return reduction.cumulative_sum(grad_output, self.axis, reverse=True)


class Norm(_Reduction):
    """y = sqrt(sum of x^2);  dx = dy x / y, 0 where y is 0."""

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        y = elementwise.square_root(reduce_sum(multiply(x, x), self.axes, self.keepdims))
        self.save(x, y)
        return y

    def backward(self, grad_output: Array) -> Array:
        x, y = self.saved
        zero = constant(0, x)
        scale = where(comparison.equal(y, zero), zero, divide(grad_output, y))
        return multiply(x, self.spread(scale))
