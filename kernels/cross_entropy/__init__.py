"""Cross-entropy of logits: log-softmax and negative log-likelihood in one operation.

With p = softmax(x) over the C classes, class weights w and label smoothing e, the loss of one sample is

    l = - sum_c w[c] q[c] log p[c],        q[c] = (1 - e) t[c] + e / C

where t is the wanted distribution: given as such (`soft_...`), or 1 at the sample's label and 0 elsewhere.
Its gradient is

    dl/dx[c] = p[c] (sum_j w[j] q[j]) - w[c] q[c]

Source: Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016, section 7
(label smoothing); Goodfellow, Bengio and Courville, "Deep Learning", 2016, section 6.2.2.3 (softmax units).
"""

from __future__ import annotations

from kernels.array import Array, check_floating, check_integer, check_number, check_shape
from kernels.loss import (
    check_class_weights,
    check_grad_output,
    check_labels,
    check_probabilities,
    check_reduction,
    check_scores,
)
from kernels.registry import dispatch

__all__ = [
    "cross_entropy_backward",
    "cross_entropy_forward",
    "soft_cross_entropy_backward_input",
    "soft_cross_entropy_backward_target",
    "soft_cross_entropy_forward",
]


def cross_entropy_forward(
    x: Array,
    target: Array,
    weight: Array | None,
    ignore_index: int,
    label_smoothing: float,
    reduction: str,
) -> Array:
    """Return the cross-entropy of logits with labels t.

        l[n] = -(1 - e) w[t[n]] log p[n, t[n]] - e / C sum_c w[c] log p[n, c]

    "mean" divides the sum by sum_n w[t[n]] over the samples that are not ignored.

    Shapes: x (C,) or (N, C, d1, ...); target () or (N, d1, ...); weight (C,) or None (ones); result target's
        shape for "none", else ().
    Dtypes: x and weight float32, float64 or complex128, the same for both and the result; target int64.
        Sums are taken in float64.
    Edge contract: a sample whose label is `ignore_index` has loss 0 whatever x holds, and does not count; the
        mean of none is NaN. A label's logit of -inf gives inf; others do no harm without smoothing.

    Raises:
        ValueError: a shape other than above, C = 0, a label out of range, a label_smoothing outside [0, 1],
            or an unknown reduction.
        TypeError: another dtype, mixed dtypes, or an ignore_index that is no integer.
    """
    check_reduction(reduction)
    ignore_index, label_smoothing = _check(x, target, weight, ignore_index, label_smoothing)
    return dispatch(cross_entropy_forward, x, target, weight, ignore_index, label_smoothing, reduction)


def cross_entropy_backward(
    grad_output: Array,
    x: Array,
    target: Array,
    weight: Array | None,
    ignore_index: int,
    label_smoothing: float,
    reduction: str,
) -> Array:
    """Return the gradient with respect to x: dx[n, c] = g[n] (p[c] sum_j w[j] q[j] - w[c] q[c]).

    g is dy for "none" and "sum", and dy / sum_n w[t[n]] for "mean".

    Shapes: grad_output as the loss; the others as `cross_entropy_forward`; result as x.
    Dtypes: as `cross_entropy_forward`, grad_output as x.
    Edge contract: 0 for an ignored sample.

    Raises:
        ValueError, TypeError: as `cross_entropy_forward`.
    """
    ignore_index, label_smoothing = _check(x, target, weight, ignore_index, label_smoothing)
    check_floating(analytic=True, x=x, grad_output=grad_output)
    check_grad_output(grad_output, reduction, target.shape)
    return dispatch(
        cross_entropy_backward, grad_output, x, target, weight, ignore_index, label_smoothing, reduction
    )


