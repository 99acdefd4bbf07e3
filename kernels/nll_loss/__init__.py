"""Negative log-likelihood of labels, for log-probabilities such as log-softmax's: the contracts."""

from __future__ import annotations

from kernels.array import Array, check_floating, check_integer
from kernels.loss import (
    check_class_weights,
    check_grad_output,
    check_labels,
    check_reduction,
    check_scores,
)
from kernels.registry import dispatch

__all__ = ["nll_loss_backward", "nll_loss_forward"]


def nll_loss_forward(
    x: Array, target: Array, weight: Array | None, ignore_index: int, reduction: str
) -> Array:
    """Return l[n] = -w[t[n]] x[n, t[n]], where x holds log-probabilities and t the labels.

    "mean" divides the sum by sum_n w[t[n]] over the samples that are not ignored.

    Shapes: x (C,) or (N, C, d1, ...); target () or (N, d1, ...); weight (C,) or None (ones); result target's
        shape for "none", else ().
    Dtypes: x and weight float32, float64 or complex128, the same for both and the result; target int64.
    Edge contract: a sample whose label is `ignore_index` has loss 0 and does not count; the mean of none is
        NaN.
    Source: Goodfellow, Bengio and Courville, "Deep Learning", 2016, section 5.5.

    Raises:
        ValueError: a shape other than above, C = 0, a label out of range, or an unknown reduction.
        TypeError: another dtype, mixed dtypes, or an ignore_index that is no integer.
    """
    check_reduction(reduction)
    check_floating(analytic=True, x=x, weight=weight)
    classes, shape = check_scores(x)
    check_class_weights(weight, classes)
    ignore_index = check_integer("ignore_index", ignore_index)
    check_labels(target, classes, shape, ignore_index)
    return dispatch(nll_loss_forward, x, target, weight, ignore_index, reduction)


def nll_loss_backward(
    grad_output: Array,
    target: Array,
    classes: int,
    weight: Array | None,
    ignore_index: int,
    reduction: str,
) -> Array:
    """Return the gradient with respect to x: dx[n, c] = -g[n] w[c] where c = t[n], else 0.

    g is dy for "none" and "sum", and dy / sum_n w[t[n]] for "mean". Of x only the number of classes matters.

    Shapes: grad_output as the loss; target and weight as `nll_loss_forward`; result (C,) or (N, C, d1, ...).
    Dtypes: as `nll_loss_forward`, grad_output as x.
    Edge contract: 0 for an ignored sample.

    Raises:
        ValueError, TypeError: as `nll_loss_forward`.
    """
    check_floating(analytic=True, grad_output=grad_output, weight=weight)
    classes = check_integer("classes", classes, minimum=1)
    check_class_weights(weight, classes)
    ignore_index = check_integer("ignore_index", ignore_index)
    check_labels(target, classes, getattr(target, "shape", ()), ignore_index)
    check_grad_output(grad_output, reduction, target.shape)
    return dispatch(nll_loss_backward, grad_output, target, classes, weight, ignore_index, reduction)
