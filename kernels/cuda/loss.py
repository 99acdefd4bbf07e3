"""The reductions of losses on the GPU: per-sample losses in float64 to what a contract returns, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.cuda.launch import Source, c_type, contiguous, empty_beside
from kernels.elementwise import cast
from kernels.reduction import reduce_sum

SOURCE = Source(__file__, "loss.cu")


@dataclass(frozen=True)
class Divisor:
    """What the sum of the losses is divided by.

    Attributes:
        total: a float64 in device memory, or None.
        number: what counts where that is None.
    """

    total: Any = None
    number: float = 1.0

    def arguments(self) -> tuple[Any, np.float64]:
        """The kernels' parameters `total` and `divisor`."""
        return self.total, np.float64(self.number)


def divisor_of_labels(
    target: Any, weight: Any, classes: int, ignore_index: int, reduction: str, dtype: Any
) -> Divisor:
    """Return the sum of the samples' weights for "mean", else 1."""
    if reduction != "mean":
        return Divisor()
    weights = empty_beside(target, target.shape, np.float64)
    arguments = (*label_arguments(target, weight, ignore_index), weights)
    sizes = np.int64(target.size), np.int64(classes)
    SOURCE.launch_each("sample_weights", target.size, (*arguments, *sizes), {"REAL": c_type(dtype)})
    return Divisor(reduce_sum(weights))


def label_arguments(target: Any, weight: Any, ignore_index: int) -> tuple[Any, Any, np.int64]:
    """The kernels' parameters LABELS."""
    return contiguous(target), contiguous(weight), np.int64(ignore_index)


def reduced(losses: Any, reduction: str, divisor: Divisor, dtype: Any) -> Any:
    """Return the losses, or their sum divided, in the contract's dtype."""
    if reduction == "none":
        return cast(losses, dtype)
    result = empty_beside(losses, (), dtype)
    arguments = (reduce_sum(losses), *divisor.arguments(), result)
    SOURCE.launch("finish_loss", (1,), (1,), arguments, {"REAL": c_type(dtype)})
    return result


def upstream_arguments(grad_output: Any, reduction: str, divisor: Divisor) -> tuple[Any, ...]:
    """The kernels' parameters UPSTREAM."""
    return contiguous(grad_output), np.int32(reduction == "none"), *divisor.arguments()
