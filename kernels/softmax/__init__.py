"""Softmax and its logarithm along one axis: the contracts of both directions.

    softmax(x)[i] = e^x[i] / sum_j e^x[j]          log_softmax(x)[i] = x[i] - log(sum_j e^x[j])

Both are unchanged when a constant is added to all x[i]; the kernels subtract the largest, so that no
exponential overflows and the sum is at least 1.

Source: Bridle, "Probabilistic interpretation of feedforward classification network outputs, with
relationships to statistical pattern recognition", Neurocomputing, Springer 1990; the shift is Goodfellow,
Bengio and Courville, "Deep Learning", 2016, section 4.1.
"""

from __future__ import annotations

from kernels.array import Array, check_floating, check_integer, check_shape
from kernels.operands import normalize_axis
from kernels.registry import dispatch

__all__ = ["log_softmax_backward", "log_softmax_forward", "softmax_backward", "softmax_forward"]


def softmax_forward(x: Array, axis: int) -> Array:
    """Return e^x[i] / sum_j e^x[j] along the axis.

    Shapes: x any, a 0-d array counts as one element; result as x.
    Dtypes: float32, float64 or complex128; the result's too.
    Edge contract: an axis of length 0 gives an empty result. NaN, inf, or only -inf along the axis give NaN
        all along it; -inf among finite values gives 0.

    Raises:
        ValueError: an axis out of range.
        TypeError: another dtype, or an axis that is no integer.
    """
    check_floating(analytic=True, x=x)
    return dispatch(softmax_forward, x, _axis(x, axis))


def softmax_backward(grad_output: Array, y: Array, axis: int) -> Array:
    """Return dx[i] = y[i] (dy[i] - sum_j dy[j] y[j]) along the axis, in terms of the output y.

    Shapes: grad_output and y alike; result the same.
    Dtypes: as `softmax_forward`; computed in float64, since dy and the sum nearly cancel.
    Edge contract: an axis of length 0 gives an empty result.

    Raises:
        ValueError: two shapes, or an axis out of range.
        TypeError: another dtype, mixed dtypes, or an axis that is no integer.
    """
    check_floating(analytic=True, grad_output=grad_output, y=y)
    check_shape("grad_output", grad_output, y.shape)
    return dispatch(softmax_backward, grad_output, y, _axis(y, axis))


def log_softmax_forward(x: Array, axis: int) -> Array:
    """Return x[i] - log(sum_j e^x[j]) along the axis.

    Shapes: x any, a 0-d array counts as one element; result as x.
    Dtypes: float32, float64 or complex128; the result's too.
    Edge contract: an axis of length 0 gives an empty result. NaN, inf, or only -inf along the axis give NaN
        all along it; -inf among finite values stays -inf.

    Raises:
        ValueError: an axis out of range.
        TypeError: another dtype, or an axis that is no integer.
    """
    check_floating(analytic=True, x=x)
    return dispatch(log_softmax_forward, x, _axis(x, axis))


def log_softmax_backward(grad_output: Array, y: Array, axis: int) -> Array:
    """Return dx[i] = dy[i] - e^y[i] sum_j dy[j] along the axis, in terms of the output y.

    Shapes: grad_output and y alike; result the same.
    Dtypes: as `log_softmax_forward`; computed in float64, since dy and the sum nearly cancel.
    Edge contract: an axis of length 0 gives an empty result.

    Raises:
        ValueError: two shapes, or an axis out of range.
        TypeError: another dtype, mixed dtypes, or an axis that is no integer.
    """
    check_floating(analytic=True, grad_output=grad_output, y=y)
    check_shape("grad_output", grad_output, y.shape)
    return dispatch(log_softmax_backward, grad_output, y, _axis(y, axis))


def _axis(x: Array, axis: int) -> int:
    return normalize_axis("axis", check_integer("axis", axis), x.ndim)
