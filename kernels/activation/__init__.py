"""Activations: functions of one number, applied element by element, and their derivatives.

Every `NAME_backward` returns dx = dy f'(x). Where f' is a function of f's value it takes the saved output y
(relu, relu6, sigmoid, tanh), otherwise the saved input x. At a kink the derivative is PyTorch's choice, as
each edge contract says. NaN propagates through every forward.
"""

from __future__ import annotations

from kernels.array import Array, check_floating, check_number, check_shape, shown
from kernels.registry import dispatch

__all__ = [
    "gelu_backward",
    "gelu_forward",
    "hardsigmoid_backward",
    "hardsigmoid_forward",
    "hardswish_backward",
    "hardswish_forward",
    "leaky_relu_backward",
    "leaky_relu_forward",
    "relu6_backward",
    "relu6_forward",
    "relu_backward",
    "relu_forward",
    "sigmoid_backward",
    "sigmoid_forward",
    "silu_backward",
    "silu_forward",
    "tanh_backward",
    "tanh_forward",
]


def relu_forward(x: Array) -> Array:
    """Return max(x, 0).

    Shapes: x any; result as x.
    Dtypes: float32 or float64; the result's too.
    Edge contract: NaN stays NaN.
    Source: Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", ICML 2010.

    Raises:
        TypeError: another dtype.
    """
    check_floating(x=x)
    return dispatch(relu_forward, x)


def relu_backward(grad_output: Array, y: Array) -> Array:
    """Return dy where the output y is above 0, else 0.

    Shapes: grad_output and y alike; result the same.
    Dtypes: as `relu_forward`.
    Edge contract: 0 at the kink x = 0; dy where y is NaN.

    Raises:
        ValueError: two shapes.
        TypeError: another dtype, or mixed dtypes.
    """
    _check_pair(grad_output, y=y)
    return dispatch(relu_backward, grad_output, y)


def relu6_forward(x: Array) -> Array:
    """Return min(max(x, 0), 6).

    Shapes: x any; result as x.
    Dtypes: float32 or float64; the result's too.
    Edge contract: NaN stays NaN.
    Source: Krizhevsky, "Convolutional deep belief networks on CIFAR-10", 2010.

    Raises:
        TypeError: another dtype.
    """
    check_floating(x=x)
    return dispatch(relu6_forward, x)


def relu6_backward(grad_output: Array, y: Array) -> Array:
    """Return dy where the output y is strictly between 0 and 6, else 0.

    Shapes: grad_output and y alike; result the same.
    Dtypes: as `relu6_forward`.
    Edge contract: 0 at the kinks x = 0 and x = 6; dy where y is NaN.

    Raises:
        ValueError: two shapes.
        TypeError: another dtype, or mixed dtypes.
    """
    _check_pair(grad_output, y=y)
    return dispatch(relu6_backward, grad_output, y)


def leaky_relu_forward(x: Array, negative_slope: float) -> Array:
    """Return x where x > 0, else negative_slope x.

    Shapes: x any; result as x.
    Dtypes: float32 or float64; the result's too.
    Edge contract: NaN stays NaN; the slope may be 0 or negative.
    Source: Maas, Hannun and Ng, "Rectifier nonlinearities improve neural network acoustic models",
        ICML workshop 2013, section 2.

    Raises:
        ValueError: a slope that is not finite.
        TypeError: another dtype, or a slope that is no number.
    """
    check_floating(x=x)
    return dispatch(leaky_relu_forward, x, check_number("negative_slope", negative_slope))


def leaky_relu_backward(grad_output: Array, x: Array, negative_slope: float) -> Array:
    """Return dy where the input x is above 0, else negative_slope dy.

    Shapes: grad_output and x alike; result the same.
    Dtypes: as `leaky_relu_forward`.
    Edge contract: negative_slope dy at the kink x = 0, and where x is NaN.

    Raises:
        ValueError: two shapes, or a slope that is not finite.
        TypeError: another dtype, mixed dtypes, or a slope that is no number.
    """
    _check_pair(grad_output, x=x)
    return dispatch(leaky_relu_backward, grad_output, x, check_number("negative_slope", negative_slope))


