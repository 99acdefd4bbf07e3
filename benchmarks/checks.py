"""What a result must pass before it is kept: right values, and no more speed than the machine has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kernels.array import Array

# A version may err by this many times sqrt(K) eps of the largest value, K the length of its sums: the tests'
# bound.
ROUNDING = 8
# How far above the measured peak a result may lie: the peak is itself a measurement on a machine that drifts.
PEAK_MARGIN = 1.05


class RefusedError(Exception):
    """A result that must not be kept, and why."""


def rounding_bound(reduction_length: int, dtype: str = "float32") -> float:
    """What rounding may cost, relative to the largest value: 8 sqrt(K) eps."""
    return ROUNDING * float(np.sqrt(max(reduction_length, 1)) * np.finfo(dtype).eps)


def error(got: Sequence[Array], want: Sequence[Array]) -> float:
    """The largest difference over all outputs, relative to each output's largest magnitude.

    Integer outputs must be equal. A wrong count, shape, or an infinity or NaN out of place counts as
    infinite.
    """
    if len(got) != len(want):
        return float("inf")
    return max((_one_error(ours, theirs) for ours, theirs in zip(got, want, strict=True)), default=0.0)


def _one_error(got: Array, want: Array) -> float:
    if got.shape != want.shape:
        return float("inf")
    if want.dtype.kind in "iub":
        return 0.0 if np.array_equal(got, want) else float("inf")
    finite = np.isfinite(want)
    if not finite.all() and not np.array_equal(got[~finite], want[~finite], equal_nan=True):
        return float("inf")
    if not finite.any():
        return 0.0
    scale = max(float(np.abs(want[finite]).max()), float(np.finfo(np.float32).tiny))
    worst = float(np.abs(got[finite] - want[finite]).max()) / scale
    return worst if np.isfinite(worst) else float("inf")


def check_values(name: str, when: str, found: float, bound: float) -> float:
    """Return the error found, if it is within the bound.

    Raises:
        RefusedError: it is not.
    """
    if not found <= bound:
        raise RefusedError(
            f"{name} is wrong {when} timing: relative error {found:.1e}, the bound is {bound:.1e}"
        )
    return found


def check_speed(name: str, what: str, rate: float, peak: float) -> None:
    """Require a rate that the machine can have.

    Raises:
        RefusedError: the rate is above the measured peak.
    """
    if rate > peak * PEAK_MARGIN:
        raise RefusedError(
            f"{name} reports {rate / 1e9:.1f} G{what}/s, the machine's measured peak is {peak / 1e9:.1f}"
        )
