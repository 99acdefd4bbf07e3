"""Activations, softmax and log-softmax as functions.

dy stands for the upstream gradient. Where the derivative is a function of the output, backward remembers the
output; otherwise the input, as it was before an in-place form wrote over it.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from kernels.activation import (
    gelu_backward,
    gelu_forward,
    hardsigmoid_backward,
    hardsigmoid_forward,
    hardswish_backward,
    hardswish_forward,
    leaky_relu_backward,
    leaky_relu_forward,
    relu6_backward,
    relu6_forward,
    relu_backward,
    relu_forward,
    sigmoid_backward,
    sigmoid_forward,
    silu_backward,
    silu_forward,
    tanh_backward,
    tanh_forward,
)
from kernels.array import Array, check_flag, check_integer
from kernels.elementwise import copy
from kernels.operands import normalize_axis
from kernels.softmax import (
    log_softmax_backward,
    log_softmax_forward,
    softmax_backward,
    softmax_forward,
)
from minidnn.autograd import Function
from minidnn.tensor import Tensor, apply, as_tensor


class Activation(Function):
    """A function of one number, applied to every element.

    Attributes:
        inplace: whether the result will be written over the input.
    """

    def __init__(self, inplace: bool = False) -> None:
        self.inplace = check_flag("inplace", inplace)

    def save_input(self, x: Array) -> None:
        """Remember the input for backward; a copy of it if it will not stay."""
        if self.needs[0]:
            self.save(copy(x) if self.inplace else x)


def _activate(function: Activation, x: Any) -> Tensor:
    """Apply the function; in its in-place form write over x and return x."""
    tensor = as_tensor(x)
    result = apply(function, tensor)
    return tensor._assign_(result) if function.inplace else result


class ReLU(Activation):
    """y = max(x, 0);  dx = dy where y > 0, else 0."""

    def forward(self, x: Array) -> Array:
        """Cut at 0."""
        y = relu_forward(x)
        self.save(y)
        return y

    def backward(self, grad_output: Array) -> Array:
        """Pass where the output is above 0."""
        (y,) = self.saved
        return relu_backward(grad_output, y)


def relu(x: Any, inplace: bool = False) -> Tensor:
    """Return max(x, 0).

    Shapes: x of any rank; output as x.
    Dtypes: float32 or float64.

    Args:
        x: the input.
        inplace: write the result over x and return x.

    Raises:
        ValueError: inplace on a leaf that requires grad.
        TypeError: another dtype.

    Source: Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", ICML 2010.
    """
    return _activate(ReLU(inplace), x)


class ReLU6(Activation):
    """y = min(max(x, 0), 6);  dx = dy where 0 < y < 6, else 0."""

    def forward(self, x: Array) -> Array:
        """Cut at 0 and 6."""
        y = relu6_forward(x)
        self.save(y)
        return y

    def backward(self, grad_output: Array) -> Array:
        """Pass where the output is between 0 and 6."""
        (y,) = self.saved
        return relu6_backward(grad_output, y)


def relu6(x: Any, inplace: bool = False) -> Tensor:
    """Return min(max(x, 0), 6).

    Shapes: x of any rank; output as x.
    Dtypes: float32 or float64.

    Args:
        x: the input.
        inplace: write the result over x and return x.

    Raises:
        ValueError: inplace on a leaf that requires grad.
        TypeError: another dtype.

    Source: Krizhevsky, "Convolutional deep belief networks on CIFAR-10", 2010.
    """
    return _activate(ReLU6(inplace), x)


class LeakyReLU(Activation):
    """y = x where x > 0, else a x;  dx = dy where x > 0, else a dy."""

    def __init__(self, negative_slope: float, inplace: bool) -> None:
        super().__init__(inplace)
        self.negative_slope = negative_slope

    def forward(self, x: Array) -> Array:
        """Scale what is below 0."""
        self.save_input(x)
        return leaky_relu_forward(x, self.negative_slope)

    def backward(self, grad_output: Array) -> Array:
        """Scale where the input is below 0."""
        (x,) = self.saved
        return leaky_relu_backward(grad_output, x, self.negative_slope)


def leaky_relu(x: Any, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """Return x where x > 0, else negative_slope x.

    Shapes: x of any rank; output as x.
    Dtypes: float32 or float64.

    Args:
        x: the input.
        negative_slope: the factor below 0.
        inplace: write the result over x and return x.

    Raises:
        ValueError: a slope that is not finite, or inplace on a leaf that requires grad.
        TypeError: another dtype, or a slope that is no number.

    Source: Maas, Hannun and Ng, "Rectifier nonlinearities improve neural network acoustic models", ICML
    workshop 2013.
    """
    return _activate(LeakyReLU(negative_slope, inplace), x)


class Sigmoid(Activation):
    """y = 1 / (1 + e^-x);  dx = dy y (1 - y)."""

    def forward(self, x: Array) -> Array:
        """Squash to (0, 1)."""
        y = sigmoid_forward(x)
        self.save(y)
        return y

    def backward(self, grad_output: Array) -> Array:
        """In terms of the output."""
        (y,) = self.saved
        return sigmoid_backward(grad_output, y)


def sigmoid(x: Any) -> Tensor:
    """Return 1 / (1 + e^-x).

    Shapes: x of any rank; output as x.
    Dtypes: float32 or float64.

    Raises:
        TypeError: another dtype.
    """
    return _activate(Sigmoid(), x)


class Tanh(Activation):
    """y = (e^x - e^-x) / (e^x + e^-x);  dx = dy (1 - y^2)."""

    def forward(self, x: Array) -> Array:
        """Squash to (-1, 1)."""
        y = tanh_forward(x)
        self.save(y)
        return y

    def backward(self, grad_output: Array) -> Array:
        """In terms of the output."""
        (y,) = self.saved
        return tanh_backward(grad_output, y)


def tanh(x: Any) -> Tensor:
    """Return (e^x - e^-x) / (e^x + e^-x).

    Shapes: x of any rank; output as x.
    Dtypes: float32 or float64.

    Raises:
        TypeError: another dtype.
    """
    return _activate(Tanh(), x)


class HardSigmoid(Activation):
    """y = min(max(x + 3, 0), 6) / 6;  dx = dy / 6 where -3 < x < 3, else 0."""

    def forward(self, x: Array) -> Array:
        """A ramp from 0 to 1."""
        self.save_input(x)
        return hardsigmoid_forward(x)

    def backward(self, grad_output: Array) -> Array:
        """A sixth on the ramp."""
        (x,) = self.saved
        return hardsigmoid_backward(grad_output, x)


def hardsigmoid(x: Any, inplace: bool = False) -> Tensor:
    """Return min(max(x + 3, 0), 6) / 6.

    Shapes: x of any rank; output as x.
    Dtypes: float32 or float64.

    Args:
        x: the input.
        inplace: write the result over x and return x.

    Raises:
        ValueError: inplace on a leaf that requires grad.
        TypeError: another dtype.

    Source: Howard et al., "Searching for MobileNetV3", ICCV 2019, section 5.2.
    """
    return _activate(HardSigmoid(inplace), x)


class HardSwish(Activation):
    """y = x min(max(x + 3, 0), 6) / 6;  dx = 0 for x <= -3, dy (x / 3 + 1 / 2) for x < 3, else dy."""

    def forward(self, x: Array) -> Array:
        """x on a ramp."""
        self.save_input(x)
        return hardswish_forward(x)

    def backward(self, grad_output: Array) -> Array:
        """In terms of the input."""
        (x,) = self.saved
        return hardswish_backward(grad_output, x)


def hardswish(x: Any, inplace: bool = False) -> Tensor:
    """Return x min(max(x + 3, 0), 6) / 6.

    Shapes: x of any rank; output as x.
    Dtypes: float32 or float64.

    Args:
        x: the input.
        inplace: write the result over x and return x.

    Raises:
        ValueError: inplace on a leaf that requires grad.
        TypeError: another dtype.

    Source: Howard et al., "Searching for MobileNetV3", ICCV 2019, section 5.2.
    """
    return _activate(HardSwish(inplace), x)


class SiLU(Activation):
    """y = x s;  dx = dy s (1 + x (1 - s)), with s = sigmoid(x)."""

    def forward(self, x: Array) -> Array:
        """x on a sigmoid."""
        self.save_input(x)
        return silu_forward(x)

    def backward(self, grad_output: Array) -> Array:
        """In terms of the input."""
        (x,) = self.saved
        return silu_backward(grad_output, x)


def silu(x: Any, inplace: bool = False) -> Tensor:
    """Return x sigmoid(x), also known as swish.

    Shapes: x of any rank; output as x.
    Dtypes: float32 or float64.

    Args:
        x: the input.
        inplace: write the result over x and return x.

    Raises:
        ValueError: inplace on a leaf that requires grad.
        TypeError: another dtype.

    Source: Elfwing, Uchibe and Doya, "Sigmoid-weighted linear units for neural network function approximation
    in reinforcement learning", Neural Networks 107 (2018).
    """
    return _activate(SiLU(inplace), x)


class GELU(Activation):
    """y = x Phi(x);  dx = dy (Phi(x) + x Phi'(x)), with the normal distribution function Phi."""

    def __init__(self, approximate: str) -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, x: Array) -> Array:
        """x on the normal distribution function."""
        self.save_input(x)
        return gelu_forward(x, self.approximate)

    def backward(self, grad_output: Array) -> Array:
        """In terms of the input."""
        (x,) = self.saved
        return gelu_backward(grad_output, x, self.approximate)