def sigmoid_forward(x: Array) -> Array:
    """Return 1 / (1 + e^-x).

    Shapes: x any; result as x.
    Dtypes: float32, float64 or complex128; the result's too.
    Edge contract: no large exponential is ever taken, so the left tail keeps its digits; 0 at -inf, 1 at inf.

    Raises:
        TypeError: another dtype.
    """
    check_floating(analytic=True, x=x)
    return dispatch(sigmoid_forward, x)


def sigmoid_backward(grad_output: Array, y: Array) -> Array:
    """Return dy y (1 - y), in terms of the output y.

    Shapes: grad_output and y alike; result the same.
    Dtypes: as `sigmoid_forward`.
    Edge contract: 0 where the output is saturated.

    Raises:
        ValueError: two shapes.
        TypeError: another dtype, or mixed dtypes.
    """
    _check_pair(grad_output, analytic=True, y=y)
    return dispatch(sigmoid_backward, grad_output, y)


def tanh_forward(x: Array) -> Array:
    """Return (e^x - e^-x) / (e^x + e^-x).

    Shapes: x any; result as x.
    Dtypes: float32, float64 or complex128; the result's too.
    Edge contract: -1 and 1 at -inf and inf.

    Raises:
        TypeError: another dtype.
    """
    check_floating(analytic=True, x=x)
    return dispatch(tanh_forward, x)


def tanh_backward(grad_output: Array, y: Array) -> Array:
    """Return dy (1 - y^2), in terms of the output y.

    Shapes: grad_output and y alike; result the same.
    Dtypes: as `tanh_forward`.
    Edge contract: 0 where the output is saturated.

    Raises:
        ValueError: two shapes.
        TypeError: another dtype, or mixed dtypes.
    """
    _check_pair(grad_output, analytic=True, y=y)
    return dispatch(tanh_backward, grad_output, y)


def hardsigmoid_forward(x: Array) -> Array:
    """Return min(max(x + 3, 0), 6) / 6.

    Shapes: x any; result as x.
    Dtypes: float32 or float64; the result's too.
    Edge contract: NaN stays NaN.
    Source: Howard et al., "Searching for MobileNetV3", ICCV 2019, section 5.2.

    Raises:
        TypeError: another dtype.
    """
    check_floating(x=x)
    return dispatch(hardsigmoid_forward, x)


def hardsigmoid_backward(grad_output: Array, x: Array) -> Array:
    """Return dy / 6 where the input x is strictly between -3 and 3, else 0.

    Shapes: grad_output and x alike; result the same.
    Dtypes: as `hardsigmoid_forward`.
    Edge contract: 0 at the kinks x = -3 and x = 3, and where x is NaN.

    Raises:
        ValueError: two shapes.
        TypeError: another dtype, or mixed dtypes.
    """
    _check_pair(grad_output, x=x)
    return dispatch(hardsigmoid_backward, grad_output, x)


def hardswish_forward(x: Array) -> Array:
    """Return x min(max(x + 3, 0), 6) / 6.

    Shapes: x any; result as x.
    Dtypes: float32 or float64; the result's too.
    Edge contract: NaN stays NaN; NaN at -inf (infinity times 0).
    Source: Howard et al., "Searching for MobileNetV3", ICCV 2019, section 5.2.

    Raises:
        TypeError: another dtype.
    """
    check_floating(x=x)
    return dispatch(hardswish_forward, x)


