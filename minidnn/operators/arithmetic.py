"""Arithmetic element by element, roots and waves, choice, and the matrix product.

Operands broadcast; the gradient of a stretched operand is summed over the stretched axes (`unbroadcast`).
dy stands for the upstream gradient.
"""

from __future__ import annotations

from typing import Any

from kernels import comparison, creation, elementwise
from kernels.array import Array
from kernels.device import Device, device_of, to_device
from kernels.elementwise import add, divide, multiply, negative, power, subtract, where
from kernels.matmul import matmul
from kernels.reduction import reduce_sum
from minidnn.autograd import Function

Gradients = tuple[Array | None, ...]


def unbroadcast(gradient: Array, shape: tuple[int, ...]) -> Array:
    """Sum a gradient over the axes along which an operand of `shape` was stretched."""
    if gradient.shape == shape:
        return gradient
    extra = gradient.ndim - len(shape)
    stretched = tuple(
        axis
        for axis, length in enumerate(gradient.shape)
        if axis < extra or (shape[axis - extra] == 1 and length != 1)
    )
    return reduce_sum(gradient, stretched).reshape(shape)


def constant(value: complex, like: Array) -> Array:
    """A 0-d array of `like`'s dtype, which lies where that does."""
    return creation.constant(value, like.dtype, like)


def zeros(shape: tuple[int, ...], like: Array) -> Array:
    """Zeros of `like`'s dtype, which lie where that does."""
    return creation.full(shape, 0, like.dtype, like)


class Add(Function):
    """y = a + b;  da = dy, db = dy."""

    def forward(self, a: Array, b: Array) -> Array:
        self.a_shape, self.b_shape = a.shape, b.shape
        return add(a, b)

    def backward(self, grad_output: Array) -> Gradients:
        return (
            unbroadcast(grad_output, self.a_shape) if self.needs[0] else None,
            unbroadcast(grad_output, self.b_shape) if self.needs[1] else None,
        )


class Subtract(Function):
    """y = a - b;  da = dy, db = -dy."""

    def forward(self, a: Array, b: Array) -> Array:
        self.a_shape, self.b_shape = a.shape, b.shape
        return subtract(a, b)

    def backward(self, grad_output: Array) -> Gradients:
        return (
            unbroadcast(grad_output, self.a_shape) if self.needs[0] else None,
            unbroadcast(negative(grad_output), self.b_shape) if self.needs[1] else None,
        )


class Multiply(Function):
    """y = a b;  da = dy b, db = dy a."""

    def forward(self, a: Array, b: Array) -> Array:
        # Each factor is needed for the other's gradient only.
        self.save(a if self.needs[1] else None, b if self.needs[0] else None)
        self.a_shape, self.b_shape = a.shape, b.shape
        return multiply(a, b)

    def backward(self, grad_output: Array) -> Gradients:
        a, b = self.saved
        return (
            unbroadcast(multiply(grad_output, b), self.a_shape) if self.needs[0] else None,
            unbroadcast(multiply(grad_output, a), self.b_shape) if self.needs[1] else None,
        )


class Divide(Function):
    """y = a / b;  da = dy / b, db = -dy (a / b) / b."""

    def forward(self, a: Array, b: Array) -> Array:
        self.save(a if self.needs[1] else None, b)
        self.a_shape, self.b_shape = a.shape, b.shape
        return divide(a, b)

    def backward(self, grad_output: Array) -> Gradients:
        a, b = self.saved
        grad_a = grad_b = None
        if self.needs[0]:
            grad_a = unbroadcast(divide(grad_output, b), self.a_shape)
        if self.needs[1]:
            slope = negative(divide(divide(a, b), b))
            grad_b = unbroadcast(multiply(grad_output, slope), self.b_shape)
        return grad_a, grad_b


class FloorDivide(Function):
    """y = floor(a / b), constant between its steps: gradients are 0."""

    def forward(self, a: Array, b: Array) -> Array:
        self.a_shape, self.b_shape = a.shape, b.shape
        return elementwise.floor_divide(a, b)

    def backward(self, grad_output: Array) -> Gradients:
        return zeros(self.a_shape, grad_output), zeros(self.b_shape, grad_output)


class Remainder(Function):
    """y = a - b floor(a / b);  da = dy, db = -dy floor(a / b)."""

    def forward(self, a: Array, b: Array) -> Array:
        self.save(a, b)
        return elementwise.remainder(a, b)

    def backward(self, grad_output: Array) -> Gradients:
        a, b = self.saved
        grad_b = None
        if self.needs[1]:
            whole = elementwise.floor_divide(a, b)
            grad_b = unbroadcast(negative(multiply(grad_output, whole)), b.shape)
        return unbroadcast(grad_output, a.shape) if self.needs[0] else None, grad_b