def soft_cross_entropy_forward(
    x: Array, target: Array, weight: Array | None, label_smoothing: float, reduction: str
) -> Array:
    """Return the cross-entropy of logits with wanted probabilities, l[n] = -sum_c w[c] q[c] log p[c].

    "mean" divides the sum by the number of samples; class weights do not count there.

    Shapes: x and target (C,) or (N, C, d1, ...); weight (C,) or None (ones); result x's shape without the
        classes for "none", else ().
    Dtypes: float32, float64 or complex128, the same for all and the result. Computed in float64.
    Edge contract: the probabilities need not sum to 1. A logit of -inf gives inf where q > 0 and NaN where
        q = 0. The mean of no samples is NaN.

    Raises:
        ValueError: a shape other than above, C = 0, NaN in target, a label_smoothing outside [0, 1], or an
            unknown reduction.
        TypeError: another dtype, or mixed dtypes.
    """
    check_reduction(reduction)
    label_smoothing = _check_soft(x, target, weight, label_smoothing)
    return dispatch(soft_cross_entropy_forward, x, target, weight, label_smoothing, reduction)


def soft_cross_entropy_backward_input(
    grad_output: Array,
    x: Array,
    target: Array,
    weight: Array | None,
    label_smoothing: float,
    reduction: str,
) -> Array:
    """Return the gradient with respect to x: dx[n, c] = g[n] (p[c] sum_j w[j] q[j] - w[c] q[c]).

    g is dy for "none" and "sum", and dy divided by the number of samples for "mean".

    Shapes: grad_output as the loss; the others as `soft_cross_entropy_forward`; result as x.
    Dtypes: as `soft_cross_entropy_forward`, grad_output as x.
    Edge contract: no samples give an empty result.

    Raises:
        ValueError, TypeError: as `soft_cross_entropy_forward`.
    """
    label_smoothing = _check_soft(x, target, weight, label_smoothing)
    check_floating(analytic=True, x=x, grad_output=grad_output)
    check_grad_output(grad_output, reduction, check_scores(x)[1])
    return dispatch(
        soft_cross_entropy_backward_input, grad_output, x, target, weight, label_smoothing, reduction
    )


def soft_cross_entropy_backward_target(
    grad_output: Array, x: Array, weight: Array | None, label_smoothing: float, reduction: str
) -> Array:
    """Return the gradient with respect to the target: dt[n, c] = -g[n] (1 - e) w[c] log p[c].

    Shapes: grad_output as the loss; the others as `soft_cross_entropy_forward`; result as x.
    Dtypes: as `soft_cross_entropy_forward`, grad_output as x.
    Edge contract: a logit of -inf gives inf in g's direction.

    Raises:
        ValueError, TypeError: as `soft_cross_entropy_forward`.
    """
    label_smoothing = _check_soft(x, None, weight, label_smoothing)
    check_floating(analytic=True, x=x, grad_output=grad_output)
    check_grad_output(grad_output, reduction, check_scores(x)[1])
    return dispatch(soft_cross_entropy_backward_target, grad_output, x, weight, label_smoothing, reduction)


def _check(
    x: Array, target: Array, weight: Array | None, ignore_index: int, label_smoothing: float
) -> tuple[int, float]:
    check_floating(analytic=True, x=x, weight=weight)
    classes, shape = check_scores(x)
    check_class_weights(weight, classes)
    ignore_index = check_integer("ignore_index", ignore_index)
    check_labels(target, classes, shape, ignore_index)
    return ignore_index, _check_smoothing(label_smoothing)


def _check_soft(x: Array, target: Array | None, weight: Array | None, label_smoothing: float) -> float:
    check_floating(analytic=True, x=x, target=target, weight=weight)
    classes, _ = check_scores(x)
    check_class_weights(weight, classes)
    if target is not None:
        check_shape("target", target, x.shape)
        check_probabilities(target)
    return _check_smoothing(label_smoothing)


def _check_smoothing(label_smoothing: float) -> float:
    number = check_number("label_smoothing", label_smoothing, minimum=0)
    if number > 1:
        raise ValueError(f"label_smoothing must be at most 1, got {number}")
    return number