def hardswish_backward(grad_output: Array, x: Array) -> Array:
    """Return 0 where the input x <= -3, dy (x / 3 + 1 / 2) where x < 3, else dy.

    Shapes: grad_output and x alike; result the same.
    Dtypes: as `hardswish_forward`.
    Edge contract: 0 at the kink x = -3, dy at the kink x = 3 and where x is NaN.

    Raises:
        ValueError: two shapes.
        TypeError: another dtype, or mixed dtypes.
    """
    _check_pair(grad_output, x=x)
    return dispatch(hardswish_backward, grad_output, x)


def silu_forward(x: Array) -> Array:
    """Return x sigmoid(x).

    Shapes: x any; result as x.
    Dtypes: float32, float64 or complex128; the result's too.
    Edge contract: NaN at -inf (infinity times 0).
    Source: Elfwing, Uchibe and Doya, "Sigmoid-weighted linear units for neural network function
        approximation in reinforcement learning", Neural Networks 107 (2018), equation 4.

    Raises:
        TypeError: another dtype.
    """
    check_floating(analytic=True, x=x)
    return dispatch(silu_forward, x)


def silu_backward(grad_output: Array, x: Array) -> Array:
    """Return dy s (1 + x (1 - s)), s = sigmoid(x), in terms of the input x.

    Shapes: grad_output and x alike; result the same.
    Dtypes: as `silu_forward`.
    Edge contract: NaN at -inf and inf (infinity times 0).

    Raises:
        ValueError: two shapes.
        TypeError: another dtype, or mixed dtypes.
    """
    _check_pair(grad_output, analytic=True, x=x)
    return dispatch(silu_backward, grad_output, x)


def gelu_forward(x: Array, approximate: str) -> Array:
    """Return x Phi(x), where Phi is the normal distribution function.

        approximate="none":   Phi(x) = (1 + erf(x / sqrt(2))) / 2
        approximate="tanh":   Phi(x) = (1 + tanh(u)) / 2,   u = sqrt(2 / pi) (x + 0.044715 x^3)

    Shapes: x any; result as x.
    Dtypes: float32 or float64, for "tanh" also complex128; the result's too.
    Edge contract: Phi's left tail keeps its digits (no 1 + erf is taken); NaN at -inf (infinity times 0).
    Source: Hendrycks and Gimpel, "Gaussian error linear units (GELUs)", arXiv 1606.08415, section 2.

    Raises:
        ValueError: `approximate` is neither "none" nor "tanh".
        TypeError: another dtype.
    """
    _check_approximate(approximate)
    check_floating(analytic=approximate == "tanh", x=x)
    return dispatch(gelu_forward, x, approximate)


def gelu_backward(grad_output: Array, x: Array, approximate: str) -> Array:
    """Return dy (Phi(x) + x Phi'(x)), in terms of the input x.

        approximate="none":   Phi'(x) = exp(-x^2 / 2) / sqrt(2 pi)
        approximate="tanh":   Phi'(x) = 2 Phi (1 - Phi) u',   u' = sqrt(2 / pi) (1 + 3 * 0.044715 x^2)

    Shapes: grad_output and x alike; result the same.
    Dtypes: as `gelu_forward`.
    Edge contract: at -inf and inf NaN for "none" (infinity times 0), the limits 0 and dy for "tanh".

    Raises:
        ValueError: two shapes, or `approximate` is neither "none" nor "tanh".
        TypeError: another dtype, or mixed dtypes.
    """
    _check_approximate(approximate)
    _check_pair(grad_output, analytic=approximate == "tanh", x=x)
    return dispatch(gelu_backward, grad_output, x, approximate)


def _check_pair(grad_output: Array, *, analytic: bool = False, **saved: Array) -> None:
    """Require that the gradient and the one saved array agree in dtype and shape."""
    check_floating(analytic=analytic, grad_output=grad_output, **saved)
    for array in saved.values():
        check_shape("grad_output", grad_output, array.shape)


def _check_approximate(approximate: str) -> None:
    if not isinstance(approximate, str) or approximate not in ("none", "tanh"):
        raise ValueError(f'approximate must be "none" or "tanh", got {shown(approximate)}')