def gelu(x: Any, approximate: str = "none") -> Tensor:
    """Return x Phi(x), where Phi is the normal distribution function.

        approximate="none":   Phi(x) = (1 + erf(x / sqrt(2))) / 2
        approximate="tanh":   Phi(x) = (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2

    Shapes: x of any rank; output as x.
    Dtypes: float32 or float64.

    Args:
        x: the input.
        approximate: "none" or "tanh".

    Raises:
        ValueError: another `approximate`.
        TypeError: another dtype.

    Source: Hendrycks and Gimpel, "Gaussian error linear units (GELUs)", arXiv 1606.08415.
    """
    return _activate(GELU(approximate), x)


class Softmax(Function):
    """y[i] = e^x[i] / sum_j e^x[j] along one axis;  dx = y (dy - sum of dy y)."""

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, x: Array) -> Array:
        """Probabilities from scores."""
        y = softmax_forward(x, self.dim)
        self.save(y)
        return y

    def backward(self, grad_output: Array) -> Array:
        """In terms of the output."""
        (y,) = self.saved
        return softmax_backward(grad_output, y, self.dim)


def softmax(x: Any, dim: int, dtype: npt.DTypeLike | None = None) -> Tensor:
    """Return e^x[i] / sum_j e^x[j] along the axis `dim`.

    Shapes: x of any rank (a 0-d x counts as one element); output as x.
    Dtypes: float32 or float64.

    Args:
        x: the scores.
        dim: the axis whose elements compete; negative ones count from the end.
        dtype: converts x first.

    Raises:
        ValueError: an axis out of range.
        TypeError: another dtype, or an axis that is no integer.

    Source: Bridle, "Probabilistic interpretation of feedforward classification network outputs", 1990.
    """
    scores = _converted(x, dtype)
    return apply(Softmax(_axis(scores, dim)), scores)


