"""The activations in Numba: one formula for a number each, over all threads.

The formulas say the same as those of reference.py. Here both sides of a choice are computed, so that loops
become vector code, and every constant is brought into the operand's type by `like`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from kernels import activation
from kernels.array import Array
from kernels.cpu.compilation import SMALLEST_TASK, compiled, parallel, share_of
from kernels.cpu.mapping import CHEAP_TASK, apply_kernel, element_map, floating, two_steps_worth_it
from kernels.cpu.vector_math import exponential, exponential_minus_one, like, normal_distribution
from kernels.registry import implements

# ---- formulas for one number --------------------------------------------------------------------


def _relu(x: Any) -> Any:
    return like(x, 0) if x <= like(x, 0) else x


def _relu_gradient(dy: Any, y: Any) -> Any:
    return like(dy, 0) if y <= like(y, 0) else dy


@compiled
def _relu6(x: Any) -> Any:
    positive = like(x, 0) if x <= like(x, 0) else x
    return like(x, 6) if positive >= like(x, 6) else positive


def _relu6_gradient(dy: Any, y: Any) -> Any:
    return like(dy, 0) if (y <= like(y, 0)) | (y >= like(y, 6)) else dy


@compiled
def _sigmoid(x: Any) -> Any:
    """With e = e^-|x|: 1 / (1 + e) on the right, e / (1 + e) on the left."""
    e = exponential(-abs(x))
    return (e if x < like(x, 0) else like(x, 1)) / (like(x, 1) + e)


def _sigmoid_gradient(dy: Any, y: Any) -> Any:
    return dy * y * (like(y, 1) - y)


def _tanh(x: Any) -> Any:
    """(e^2x - 1) / (e^2x + 1); from 20 on it is 1 in either type."""
    limited = like(x, 20) if x > like(x, 20) else x
    e = exponential_minus_one(like(x, 2) * limited)
    return e / (e + like(x, 2))


def _tanh_gradient(dy: Any, y: Any) -> Any:
    return dy * (like(y, 1) - y * y)


def _hardsigmoid(x: Any) -> Any:
    return _relu6(x + like(x, 3)) / like(x, 6)


def _hardsigmoid_gradient(dy: Any, x: Any) -> Any:
    return dy / like(x, 6) if (x > like(x, -3)) & (x < like(x, 3)) else like(dy, 0)


def _hardswish(x: Any) -> Any:
    return x * _relu6(x + like(x, 3)) / like(x, 6)


def _hardswish_gradient(dy: Any, x: Any) -> Any:
    inside = dy * (x / like(x, 3) + like(x, 0.5)) if x < like(x, 3) else dy
    return like(dy, 0) if x <= like(x, -3) else inside


def _silu(x: Any) -> Any:
    return x * _sigmoid(x)


def _silu_gradient(dy: Any, x: Any) -> Any:
    return dy * _sigmoid(x) * (like(x, 1) + x * _sigmoid(-x))


@compiled
def _gelu_argument(x: Any) -> Any:
    return like(x, math.sqrt(2 / math.pi)) * (x + like(x, 0.044715) * x * x * x)


@compiled
def _gelu_argument_slope(x: Any) -> Any:
    return like(x, math.sqrt(2 / math.pi)) * (like(x, 1) + like(x, 3 * 0.044715) * x * x)


def _gelu_tanh(x: Any) -> Any:
    return x * _sigmoid(like(x, 2) * _gelu_argument(x))


def _gelu_tanh_gradient(dy: Any, x: Any) -> Any:
    """Where the sigmoid is flat its slope is 0, however large u' has become."""
    u = _gelu_argument(x)
    phi = _sigmoid(like(x, 2) * u)
    slope = phi * _sigmoid(like(x, -2) * u)
    change = x * slope * like(x, 2) * _gelu_argument_slope(x)
    return dy * (phi if slope == like(x, 0) else phi + change)


def _gelu(x: Any) -> Any:
    share, _ = normal_distribution(x)
    return x * share


def _gelu_gradient(dy: Any, x: Any) -> Any:
    share, density = normal_distribution(x)
    return dy * (share + x * density)


# ---- the table ----------------------------------------------------------------------------------

