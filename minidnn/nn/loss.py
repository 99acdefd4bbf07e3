"""Losses as modules; the formulas, shapes and errors are in `minidnn.functional.loss`."""

from __future__ import annotations

from typing import Any

from kernels.array import check_number
from kernels.loss import check_reduction
from minidnn.functional.loss import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    l1_loss,
    mse_loss,
    multi_margin_loss,
    nll_loss,
    smooth_l1_loss,
)
from minidnn.nn.module import Module
from minidnn.tensor import Tensor, as_tensor


class _Loss(Module):
    """What all losses share.

    Args:
        reduction: "none", "mean" or "sum".

    Raises:
        ValueError: another reduction.
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__()
        check_reduction(reduction)
        self.reduction = reduction

    def _hold(self, name: str, weight: Any) -> None:
        """Keep a weight as a buffer, so that it moves and is saved with the module."""
        self.register_buffer(name, None if weight is None else as_tensor(weight, name=name))


class CrossEntropyLoss(_Loss):
    """Cross-entropy of logits with labels or probabilities; see `minidnn.functional.cross_entropy`.

    Args:
        weight: one factor per class, (C,).
        ignore_index: samples with this label have loss 0 and do not count.
        reduction: "none", "mean" or "sum".
        label_smoothing: how much of the target is spread evenly over all classes.
    """

    weight: Tensor | None

    def __init__(
        self,
        weight: Any = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(reduction=reduction)
        self._hold("weight", weight)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, x: Any, target: Any) -> Tensor:
        """The loss of logits x and target."""
        return cross_entropy(
            x,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(_Loss):
    """Negative log-likelihood of labels under log-probabilities; see `minidnn.functional.nll_loss`.

    Args:
        weight: one factor per class, (C,).
        ignore_index: samples with this label have loss 0 and do not count.
        reduction: "none", "mean" or "sum".
    """

    weight: Tensor | None

    def __init__(self, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self._hold("weight", weight)
        self.ignore_index = ignore_index

    def forward(self, x: Any, target: Any) -> Tensor:
        """The loss of log-probabilities x and labels."""
        return nll_loss(x, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class MultiMarginLoss(_Loss):
    """The multi-class hinge loss; see `minidnn.functional.multi_margin_loss`.

    Args:
        p: 1 or 2.
        margin: how far the label's score must be above the others.
        weight: one factor per class, (C,).
        reduction: "none", "mean" or "sum".

    Raises:
        ValueError: another p, on call.
        TypeError: a margin that is no number.
    """

    weight: Tensor | None

    def __init__(
        self, p: int = 1, margin: float = 1.0, weight: Any = None, *, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction=reduction)
        self._hold("weight", weight)
        self.p = p
        self.margin = check_number("margin", margin)

    def forward(self, x: Any, target: Any) -> Tensor:
        """The loss of scores x and labels."""
        return multi_margin_loss(x, target, self.p, self.margin, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(_Loss):
    """Binary cross-entropy of logits; see `minidnn.functional.binary_cross_entropy_with_logits`.

    Args:
        weight: a factor for each loss, of any shape that broadcasts to the input's.
        reduction: "none", "mean" or "sum".
        pos_weight: a factor for the positive share of each target, likewise.
    """

    weight: Tensor | None
    pos_weight: Tensor | None

    def __init__(self, weight: Any = None, *, reduction: str = "mean", pos_weight: Any = None) -> None:
        super().__init__(reduction=reduction)
        self._hold("weight", weight)
        self._hold("pos_weight", pos_weight)

    def forward(self, x: Any, target: Any) -> Tensor:
        """The loss of logits x and probabilities."""
        return binary_cross_entropy_with_logits(
            x, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class MSELoss(_Loss):
    """Squared distance; see `minidnn.functional.mse_loss`. Argument: see `_Loss`."""

    def forward(self, x: Any, target: Any) -> Tensor:
        """The loss of predictions x and target."""
        return mse_loss(x, target, reduction=self.reduction)


class L1Loss(_Loss):
    """Absolute distance; see `minidnn.functional.l1_loss`. Argument: see `_Loss`."""

    def forward(self, x: Any, target: Any) -> Tensor:
        """The loss of predictions x and target."""
        return l1_loss(x, target, reduction=self.reduction)


class SmoothL1Loss(_Loss):
    """Absolute distance with a rounded corner; see `minidnn.functional.smooth_l1_loss`.

    Args:
        reduction: "none", "mean" or "sum".
        beta: where the rounding ends; 0 leaves the corner.

    Raises:
        ValueError: a beta that is negative or not finite.
        TypeError: a beta that is no number.
    """

    def __init__(self, *, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.beta = check_number("beta", beta, minimum=0)

    def forward(self, x: Any, target: Any) -> Tensor:
        """The loss of predictions x and target."""
        return smooth_l1_loss(x, target, reduction=self.reduction, beta=self.beta)
