"""The loss of networks with auxiliary heads."""

from __future__ import annotations

from typing import Any

from minidnn.functional import cross_entropy
from minidnn.tensor import Tensor


def auxiliary_loss(output: Any, labels: Any, weight: float = 0.3) -> Tensor:
    """Return the cross-entropy of the logits plus `weight` times that of every auxiliary head.

        loss = CE(logits, labels) + weight * sum over the heads of CE(head's logits, labels)

    Args:
        output: what a model with heads returns in training mode: its logits, then the heads' (None where a
            head was left out). A Tensor alone, as in evaluation mode, has no heads.
        labels: class indices (N,), or probabilities of the logits' shape.
        weight: of the heads.

    Raises:
        TypeError, ValueError: as `minidnn.functional.cross_entropy`.

    Source: Szegedy et al., "Going deeper with convolutions", 2014, section 5.
    """
    logits, *heads = output if isinstance(output, tuple) else (output,)
    loss: Tensor = cross_entropy(logits, labels)
    for head in heads:
        if head is not None:
            loss = loss + weight * cross_entropy(head, labels)
    return loss
