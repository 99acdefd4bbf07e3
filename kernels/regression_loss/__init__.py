"""Distances between predictions and targets, element by element: squared, absolute and smooth absolute.

All are functions of d = x - target: the gradient with respect to the target is minus that with respect to x.
"mean" divides the sum by the number of elements, or by the sum of the weights where there are weights.
"""

from __future__ import annotations

from kernels.array import Array, check_floating, check_number, check_shape
from kernels.loss import check_grad_output, check_reduction
from kernels.registry import dispatch

__all__ = [
    "l1_loss_backward",
    "l1_loss_forward",
    "mse_loss_backward",
    "mse_loss_forward",
    "smooth_l1_loss_backward",
    "smooth_l1_loss_forward",
]


def mse_loss_forward(x: Array, target: Array, weight: Array | None, reduction: str) -> Array:
    """Return w (x - target)^2.

    Shapes: x, target and weight (or None: ones) any, alike; result the same for "none", else ().
    Dtypes: float32, float64 or complex128, the same for all and the result; sums are accumulated in float64.
    Edge contract: NaN propagates; the mean of nothing is NaN.
    Source: Goodfellow, Bengio and Courville, "Deep Learning", 2016, section 5.5.1.

    Raises:
        ValueError: unequal shapes, or an unknown reduction.
        TypeError: another dtype, or mixed dtypes.
    """
    check_reduction(reduction)
    _check(x, target, weight, analytic=True)
    return dispatch(mse_loss_forward, x, target, weight, reduction)


def mse_loss_backward(
    grad_output: Array, x: Array, target: Array, weight: Array | None, reduction: str
) -> Array:
    """Return the gradient with respect to x: dx = g w 2 (x - target).

    g is dy for "none" and "sum", and dy divided by the number of elements (the sum of weights) for "mean".

    Shapes: grad_output as the loss; the others as `mse_loss_forward`; result as x.
    Dtypes: as `mse_loss_forward`.
    Edge contract: NaN propagates.

    Raises:
        ValueError, TypeError: as `mse_loss_forward`.
    """
    _check(x, target, weight, analytic=True)
    check_floating(analytic=True, x=x, grad_output=grad_output)
    check_grad_output(grad_output, reduction, x.shape)
    return dispatch(mse_loss_backward, grad_output, x, target, weight, reduction)


def l1_loss_forward(x: Array, target: Array, weight: Array | None, reduction: str) -> Array:
    """Return w |x - target|.

    Shapes: x, target and weight (or None: ones) any, alike; result the same for "none", else ().
    Dtypes: float32 or float64, the same for all and the result; sums are accumulated in float64.
    Edge contract: NaN propagates; the mean of nothing is NaN.
    Source: Boyd and Vandenberghe, "Convex Optimization", 2004, section 6.1.1.

    Raises:
        ValueError: unequal shapes, or an unknown reduction.
        TypeError: another dtype, or mixed dtypes.
    """
    check_reduction(reduction)
    _check(x, target, weight)
    return dispatch(l1_loss_forward, x, target, weight, reduction)


def l1_loss_backward(
    grad_output: Array, x: Array, target: Array, weight: Array | None, reduction: str
) -> Array:
    """Return the gradient with respect to x: dx = g w sign(x - target), g as in `mse_loss_backward`.

    Shapes: grad_output as the loss; the others as `l1_loss_forward`; result as x.
    Dtypes: as `l1_loss_forward`.
    Edge contract: 0 at the kink x = target, and where the difference is NaN (PyTorch's sign).

    Raises:
        ValueError, TypeError: as `l1_loss_forward`.
    """
    _check(x, target, weight)
    check_floating(x=x, grad_output=grad_output)
    check_grad_output(grad_output, reduction, x.shape)
    return dispatch(l1_loss_backward, grad_output, x, target, weight, reduction)


def smooth_l1_loss_forward(x: Array, target: Array, beta: float, reduction: str) -> Array:
    """Return d^2 / (2 beta) where |d| < beta, else |d| - beta / 2, with d = x - target.

    Shapes: x and target any, alike; result the same for "none", else ().
    Dtypes: float32 or float64, the same for both and the result; sums are accumulated in float64.
    Edge contract: beta = 0 is |d|. NaN propagates; the mean of nothing is NaN.
    Source: Girshick, "Fast R-CNN", ICCV 2015, equation 3 (beta = 1).

    Raises:
        ValueError: unequal shapes, a beta that is negative or not finite, or an unknown reduction.
        TypeError: another dtype, mixed dtypes, or a beta that is no number.
    """
    check_reduction(reduction)
    _check(x, target)
    return dispatch(smooth_l1_loss_forward, x, target, check_number("beta", beta, minimum=0), reduction)


def smooth_l1_loss_backward(
    grad_output: Array, x: Array, target: Array, beta: float, reduction: str
) -> Array:
    """Return the gradient with respect to x: dx = g d / beta where |d| < beta, else g sign(d).

    Shapes: grad_output as the loss; the others as `smooth_l1_loss_forward`; result as x.
    Dtypes: as `smooth_l1_loss_forward`.
    Edge contract: for beta = 0, 0 at the kink d = 0. NaN propagates.

    Raises:
        ValueError, TypeError: as `smooth_l1_loss_forward`.
    """
    _check(x, target)
    beta = check_number("beta", beta, minimum=0)
    check_floating(x=x, grad_output=grad_output)
    check_grad_output(grad_output, reduction, x.shape)
    return dispatch(smooth_l1_loss_backward, grad_output, x, target, beta, reduction)


def _check(x: Array, target: Array, weight: Array | None = None, *, analytic: bool = False) -> None:
    check_floating(analytic=analytic, x=x, target=target, weight=weight)
    check_shape("target", target, x.shape)
    if weight is not None:
        check_shape("weight", weight, x.shape)