FORWARD: dict[Callable[..., Array], Callable[..., Any]] = {
    activation.relu_forward: _relu,
    activation.relu6_forward: _relu6,
    activation.sigmoid_forward: _sigmoid,
    activation.tanh_forward: _tanh,
    activation.hardsigmoid_forward: _hardsigmoid,
    activation.hardswish_forward: _hardswish,
    activation.silu_forward: _silu,
}
BACKWARD: dict[Callable[..., Array], Callable[..., Any]] = {
    activation.relu_backward: _relu_gradient,
    activation.relu6_backward: _relu6_gradient,
    activation.sigmoid_backward: _sigmoid_gradient,
    activation.tanh_backward: _tanh_gradient,
    activation.hardsigmoid_backward: _hardsigmoid_gradient,
    activation.hardswish_backward: _hardswish_gradient,
    activation.silu_backward: _silu_gradient,
}
# Formulas without an exponential.
CHEAP = (
    activation.relu_forward,
    activation.relu6_forward,
    activation.hardsigmoid_forward,
    activation.hardswish_forward,
    activation.relu_backward,
    activation.relu6_backward,
    activation.sigmoid_backward,
    activation.tanh_backward,
    activation.hardsigmoid_backward,
    activation.hardswish_backward,
)
# Formulas that NumPy evaluates in one or two passes, on small arrays faster than a call into Numba begins.
SHORT = (
    activation.relu_forward,
    activation.relu_backward,
    activation.relu6_forward,
    activation.tanh_forward,
    activation.sigmoid_backward,
    activation.tanh_backward,
)
# Formulas of whose contracts complex128 is a dtype, which the kernels do not have.
ANALYTIC = (
    activation.sigmoid_forward,
    activation.tanh_forward,
    activation.silu_forward,
    activation.sigmoid_backward,
    activation.tanh_backward,
    activation.silu_backward,
)
IDEA = "the formula on equal shares for all threads"

for _formulas, _arrays in ((FORWARD, 1), (BACKWARD, 2)):
    for _contract, _formula in _formulas.items():
        implements(
            _contract,
            "shares",
            IDEA,
            backend="cpu",
            fits=floating if _contract in ANALYTIC else None,
            pays=two_steps_worth_it if _contract in SHORT else None,
            compiled=True,
        )(element_map(_formula, _arrays, CHEAP_TASK if _contract in CHEAP else SMALLEST_TASK))


@parallel
def _leaky_relu(task: int, tasks: int, y: Any, x: Any, negative_slope: Any) -> None:
    y, x = share_of(y, task, tasks), share_of(x, task, tasks)
    for i in range(y.size):
        y[i] = x[i] if x[i] > like(x[i], 0) else negative_slope * x[i]


@parallel
def _leaky_relu_gradient(task: int, tasks: int, dx: Any, dy: Any, x: Any, negative_slope: Any) -> None:
    dx, dy, x = share_of(dx, task, tasks), share_of(dy, task, tasks), share_of(x, task, tasks)
    for i in range(dx.size):
        dx[i] = dy[i] if x[i] > like(x[i], 0) else negative_slope * dy[i]


@implements(activation.leaky_relu_forward, "shares", IDEA, pays=two_steps_worth_it)
def leaky_relu_forward_shares(x: Array, negative_slope: float) -> Array:
    """x where x > 0, else negative_slope x."""
    return apply_kernel(_leaky_relu, CHEAP_TASK, [x], x.dtype.type(negative_slope))


@implements(activation.leaky_relu_backward, "shares", IDEA, pays=two_steps_worth_it)
def leaky_relu_backward_shares(grad_output: Array, x: Array, negative_slope: float) -> Array:
    """dy where x > 0, else negative_slope dy."""
    return apply_kernel(_leaky_relu_gradient, CHEAP_TASK, [grad_output, x], x.dtype.type(negative_slope))


_gelu_forwards = {"none": element_map(_gelu, 1), "tanh": element_map(_gelu_tanh, 1)}
_gelu_backwards = {"none": element_map(_gelu_gradient, 2), "tanh": element_map(_gelu_tanh_gradient, 2)}


@implements(activation.gelu_forward, "shares", IDEA, fits=floating, compiled=True)
def gelu_forward_shares(x: Array, approximate: str) -> Array:
    """One kernel per form."""
    return _gelu_forwards[approximate](x)


@implements(activation.gelu_backward, "shares", IDEA, fits=floating, compiled=True)
def gelu_backward_shares(grad_output: Array, x: Array, approximate: str) -> Array:
    """One kernel per form."""
    return _gelu_backwards[approximate](grad_output, x)