class LogSoftmax(Function):
    """y[i] = x[i] - log sum_j e^x[j] along one axis;  dx = dy - e^y (sum of dy)."""

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, x: Array) -> Array:
        """Log-probabilities from scores."""
        y = log_softmax_forward(x, self.dim)
        self.save(y)
        return y

    def backward(self, grad_output: Array) -> Array:
        """In terms of the output."""
        (y,) = self.saved
        return log_softmax_backward(grad_output, y, self.dim)


def log_softmax(x: Any, dim: int, dtype: npt.DTypeLike | None = None) -> Tensor:
    """Return x[i] - log sum_j e^x[j] along the axis `dim`, without taking the logarithm of a rounded 0.

    Shapes: x of any rank (a 0-d x counts as one element); output as x.
    Dtypes: float32 or float64.

    Args:
        x: the scores.
        dim: the axis whose elements compete; negative ones count from the end.
        dtype: converts x first.

    Raises:
        ValueError: an axis out of range.
        TypeError: another dtype, or an axis that is no integer.

    Source: as `softmax`.
    """
    scores = _converted(x, dtype)
    return apply(LogSoftmax(_axis(scores, dim)), scores)


def _axis(x: Tensor, dim: int) -> int:
    return normalize_axis("dim", check_integer("dim", dim), x.ndim)


def _converted(x: Any, dtype: npt.DTypeLike | None) -> Tensor:
    tensor = as_tensor(x)
    return tensor if dtype is None else tensor.to(dtype=dtype)