class Power(Function):
    """y = a^b;  da = dy b a^(b-1), 0 where b = 0;  db = dy y ln a, 0 where a = 0 and b >= 0."""

    def forward(self, a: Array, b: Array) -> Array:
        y = power(a, b)
        self.save(a, b, y if self.needs[1] else None)
        return y

    def backward(self, grad_output: Array) -> Gradients:
        a, b, y = self.saved
        zero = constant(0, b)
        grad_a = grad_b = None
        if self.needs[0]:
            slope = multiply(b, power(a, subtract(b, constant(1, b))))
            slope = where(comparison.equal(b, zero), zero, slope)
            grad_a = unbroadcast(multiply(grad_output, slope), a.shape)
        if self.needs[1]:
            slope = multiply(y, elementwise.logarithm(a))
            flat = comparison.logical_and(comparison.equal(a, zero), comparison.greater_equal(b, zero))
            grad_b = unbroadcast(multiply(grad_output, where(flat, zero, slope)), b.shape)
        return grad_a, grad_b


class Maximum(Function):
    """y = max(a, b);  da = dy where a > b, dy / 2 where a = b, else 0; db likewise."""

    def forward(self, a: Array, b: Array) -> Array:
        self.save(a, b)
        return elementwise.maximum(a, b)

    def backward(self, grad_output: Array) -> Gradients:
        a, b = self.saved
        shared = _halved_at_ties(grad_output, a, b)
        return (
            _where_chosen(comparison.less(a, b), shared, a.shape) if self.needs[0] else None,
            _where_chosen(comparison.less(b, a), shared, b.shape) if self.needs[1] else None,
        )


class Minimum(Function):
    """y = min(a, b);  da = dy where a < b, dy / 2 where a = b, else 0; db likewise."""

    def forward(self, a: Array, b: Array) -> Array:
        self.save(a, b)
        return elementwise.minimum(a, b)

    def backward(self, grad_output: Array) -> Gradients:
        a, b = self.saved
        shared = _halved_at_ties(grad_output, a, b)
        return (
            _where_chosen(comparison.less(b, a), shared, a.shape) if self.needs[0] else None,
            _where_chosen(comparison.less(a, b), shared, b.shape) if self.needs[1] else None,
        )


def _halved_at_ties(grad_output: Array, a: Array, b: Array) -> Array:
    return where(comparison.equal(a, b), divide(grad_output, constant(2, grad_output)), grad_output)


def _where_chosen(loses: Array, gradient: Array, shape: tuple[int, ...]) -> Array:
    """The gradient of the operand of `shape`: 0 where it loses."""
    return unbroadcast(where(loses, constant(0, gradient), gradient), shape)


class Negative(Function):
    """y = -x;  dx = -dy."""

    def forward(self, x: Array) -> Array:
        return negative(x)

    def backward(self, grad_output: Array) -> Array:
        return negative(grad_output)


class Absolute(Function):
    """y = |x|;  dx = dy sign(x), 0 at 0."""

    def forward(self, x: Array) -> Array:
        self.save(x)
        return elementwise.absolute(x)

    def backward(self, grad_output: Array) -> Array:
        return multiply(grad_output, elementwise.sign(self.saved[0]))


class Exponential(Function):
    """y = e^x;  dx = dy y."""

    def forward(self, x: Array) -> Array:
        y = elementwise.exponential(x)
        self.save(y)
        return y

    def backward(self, grad_output: Array) -> Array:
        return multiply(grad_output, self.saved[0])


class Logarithm(Function):
    """y = ln x;  dx = dy / x."""

    def forward(self, x: Array) -> Array:
        self.save(x)
        return elementwise.logarithm(x)

    def backward(self, grad_output: Array) -> Array:
        return divide(grad_output, self.saved[0])


class SquareRoot(Function):
    """y = sqrt(x);  dx = dy / (2 y)."""

    def forward(self, x: Array) -> Array:
        y = elementwise.square_root(x)
        self.save(y)
        return y

    def backward(self, grad_output: Array) -> Array:
        return divide(grad_output, multiply(self.saved[0], constant(2, grad_output)))


class Sine(Function):
    """y = sin x;  dx = dy cos x."""

    def forward(self, x: Array) -> Array:
        self.save(x)
        return elementwise.sine(x)

    def backward(self, grad_output: Array) -> Array:
        return multiply(grad_output, elementwise.cosine(self.saved[0]))


class Cosine(Function):
    """y = cos x;  dx = -dy sin x."""

    def forward(self, x: Array) -> Array:
        self.save(x)
        return elementwise.cosine(x)

    def backward(self, grad_output: Array) -> Array:
        return negative(multiply(grad_output, elementwise.sine(self.saved[0])))


class _Steps(Function):
    """A function that is constant between its steps: the gradient is 0."""

    def backward(self, grad_output: Array) -> Array:
        return zeros(grad_output.shape, grad_output)


class Sign(_Steps):
    """y = sign(x);  dx = 0."""

    def forward(self, x: Array) -> Array:
        return elementwise.sign(x)


class Floor(_Steps):
    """y = floor(x);  dx = 0."""

    def forward(self, x: Array) -> Array:
        return elementwise.floor(x)


