"""Dropout: the contracts of its forward and backward pass, which draw one and the same mask from a seed."""

from __future__ import annotations

from kernels.array import Array, check_floating, check_integer, check_number
from kernels.registry import dispatch

__all__ = ["dropout_backward", "dropout_forward"]


def dropout_forward(x: Array, probability: float, seed: int) -> Array:
    """Set each element to zero with the given probability and scale the others by 1 / (1 - probability).

        y[i] = 0                          where drop(i)
        y[i] = x[i] * (1 / (1 - p))       elsewhere, the scale rounded to x's dtype first

        drop(i) = (bits(seed, i) >> 40) < ceil(p 2^24)

    for the element with index i in row-major order of x's shape (whatever its memory layout), where
    `bits` is the counter-based generator of kernels/random_bits.py.

    Shapes: x of any rank; result as x.
    Dtypes: float32, float64 or complex128; the result's too. The mask does not depend on it.
    Edge contract: p = 0 keeps and p = 1 drops every element, exactly. A dropped element is 0 even where
        x is NaN or infinite. The mask is a function of (seed, index) alone: every version, backend and
        number of threads draws the same bits.

    Raises:
        ValueError: a probability outside [0, 1], or a seed outside [0, 2^64).
        TypeError: another dtype, or a seed that is not an integer.

    Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15
    (2014), section 10 (scaling in training, "inverted" dropout).
    """
    check_floating(analytic=True, x=x)
    _check_draw(probability, seed)
    return dispatch(dropout_forward, x, probability, seed)


def dropout_backward(grad_output: Array, probability: float, seed: int) -> Array:
    """Return the gradient with respect to x: dx[i] = 0 where drop(i), else dy[i] / (1 - p).

    The mask is drawn again from the forward's probability and seed; nothing has to be kept for it.

    Shapes: grad_output as x; result as x.
    Dtypes: as `dropout_forward`.
    Edge contract: as `dropout_forward`.

    Raises:
        ValueError, TypeError: as `dropout_forward`.
    """
    check_floating(analytic=True, grad_output=grad_output)
    _check_draw(probability, seed)
    return dispatch(dropout_backward, grad_output, probability, seed)


def _check_draw(probability: float, seed: int) -> None:
    if check_number("probability", probability, minimum=0) > 1:
        raise ValueError(f"probability must be at most 1, got {probability}")
    check_integer("seed", seed, minimum=0, bits=64)
