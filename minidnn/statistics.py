"""What an array's elements are like: extremes, moments, a histogram."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kernels.array import Array
from kernels.device import to_host

BINS = 32
# Elements that are converted to float64 at a time: large weights must not be copied whole.
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Statistics:
    """What an array's elements are like. NaN and infinities are counted and left out of everything else.

    Attributes:
        minimum, maximum, mean: of the finite elements.
        standard_deviation: sqrt(mean((x - mean)^2)), over all of them (not their number less one).
        zeros: how many are 0.
        not_finite: how many are NaN or infinite.
        counts: how many lie in each interval of the histogram; sums up to the number of finite elements.
        edges: of the intervals, one more than counts; an interval holds its left edge, the last both.
    """

    minimum: float
    maximum: float
    mean: float
    standard_deviation: float
    zeros: int
    not_finite: int
    counts: tuple[int, ...]
    edges: tuple[float, ...]


def summarize(array: Array) -> Statistics | None:
    """Return the statistics of all elements, in float64; None where no element is finite.

    Args:
        array: of numbers or bool, wherever it lies.
    """
    elements = to_host(array).reshape(-1)
    finite = np.isfinite(elements)
    values = elements if finite.all() else elements[finite]
    if values.size == 0:
        return None
    minimum, maximum = float(values.min()), float(values.max())
    mean = float(sum(block.sum() for block in _blocks(values)) / values.size)
    squares = sum(np.square(block - mean).sum() for block in _blocks(values))
    margin = 0.5 if minimum == maximum else 0.0
    # Edges may repeat where floating-point numbers lie no closer.
    edges = np.linspace(minimum - margin, maximum + margin, BINS + 1)
    counts = sum(np.histogram(block, edges)[0] for block in _blocks(values))
    return Statistics(
        minimum=minimum,
        maximum=maximum,
        mean=mean,
        standard_deviation=float(np.sqrt(squares / values.size)),
        zeros=int(values.size - np.count_nonzero(values)),
        not_finite=int(elements.size - values.size),
        counts=tuple(np.asarray(counts).tolist()),
        edges=tuple(edges.tolist()),
    )


def _blocks(values: Array) -> Iterator[npt.NDArray[np.float64]]:
    for start in range(0, values.size, _BLOCK):
        yield values[start : start + _BLOCK].astype(np.float64)
