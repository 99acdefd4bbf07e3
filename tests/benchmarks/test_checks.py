"""What is refused: wrong values, and speed that the machine does not have."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.checks import (
    PEAK_MARGIN,
    RefusedError,
    check_speed,
    check_values,
    error,
    rounding_bound,
)

WANT = np.array([1.0, -4.0, 2.0])


def test_the_error_is_relative_to_the_largest_value_of_each_output() -> None:
    got = [WANT + np.array([0.0, 0.0, 0.04]), np.array([1e-3])]
    assert error(got, [WANT, np.array([1.001e-3])]) == pytest.approx(0.01)


@pytest.mark.parametrize(
    "got",
    [
        [],
        [WANT[:2]],
        [np.array([1.0, np.nan, 2.0])],
        [np.array([1.0, np.inf, 2.0])],
    ],
)
def test_what_cannot_be_compared_is_infinitely_wrong(got) -> None:
    assert error(got, [WANT]) == np.inf


def test_infinities_must_stand_where_they_belong() -> None:
    want = np.array([np.inf, 1.0, np.nan])
    assert error([want.copy()], [want]) == 0
    assert error([np.array([-np.inf, 1.0, np.nan])], [want]) == np.inf


def test_integers_must_be_equal() -> None:
    assert error([np.array([1, 2])], [np.array([1, 2])]) == 0
    assert error([np.array([1, 3])], [np.array([1, 2])]) == np.inf


def test_values_beyond_the_bound_are_refused_with_both_numbers() -> None:
    assert check_values("a", "before", 1e-6, 1e-5) == 1e-6
    with pytest.raises(RefusedError, match="a is wrong after timing: relative error 2.0e-05, the bound is 1"):
        check_values("a", "after", 2e-5, 1e-5)
    with pytest.raises(RefusedError):
        check_values("a", "after", float("nan"), 1e-5)


def test_speed_above_the_peak_is_refused() -> None:
    check_speed("a", "FLOP", 100e9 * PEAK_MARGIN, 100e9)
    with pytest.raises(RefusedError, match="a reports 106.0 GFLOP/s, the machine's measured peak is 100.0"):
        check_speed("a", "FLOP", 106e9, 100e9)


def test_the_bound_grows_with_the_root_of_the_sums_length() -> None:
    assert rounding_bound(100) == pytest.approx(80 * 2.0**-23)
    assert rounding_bound(0) == rounding_bound(1)
