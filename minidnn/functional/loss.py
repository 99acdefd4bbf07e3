"""Losses as functions.

In each, `reduction` says what is returned: the losses of all samples or elements ("none"), their sum ("sum"),
or their mean ("mean"). Labels are int64 (or uint8). Weights are constants: one that requires grad is refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.array import Array, check_integer
from kernels.binary_cross_entropy import (
    binary_cross_entropy_with_logits_backward_input,
    binary_cross_entropy_with_logits_backward_target,
    binary_cross_entropy_with_logits_forward,
)
from kernels.cross_entropy import (
    cross_entropy_backward,
    cross_entropy_forward,
    soft_cross_entropy_backward_input,
    soft_cross_entropy_backward_target,
    soft_cross_entropy_forward,
)
from kernels.elementwise import negative
from kernels.loss import class_axis, label_shape
from kernels.multi_margin_loss import multi_margin_loss_backward, multi_margin_loss_forward
from kernels.nll_loss import nll_loss_backward, nll_loss_forward
from kernels.regression_loss import (
    l1_loss_backward,
    l1_loss_forward,
    mse_loss_backward,
    mse_loss_forward,
    smooth_l1_loss_backward,
    smooth_l1_loss_forward,
)
from minidnn.autograd import Function
from minidnn.tensor import Tensor, apply, as_tensor

Gradients = tuple[Array | None, ...]


class CrossEntropy(Function):
    """Of labels t: l = -w[t] log p[t], p = softmax(x);  dx = dl w[t] (p - [t])."""

    def __init__(self, ignore_index: int, label_smoothing: float, reduction: str) -> None:
        self.arguments = (ignore_index, label_smoothing, reduction)

    def forward(self, x: Array, target: Array, weight: Array | None) -> Array:
        """Log-softmax and the label's share of it in one operation."""
        self.save(x, target, weight)
        return cross_entropy_forward(x, target, weight, *self.arguments)

    def backward(self, grad_output: Array) -> Gradients:
        """Probabilities minus what was wanted."""
        x, target, weight = self.saved
        return cross_entropy_backward(grad_output, x, target, weight, *self.arguments), None, None


class SoftCrossEntropy(Function):
    """Of probabilities t: l = -sum w t log p, p = softmax(x).

    dx = dl (p sum(w t) - w t), dt = -dl w log p.
    """

    def __init__(self, label_smoothing: float, reduction: str) -> None:
        self.arguments = (label_smoothing, reduction)

    def forward(self, x: Array, target: Array, weight: Array | None) -> Array:
        """Log-softmax and its sum weighted by the target in one operation."""
        self.save(x, target, weight)
        return soft_cross_entropy_forward(x, target, weight, *self.arguments)

    def backward(self, grad_output: Array) -> Gradients:
        """Probabilities minus what was wanted; for the target, log-probabilities."""
        x, target, weight = self.saved
        grad_x = grad_target = None
        if self.needs[0]:
            grad_x = soft_cross_entropy_backward_input(grad_output, x, target, weight, *self.arguments)
        if self.needs[1]:
            grad_target = soft_cross_entropy_backward_target(grad_output, x, weight, *self.arguments)
        return grad_x, grad_target, None


