"""The multi-class hinge loss: the contracts of both directions."""

from __future__ import annotations

from kernels.array import Array, check_floating, check_integer, check_number
from kernels.loss import (
    check_class_weights,
    check_grad_output,
    check_labels,
    check_reduction,
    check_scores,
)
from kernels.registry import dispatch

__all__ = ["multi_margin_loss_backward", "multi_margin_loss_forward"]


def multi_margin_loss_forward(
    x: Array, target: Array, p: int, margin: float, weight: Array | None, reduction: str
) -> Array:
    """Return l[n] = w[t] / C sum_(c != t) max(0, margin - x[n, t] + x[n, c])^p, where t = target[n].

    "mean" divides the sum by the number of samples.

    Shapes: x (C,) or (N, C); target () or (N,); weight (C,) or None (ones); result target's shape for
        "none", else ().
    Dtypes: x and weight float32 or float64, the same for both and the result; target int64. Computed in
        float64.
    Edge contract: the mean of no samples is NaN. NaN among x gives NaN.
    Source: Weston and Watkins, "Support vector machines for multi-class pattern recognition", ESANN 1999
        (the sum over classes).

    Raises:
        ValueError: a shape other than above, C = 0, a label out of range, p other than 1 or 2, a margin that
            is not finite, or an unknown reduction.
        TypeError: another dtype, mixed dtypes, a p that is no integer, or a margin that is no number.
    """
    check_reduction(reduction)
    margin = _check(x, target, p, margin, weight)
    return dispatch(multi_margin_loss_forward, x, target, p, margin, weight, reduction)


def multi_margin_loss_backward(
    grad_output: Array,
    x: Array,
    target: Array,
    p: int,
    margin: float,
    weight: Array | None,
    reduction: str,
) -> Array:
    """Return the gradient with respect to x. With z[c] = margin - x[t] + x[c] and g as for the other losses:

        dx[n, c] = g[n] w[t] / C p z[c]^(p - 1)   where c != t and z[c] > 0, else 0
        dx[n, t] = -sum_(c != t) dx[n, c]

    Shapes: grad_output as the loss; the others as `multi_margin_loss_forward`; result as x.
    Dtypes: as `multi_margin_loss_forward`, grad_output as x.
    Edge contract: 0 at the kink z = 0, and where z is NaN.

    Raises:
        ValueError, TypeError: as `multi_margin_loss_forward`.
    """
    margin = _check(x, target, p, margin, weight)
    check_floating(x=x, grad_output=grad_output)
    check_grad_output(grad_output, reduction, target.shape)
    return dispatch(multi_margin_loss_backward, grad_output, x, target, p, margin, weight, reduction)


def _check(x: Array, target: Array, p: int, margin: float, weight: Array | None) -> float:
    check_floating(x=x, weight=weight)
    classes, shape = check_scores(x)
    if x.ndim > 2:
        raise ValueError(f"x must have shape (C,) or (N, C), got shape {tuple(x.shape)}")
    check_class_weights(weight, classes)
    check_labels(target, classes, shape)
    if check_integer("p", p) not in (1, 2):
        raise ValueError(f"p must be 1 or 2, got {p!r}")
    return check_number("margin", margin)
