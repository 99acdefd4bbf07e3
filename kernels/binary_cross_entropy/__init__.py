"""Binary cross-entropy of logits, element by element: the contracts.

With p = sigmoid(x), target t in [0, 1], weight w and the positives' weight u:

    l = -w (u t log p + (1 - t) log(1 - p)) = w (u t softplus(-x) + (1 - t) softplus(x))

where softplus(x) = log(1 + e^x) = max(x, 0) + log(1 + e^-|x|) never overflows.

Source: Goodfellow, Bengio and Courville, "Deep Learning", 2016, section 6.2.2.2.
"""

from __future__ import annotations

from kernels.array import Array, check_floating, check_shape
from kernels.loss import check_grad_output, check_probabilities, check_reduction
from kernels.registry import dispatch

__all__ = [
    "binary_cross_entropy_with_logits_backward_input",
    "binary_cross_entropy_with_logits_backward_target",
    "binary_cross_entropy_with_logits_forward",
]


def binary_cross_entropy_with_logits_forward(
    x: Array, target: Array, weight: Array | None, pos_weight: Array | None, reduction: str
) -> Array:
    """Return l = w (u t softplus(-x) + (1 - t) softplus(x)).

    "mean" divides the sum by the number of elements; weights do not count there.

    Shapes: x and target any, alike; weight (w) and pos_weight (u) any that broadcast to x's shape, or None
        (ones); result as x for "none", else ().
    Dtypes: float32, float64 or complex128, the same for all and the result. Computed in float64.
    Edge contract: targets outside [0, 1] are taken as they are, NaN is refused. An infinite x gives inf, or
        NaN where it meets a factor 0. The mean of nothing is NaN.

    Raises:
        ValueError: a shape other than above, NaN in target, or an unknown reduction.
        TypeError: another dtype, or mixed dtypes.
    """
    check_reduction(reduction)
    _check(x, target, weight, pos_weight)
    return dispatch(binary_cross_entropy_with_logits_forward, x, target, weight, pos_weight, reduction)


def binary_cross_entropy_with_logits_backward_input(
    grad_output: Array,
    x: Array,
    target: Array,
    weight: Array | None,
    pos_weight: Array | None,
    reduction: str,
) -> Array:
    """Return the gradient with respect to x: dx = g w ((1 - t) sigmoid(x) - u t sigmoid(-x)).

    g is dy for "none" and "sum", and dy divided by the number of elements for "mean".

    Shapes: grad_output as the loss; the others as `binary_cross_entropy_with_logits_forward`; result as x.
    Dtypes: as `binary_cross_entropy_with_logits_forward`.
    Edge contract: finite for an infinite x.

    Raises:
        ValueError, TypeError: as `binary_cross_entropy_with_logits_forward`.
    """
    _check(x, target, weight, pos_weight)
    check_floating(analytic=True, x=x, grad_output=grad_output)
    check_grad_output(grad_output, reduction, x.shape)
    return dispatch(
        binary_cross_entropy_with_logits_backward_input,
        grad_output,
        x,
        target,
        weight,
        pos_weight,
        reduction,
    )


def binary_cross_entropy_with_logits_backward_target(
    grad_output: Array, x: Array, weight: Array | None, pos_weight: Array | None, reduction: str
) -> Array:
    """Return the gradient with respect to the target: dt = g w (u softplus(-x) - softplus(x)).

    Shapes: grad_output as the loss; the others as `binary_cross_entropy_with_logits_forward`; result as x.
    Dtypes: as `binary_cross_entropy_with_logits_forward`.
    Edge contract: inf with the sign of g at x = -inf, of -g at x = inf.

    Raises:
        ValueError, TypeError: as `binary_cross_entropy_with_logits_forward`.
    """
    _check(x, None, weight, pos_weight)
    check_floating(analytic=True, x=x, grad_output=grad_output)
    check_grad_output(grad_output, reduction, x.shape)
    return dispatch(
        binary_cross_entropy_with_logits_backward_target, grad_output, x, weight, pos_weight, reduction
    )


def _check(x: Array, target: Array | None, weight: Array | None, pos_weight: Array | None) -> None:
    check_floating(analytic=True, x=x, target=target, weight=weight, pos_weight=pos_weight)
    for name, factor in (("weight", weight), ("pos_weight", pos_weight)):
        if factor is not None and not _fits_into(factor.shape, x.shape):
            raise ValueError(
                f"{name} must have a shape that broadcasts to x's {tuple(x.shape)}, got {tuple(factor.shape)}"
            )
    if target is not None:
        check_shape("target", target, x.shape)
        check_probabilities(target)


def _fits_into(small: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether `small` broadcasts to `shape` without stretching it."""
    aligned = shape[len(shape) - len(small) :]
    return len(small) <= len(shape) and all(
        mine in (1, theirs) for mine, theirs in zip(small, aligned, strict=True)
    )