def cross_entropy(
    x: Any,
    target: Any,
    weight: Any = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Return the cross-entropy between softmax(x) and the target: labels, or probabilities of all classes.

        l[n] = -sum_c w[c] q[n, c] log softmax(x[n])[c]
        q = (1 - label_smoothing) t + label_smoothing / C

    where t is 1 at the label and 0 elsewhere, or the given probabilities. "mean" divides the sum by the sum
    of the labels' weights, or for probabilities by the number of samples.

    Shapes: x (C,) or (N, C, d1, ...); target () or (N, d1, ...) for labels, x's shape for probabilities;
        weight (C,); result the shape of labels for "none", else ().
    Dtypes: x, weight and probabilities float32 or float64, one for all; labels int64 or uint8.

    Args:
        x: the logits.
        target: int64 labels in [0, C), or floating probabilities.
        weight: one factor per class.
        ignore_index: samples with this label have loss 0 and do not count; for labels only.
        reduction: "none", "mean" or "sum".
        label_smoothing: how much of the target is spread evenly over all classes, in [0, 1].

    Raises:
        ValueError: a shape other than above, no classes, a label out of range, NaN in target, label_smoothing
            outside [0, 1], an unknown reduction, an ignore_index that is not negative with probabilities, or
            a weight that requires grad.
        TypeError: another dtype, or mixed dtypes.

    Source: Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016, section 7.
    """
    x, target, weight = as_tensor(x), as_tensor(target, name="target"), _constant("weight", weight)
    if target.dtype.kind not in "fc":
        function: Function = CrossEntropy(ignore_index, label_smoothing, reduction)
        return apply(function, x, _labels(x, target), weight)
    if target.shape != x.shape:
        raise TypeError(
            f"target must hold int64 labels of shape {label_shape(x.data)} or probabilities of shape "
            f"{x.shape}, got {target.dtype} of shape {target.shape}"
        )
    if check_integer("ignore_index", ignore_index) >= 0:
        raise ValueError(f"ignore_index needs a target of labels, got {ignore_index} with probabilities")
    return apply(SoftCrossEntropy(label_smoothing, reduction), x, target, weight)


class NLLLoss(Function):
    """l = -w[t] x[t];  dx[t] = -dl w[t], 0 elsewhere."""

    def __init__(self, ignore_index: int, reduction: str) -> None:
        self.arguments = (ignore_index, reduction)

    def forward(self, x: Array, target: Array, weight: Array | None) -> Array:
        """The label's log-probability."""
        self.save(target, weight)
        loss = nll_loss_forward(x, target, weight, *self.arguments)
        self.classes = x.shape[class_axis(x)]
        return loss

    def backward(self, grad_output: Array) -> Gradients:
        """Minus the weight, at the label."""
        target, weight = self.saved
        grad_x = nll_loss_backward(grad_output, target, self.classes, weight, *self.arguments)
        return grad_x, None, None


def nll_loss(
    x: Any, target: Any, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """Return the negative log-likelihood l[n] = -w[t[n]] x[n, t[n]] of labels t under log-probabilities x.

    "mean" divides the sum by the sum of the labels' weights.

    Shapes: x (C,) or (N, C, d1, ...); target () or (N, d1, ...); weight (C,); result target's for "none",
        else ().
    Dtypes: x and weight float32 or float64, one for both; labels int64 or uint8.

    Args:
        x: log-probabilities, such as `log_softmax` returns.
        target: labels in [0, C).
        weight: one factor per class.
        ignore_index: samples with this label have loss 0 and do not count.
        reduction: "none", "mean" or "sum".

    Raises:
        ValueError: a shape other than above, no classes, a label out of range, an unknown reduction, or a
            weight that requires grad.
        TypeError: another dtype, or mixed dtypes.

    Source: Goodfellow, Bengio and Courville, "Deep Learning", 2016, section 5.5.
    """
    x, weight = as_tensor(x), _constant("weight", weight)
    return apply(NLLLoss(ignore_index, reduction), x, _labels(x, as_tensor(target, name="target")), weight)


class MultiMarginLoss(Function):
    """l = w[t] / C sum_(c != t) max(0, z)^p with z = margin - x[t] + x[c].

    dx[c] = dl w[t] / C p z^(p - 1) where z > 0, and dx[t] is minus their sum.
    """

    def __init__(self, p: int, margin: float, reduction: str) -> None:
        self.p = p
        self.margin = margin
        self.reduction = reduction

    def forward(self, x: Array, target: Array, weight: Array | None) -> Array:
        """What comes within the margin of the label's score."""
        self.save(x, target, weight)
        return multi_margin_loss_forward(x, target, self.p, self.margin, weight, self.reduction)

    def backward(self, grad_output: Array) -> Gradients:
        """Down where within the margin, up by as much at the label."""
        x, target, weight = self.saved
        arguments = (x, target, self.p, self.margin, weight, self.reduction)
        return multi_margin_loss_backward(grad_output, *arguments), None, None


def multi_margin_loss(
    x: Any, target: Any, p: int = 1, margin: float = 1.0, weight: Any = None, *, reduction: str = "mean"
) -> Tensor:
    """Return the multi-class hinge loss l[n] = w[t] / C sum_(c != t) max(0, margin - x[n, t] + x[n, c])^p.

    Shapes: x (C,) or (N, C); target () or (N,), t = target[n]; weight (C,); result target's for "none",
        else ().
    Dtypes: x and weight float32 or float64, one for both; labels int64 or uint8.

    Args:
        x: the scores.
        target: labels in [0, C).
        p: 1 or 2.
        margin: how far the label's score must be above the others.
        weight: one factor per class.
        reduction: "none", "mean" (over the samples) or "sum".

    Raises:
        ValueError: a shape other than above, no classes, a label out of range, another p, an unknown
            reduction, or a weight that requires grad.
        TypeError: another dtype, or mixed dtypes.

    Source: Weston and Watkins, "Support vector machines for multi-class pattern recognition", ESANN 1999.
    """
    x, target = as_tensor(x), as_tensor(target, name="target")
    if x.ndim == 1 and target.shape == (1,):
        x = x.reshape(1, *x.shape)  # PyTorch keeps the label's axis here
    function = MultiMarginLoss(p, margin, reduction)
    return apply(function, x, _labels(x, target), _constant("weight", weight))


class BinaryCrossEntropyWithLogits(Function):
    """l = w (u t softplus(-x) + (1 - t) softplus(x)).

    dx = dl w ((1 - t) sigmoid(x) - u t sigmoid(-x)), dt = dl w (u softplus(-x) - softplus(x)).
    """

    def __init__(self, reduction: str) -> None:
        self.reduction = reduction

    def forward(self, x: Array, target: Array, weight: Array | None, pos_weight: Array | None) -> Array:
        """Sigmoid and both log-probabilities in one operation."""
        self.save(x, target, weight, pos_weight)
        return binary_cross_entropy_with_logits_forward(x, target, weight, pos_weight, self.reduction)

    def backward(self, grad_output: Array) -> Gradients:
        """Probabilities minus what was wanted; for the target, the difference of log-probabilities."""
        x, target, weight, pos_weight = self.saved
        grad_x = grad_target = None
        if self.needs[0]:
            grad_x = binary_cross_entropy_with_logits_backward_input(
                grad_output, x, target, weight, pos_weight, self.reduction
            )
        if self.needs[1]:
            grad_target = binary_cross_entropy_with_logits_backward_target(
                grad_output, x, weight, pos_weight, self.reduction
            )
        return grad_x, grad_target, None, None


def binary_cross_entropy_with_logits(
    x: Any, target: Any, weight: Any = None, *, reduction: str = "mean", pos_weight: Any = None
) -> Tensor:
    """Return l = -w (u t log p + (1 - t) log(1 - p)) with p = sigmoid(x), finite for any finite x.

    Shapes: x and target any, alike; weight and pos_weight any that broadcast to it; result the same for
        "none", else ().
    Dtypes: float32 or float64, one for all.

    Args:
        x: the logits.
        target: probabilities t, as a rule 0 or 1.
        weight: a factor w for each loss.
        reduction: "none", "mean" (over the elements) or "sum".
        pos_weight: a factor u for the positive share of each target.

    Raises:
        ValueError: unequal shapes, a weight that does not broadcast or requires grad, NaN in target, or an
            unknown reduction.
        TypeError: another dtype, or mixed dtypes.

    Source: Goodfellow, Bengio and Courville, "Deep Learning", 2016, section 6.2.2.2.
    """
    weight, pos_weight = _constant("weight", weight), _constant("pos_weight", pos_weight)
    x, target = as_tensor(x), as_tensor(target, name="target")
    return apply(BinaryCrossEntropyWithLogits(reduction), x, target, weight, pos_weight)


class MSELoss(Function):
    """l = w (x - t)^2;  dx = dl w 2 (x - t), dt = -dx."""

    def __init__(self, reduction: str) -> None:
        self.reduction = reduction

    def forward(self, x: Array, target: Array, weight: Array | None) -> Array:
        """Squared distance."""
        self.save(x, target, weight)
        return mse_loss_forward(x, target, weight, self.reduction)

    def backward(self, grad_output: Array) -> Gradients:
        """Twice the difference."""
        x, target, weight = self.saved
        return (*_both(self.needs, mse_loss_backward(grad_output, x, target, weight, self.reduction)), None)


def mse_loss(x: Any, target: Any, *, reduction: str = "mean", weight: Any = None) -> Tensor:
    """Return (x - target)^2, times the weight if there is one.

    "mean" divides the sum by the number of elements, or by the sum of the weights.

    Shapes: x, target and weight any, alike; result the same for "none", else ().
    Dtypes: float32 or float64, one for all.

    Raises:
        ValueError: unequal shapes, an unknown reduction, or a weight that requires grad.
        TypeError: another dtype, or mixed dtypes.

    Source: Goodfellow, Bengio and Courville, "Deep Learning", 2016, section 5.5.1.
    """
    return apply(
        MSELoss(reduction), as_tensor(x), as_tensor(target, name="target"), _constant("weight", weight)
    )


class L1Loss(Function):
    """l = w |x - t|;  dx = dl w sign(x - t), dt = -dx."""

    def __init__(self, reduction: str) -> None:
        self.reduction = reduction

    def forward(self, x: Array, target: Array, weight: Array | None) -> Array:
        """Distance."""
        self.save(x, target, weight)
        return l1_loss_forward(x, target, weight, self.reduction)

    def backward(self, grad_output: Array) -> Gradients:
        """The difference's sign."""
        x, target, weight = self.saved
        return (*_both(self.needs, l1_loss_backward(grad_output, x, target, weight, self.reduction)), None)


def l1_loss(x: Any, target: Any, *, reduction: str = "mean", weight: Any = None) -> Tensor:
    """Return |x - target|, times the weight if there is one; the derivative at x = target is 0.

    "mean" divides the sum by the number of elements, or by the sum of the weights.

    Shapes: x, target and weight any, alike; result the same for "none", else ().
    Dtypes: float32 or float64, one for all.

    Raises:
        ValueError: unequal shapes, an unknown reduction, or a weight that requires grad.
        TypeError: another dtype, or mixed dtypes.

    Source: Boyd and Vandenberghe, "Convex Optimization", 2004, section 6.1.1.
    """
    return apply(
        L1Loss(reduction), as_tensor(x), as_tensor(target, name="target"), _constant("weight", weight)
    )


class SmoothL1Loss(Function):
    """l = d^2 / (2 beta) where |d| < beta, else |d| - beta / 2, with d = x - t.

    dx = dl d / beta where |d| < beta, else dl sign(d);  dt = -dx.
    """

    def __init__(self, beta: float, reduction: str) -> None:
        self.arguments = (beta, reduction)

    def forward(self, x: Array, target: Array) -> Array:
        """A parabola between two straight lines."""
        self.save(x, target)
        return smooth_l1_loss_forward(x, target, *self.arguments)

    def backward(self, grad_output: Array) -> Gradients:
        """Proportional to the difference, within [-1, 1]."""
        x, target = self.saved
        return _both(self.needs, smooth_l1_loss_backward(grad_output, x, target, *self.arguments))


def smooth_l1_loss(x: Any, target: Any, *, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """Return d^2 / (2 beta) where |d| < beta, else |d| - beta / 2, with d = x - target.

    Shapes: x and target any, alike; result the same for "none", else ().
    Dtypes: float32 or float64, one for both.

    Args:
        x: the predictions.
        target: what was wanted.
        reduction: "none", "mean" or "sum".
        beta: where the parabola ends; 0 leaves |d|.

    Raises:
        ValueError: unequal shapes, a beta that is negative or not finite, or an unknown reduction.
        TypeError: another dtype, mixed dtypes, or a beta that is no number.

    Source: Girshick, "Fast R-CNN", ICCV 2015, equation 3.
    """
    return apply(SmoothL1Loss(beta, reduction), as_tensor(x), as_tensor(target, name="target"))


def _both(needs: tuple[bool, ...], grad_x: Array) -> Gradients:
    """The gradients of x and target for a loss of their difference."""
    return grad_x if needs[0] else None, negative(grad_x) if needs[1] else None


def _constant(name: str, value: Any) -> Tensor | None:
    """`value` as a Tensor that must not require grad: no loss is differentiated by its weights."""
    if value is None:
        return None
    tensor = as_tensor(value, name=name)
    if tensor.requires_grad:
        raise ValueError(f"{name} must not require grad, since it gets no gradient; pass {name}.detach()")
    return tensor


def _labels(x: Tensor, target: Tensor) -> Tensor:
    """Labels as the kernels take them: int64, and without an axis for a single sample (C,)."""
    if target.dtype == np.uint8:
        target = target.to(np.int64)
    return target.reshape(()) if x.ndim == 1 and target.shape == (1,) else target
