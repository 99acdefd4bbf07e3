"""The activations in NumPy: a table of scalar formulas run in loops, and the same on whole arrays.

The scalar formulas are the definitions and are read first; they see NumPy scalars, so that they compute in
the operands' dtype. The array formulas below them take NaN and the kinks the same way, without a branch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kernels import activation
from kernels.activation.error_function import erfc
from kernels.array import Array
from kernels.operands import element_by_element
from kernels.registry import implements

# ---- the definitions: one number at a time. A comparison with NaN is false. ----------------------


def _relu(x: Any) -> Any:
    return 0 if x <= 0 else x


def _relu_gradient(dy: Any, y: Any) -> Any:
    return 0 if y <= 0 else dy


def _relu6(x: Any) -> Any:
    return 0 if x <= 0 else 6 if x >= 6 else x


def _relu6_gradient(dy: Any, y: Any) -> Any:
    return 0 if y <= 0 or y >= 6 else dy


def _leaky_relu(x: Any, negative_slope: float) -> Any:
    return x if x > 0 else negative_slope * x


def _leaky_relu_gradient(dy: Any, x: Any, negative_slope: float) -> Any:
    return dy if x > 0 else negative_slope * dy


def _sigmoid(x: Any) -> Any:
    """e^x / (1 + e^x) is the same function; on the left it is the one that cannot overflow."""
    if x.real < 0:
        return np.exp(x) / (1 + np.exp(x))
    return 1 / (1 + np.exp(-x))


def _sigmoid_gradient(dy: Any, y: Any) -> Any:
    return dy * y * (1 - y)


def _tanh(x: Any) -> Any:
    return np.tanh(x)


def _tanh_gradient(dy: Any, y: Any) -> Any:
    return dy * (1 - y * y)


def _hardsigmoid(x: Any) -> Any:
    return _relu6(x + 3) / 6


def _hardsigmoid_gradient(dy: Any, x: Any) -> Any:
    return dy / 6 if -3 < x < 3 else 0


def _hardswish(x: Any) -> Any:
    return x * _relu6(x + 3) / 6


def _hardswish_gradient(dy: Any, x: Any) -> Any:
    if x <= -3:
        return 0
    return dy * (x / 3 + 0.5) if x < 3 else dy


def _silu(x: Any) -> Any:
    return x * _sigmoid(x)


def _silu_gradient(dy: Any, x: Any) -> Any:
    """1 - sigmoid(x) = sigmoid(-x), which does not cancel on the right."""
    return dy * _sigmoid(x) * (1 + x * _sigmoid(-x))


def _gelu(x: Any, approximate: str) -> Any:
    """(1 + erf(z)) / 2 = erfc(-z) / 2 and (1 + tanh(u)) / 2 = sigmoid(2 u): neither cancels on the left."""
    if approximate == "tanh":
        return x * _sigmoid(2 * _gelu_argument(x))
    return x * (0.5 * math.erfc(-x / math.sqrt(2)))


def _gelu_gradient(dy: Any, x: Any, approximate: str) -> Any:
    """Where the sigmoid is flat its slope is 0, however large u' has become."""
    if approximate == "tanh":
        u = _gelu_argument(x)
        phi = _sigmoid(2 * u)
        slope = phi * _sigmoid(-2 * u)
        return dy * (phi if slope == 0 else phi + x * slope * 2 * _gelu_argument_slope(x))
    density = np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    return dy * (0.5 * math.erfc(-x / math.sqrt(2)) + x * density)


# ---- formulas that mean the same for a number and for an array ----------------------------------


def _gelu_argument(x: Any) -> Any:
    return math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)


def _gelu_argument_slope(x: Any) -> Any:
    return math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x * x)


# ---- whole arrays -------------------------------------------------------------------------------


def _relu_array(x: Array) -> Any:
    return np.maximum(x, 0)


def _relu_gradient_array(dy: Array, y: Array) -> Any:
    return np.where(y <= 0, 0, dy)


def _relu6_array(x: Array) -> Any:
    return np.minimum(np.maximum(x, 0), 6)


def _relu6_gradient_array(dy: Array, y: Array) -> Any:
    return np.where((y <= 0) | (y >= 6), 0, dy)


def _leaky_relu_array(x: Array, negative_slope: float) -> Any:
    return np.where(x > 0, x, negative_slope * x)


def _leaky_relu_gradient_array(dy: Array, x: Array, negative_slope: float) -> Any:
    return np.where(x > 0, dy, negative_slope * dy)


