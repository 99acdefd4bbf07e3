"""The parametric rectifier: the contracts of its forward pass and its two gradients."""

from __future__ import annotations

from kernels.array import Array, check_floating, check_rank, check_shape
from kernels.registry import dispatch

__all__ = ["prelu_backward_input", "prelu_backward_slope", "prelu_forward"]


def prelu_forward(x: Array, slope: Array) -> Array:
    """Return x where it is positive, else x times its channel's slope.

        y[n, c] = x[n, c] where x[n, c] > 0, else a[c] x[n, c]

    Shapes: x (N, C, *spatial) of 2 to 5 dimensions, slope (C,); result as x.
    Dtypes: float32 or float64, the same for both; the result's too.
    Edge contract: at 0 the left side holds. NaN stays NaN. Any axis may be empty.

    Raises:
        ValueError: a rank or shape other than above.
        TypeError: another dtype, or mixed dtypes.

    Source: He et al., "Delving deep into rectifiers", ICCV 2015, section 2.1.
    """
    check_floating(x=x, slope=slope)
    _check_channels(x, slope)
    return dispatch(prelu_forward, x, slope)


def prelu_backward_input(grad_output: Array, x: Array, slope: Array) -> Array:
    """Return the gradient with respect to x: dx = dy where x > 0, else a[c] dy.

    Shapes: grad_output as x (N, C, *spatial), slope (C,); result as x.
    Dtypes: as `prelu_forward`.
    Edge contract: as `prelu_forward`; where x is NaN the left side holds.

    Raises:
        ValueError, TypeError: as `prelu_forward`; grad_output is not shaped as x.
    """
    check_floating(grad_output=grad_output, x=x, slope=slope)
    _check_channels(x, slope)
    check_shape("grad_output", grad_output, x.shape)
    return dispatch(prelu_backward_input, grad_output, x, slope)


def prelu_backward_slope(grad_output: Array, x: Array) -> Array:
    """Return the gradient with respect to the slope: da[c] = sum of dy x over the x of channel c up to 0.

    Shapes: grad_output as x (N, C, *spatial); result (C,).
    Dtypes: as `prelu_forward`. Sums are accumulated in float64.
    Edge contract: without elements the result is zero.

    Raises:
        ValueError, TypeError: as `prelu_forward`; grad_output is not shaped as x.
    """
    check_floating(grad_output=grad_output, x=x)
    check_rank("x", x, 2, 3, 4, 5)
    check_shape("grad_output", grad_output, x.shape)
    return dispatch(prelu_backward_slope, grad_output, x)


def _check_channels(x: Array, slope: Array) -> None:
    """Require x (N, C, *spatial) and one slope per channel (ValueError otherwise)."""
    check_rank("x", x, 2, 3, 4, 5)
    check_shape("slope", slope, x.shape[1:2])