class Round(_Steps):
    """y = the nearest whole number, of two the even;  dx = 0."""

    def forward(self, x: Array) -> Array:
        return elementwise.round_half_even(x)


class Clip(Function):
    """y = min(max(x, low), high);  dx = dy where low <= x <= high, else 0."""

    def __init__(self, low: Any, high: Any) -> None:
        self.low, self.high = low, high

    def forward(self, x: Array) -> Array:
        self.save(x)
        return elementwise.clip(x, self.low, self.high)

    def backward(self, grad_output: Array) -> Array:
        x, zero = self.saved[0], constant(0, grad_output)
        gradient = grad_output
        if self.low is not None:
            gradient = where(comparison.greater_equal(x, constant(self.low, x)), gradient, zero)
        if self.high is not None:
            gradient = where(comparison.less_equal(x, constant(self.high, x)), gradient, zero)
        return gradient


class Where(Function):
    """y = a where the condition holds, else b;  da = dy there, db = dy elsewhere."""

    def forward(self, condition: Array, a: Array, b: Array) -> Array:
        self.save(condition)
        self.a_shape, self.b_shape = a.shape, b.shape
        return where(condition, a, b)

    def backward(self, grad_output: Array) -> Gradients:
        condition, zero = self.saved[0], constant(0, grad_output)
        return (
            None,
            unbroadcast(where(condition, grad_output, zero), self.a_shape) if self.needs[1] else None,
            unbroadcast(where(condition, zero, grad_output), self.b_shape) if self.needs[2] else None,
        )


class Cast(Function):
    """y = x in another dtype;  dx = dy in x's dtype."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype

    def forward(self, x: Array) -> Array:
        self.x_dtype = x.dtype
        return elementwise.cast(x, self.dtype)

    def backward(self, grad_output: Array) -> Array:
        return elementwise.cast(grad_output, self.x_dtype)


class Transfer(Function):
    """y = x on another device;  dx = dy on x's device."""

    def __init__(self, target: Device) -> None:
        self.target = target

    def forward(self, x: Array) -> Array:
        self.origin = device_of(x)
        y: Array = to_device(x, self.target)
        return y

    def backward(self, grad_output: Array) -> Array:
        grad_x: Array = to_device(grad_output, self.origin)
        return grad_x


class Clone(Function):
    """y = x in new memory;  dx = dy."""

    def forward(self, x: Array) -> Array:
        return elementwise.copy(x)

    def backward(self, grad_output: Array) -> Array:
        return grad_output


class MatMul(Function):
    """y = a b for vectors, matrices and stacks of matrices;  da = dy b^T, db = a^T dy.

    A vector a counts as one row, a vector b as one column, and that axis is left out of the result.
    """

    def forward(self, a: Array, b: Array) -> Array:
        if a.ndim == 0 or b.ndim == 0:
            name = "a" if a.ndim == 0 else "b"
            raise ValueError(f"{name} must have at least 1 dimension, got a scalar; use * to scale")
        rows = b.shape[-2] if b.ndim > 1 else b.shape[0]
        if a.shape[-1] != rows:
            raise ValueError(f"a {a.shape} has {a.shape[-1]} columns but b {b.shape} has {rows} rows")
        self.save(a, b)
        y = matmul(*self._matrices(a, b))
        return y.reshape(self._result_shape(a, b, y.shape))

    def backward(self, grad_output: Array) -> Gradients:
        a, b = self.saved
        left, right = self._matrices(a, b)
        stack = grad_output.shape[: grad_output.ndim - (a.ndim > 1) - (b.ndim > 1)]
        if left.ndim == 2 and right.ndim == 2:
            stack = ()
        grad = grad_output.reshape(*stack, left.shape[-2], right.shape[-1])  # (..., M, N)
        grad_a = grad_b = None
        if self.needs[0]:
            grad_left = matmul(grad, right.swapaxes(-1, -2))  # (..., M, N) (..., N, K)
            grad_a = unbroadcast(grad_left, left.shape).reshape(a.shape)
        if self.needs[1]:
            grad_right = matmul(left.swapaxes(-1, -2), grad)  # (..., K, M) (..., M, N)
            grad_b = unbroadcast(grad_right, right.shape).reshape(b.shape)
        return grad_a, grad_b

    @staticmethod
    def _matrices(a: Array, b: Array) -> tuple[Array, Array]:
        """Vectors as matrices; a stack that meets one matrix (or vector) as one tall matrix."""
        right = b[:, None] if b.ndim == 1 else b  # (K, N)
        if a.ndim == 1:
            return a[None], right  # (1, K)
        if b.ndim <= 2 and a.shape[-1]:
            return a.reshape(-1, a.shape[-1]), right  # (... M, K)
        return a, right

    @staticmethod
    def _result_shape(a: Array, b: Array, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The product's shape without the axes that vectors were given."""
        columns = (shape[-1],) if b.ndim > 1 else ()
        if b.ndim <= 2:
            return (*a.shape[:-1], *columns)
        rows = (shape[-2],) if a.ndim > 1 else ()
        return (*shape[:-2], *rows, *columns)