def _sigmoid_array(x: Array) -> Any:
    """With e = e^-|x|: 1 / (1 + e) on the right, e / (1 + e) on the left."""
    left = x.real < 0
    e = np.exp(np.where(left, x, -x))
    return np.where(left, e, 1) / (1 + e)


def _hardsigmoid_array(x: Array) -> Any:
    return _relu6_array(x + 3) / 6


def _hardsigmoid_gradient_array(dy: Array, x: Array) -> Any:
    return np.where((x > -3) & (x < 3), dy / 6, 0)


def _hardswish_array(x: Array) -> Any:
    return x * _relu6_array(x + 3) / 6


def _hardswish_gradient_array(dy: Array, x: Array) -> Any:
    return np.where(x <= -3, 0, np.where(x < 3, dy * (x / 3 + 0.5), dy))


def _silu_array(x: Array) -> Any:
    return x * _sigmoid_array(x)


def _silu_gradient_array(dy: Array, x: Array) -> Any:
    return dy * _sigmoid_array(x) * (1 + x * _sigmoid_array(-x))


def _gelu_array(x: Array, approximate: str) -> Any:
    if approximate == "tanh":
        return x * _sigmoid_array(2 * _gelu_argument(x))
    return x * (0.5 * erfc(x / -math.sqrt(2)))


def _gelu_gradient_array(dy: Array, x: Array, approximate: str) -> Any:
    if approximate == "tanh":
        u = _gelu_argument(x)
        phi = _sigmoid_array(2 * u)
        slope = phi * _sigmoid_array(-2 * u)
        return dy * (phi + np.where(slope == 0, 0, x * slope * 2 * _gelu_argument_slope(x)))
    density = np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    return dy * (0.5 * erfc(x / -math.sqrt(2)) + x * density)


# ---- the table ----------------------------------------------------------------------------------

# contract, formula for scalars, formula for arrays; those without a branch serve for both
Row = tuple[Callable[..., Array], Callable[..., Any], Callable[..., Any]]
FORWARD: list[Row] = [
    (activation.relu_forward, _relu, _relu_array),
    (activation.relu6_forward, _relu6, _relu6_array),
    (activation.leaky_relu_forward, _leaky_relu, _leaky_relu_array),
    (activation.sigmoid_forward, _sigmoid, _sigmoid_array),
    (activation.tanh_forward, _tanh, _tanh),
    (activation.hardsigmoid_forward, _hardsigmoid, _hardsigmoid_array),
    (activation.hardswish_forward, _hardswish, _hardswish_array),
    (activation.silu_forward, _silu, _silu_array),
    (activation.gelu_forward, _gelu, _gelu_array),
]
BACKWARD: list[Row] = [
    (activation.relu_backward, _relu_gradient, _relu_gradient_array),
    (activation.relu6_backward, _relu6_gradient, _relu6_gradient_array),
    (activation.leaky_relu_backward, _leaky_relu_gradient, _leaky_relu_gradient_array),
    (activation.sigmoid_backward, _sigmoid_gradient, _sigmoid_gradient),
    (activation.tanh_backward, _tanh_gradient, _tanh_gradient),
    (activation.hardsigmoid_backward, _hardsigmoid_gradient, _hardsigmoid_gradient_array),
    (activation.hardswish_backward, _hardswish_gradient, _hardswish_gradient_array),
    (activation.silu_backward, _silu_gradient, _silu_gradient_array),
    (activation.gelu_backward, _gelu_gradient, _gelu_gradient_array),
]


def _loops(formula: Callable[..., Any], arrays: int) -> Callable[..., Array]:
    """The formula over all elements; the first `arrays` arguments are arrays, the others parameters."""

    def loops(*arguments: Any) -> Array:
        operands, parameters = arguments[:arrays], arguments[arrays:]
        return element_by_element(
            lambda *elements: formula(*elements, *parameters), operands[0].dtype, operands
        )

    return loops


def _vectorized(formula: Callable[..., Any]) -> Callable[..., Array]:
    """The formula on arrays, giving an array also where NumPy would return a scalar."""

    def vectorized(*arguments: Any) -> Array:
        return np.asarray(formula(*arguments))

    return vectorized


for _rows, _arrays in ((FORWARD, 1), (BACKWARD, 2)):
    for _contract, _formula, _array_formula in _rows:
        implements(_contract, "loops", "the formula, one element after the other", backend="reference")(
            _loops(_formula, _arrays)
        )
        implements(_contract, "vectorized", "the formula on whole arrays", backend="reference")(
            _vectorized(_array_formula)
        )
