"""The matcher by hand, the sampler's counts and its seed."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidnn
from minidnn.detection import BalancedPositiveNegativeSampler, Matcher

# Two objects, six predictions.
QUALITY = np.array([[0.9, 0.6, 0.2, 0.0, 0.4, 0.1], [0.1, 0.7, 0.1, 0.0, 0.5, 0.1]])


def test_thresholds_by_hand() -> None:
    assert Matcher(0.7, 0.5)(QUALITY).tolist() == [0, 1, -1, -1, -2, -1]
    assert Matcher(0.5, 0.5)(QUALITY).tolist() == [0, 1, -1, -1, 1, -1]


def test_every_object_keeps_its_best_prediction() -> None:
    """Nothing reaches 0.95: each object takes its best, and equal bests all."""
    strict = Matcher(0.95, 0.1, allow_low_quality_matches=True)
    assert strict(QUALITY).tolist() == [0, 1, -2, -1, -2, -2]
    tied = np.array([[0.3, 0.3, 0.2]])
    assert strict(tied).tolist() == [0, 0, -2]


def test_a_low_quality_match_goes_to_the_object_that_the_prediction_overlaps_most() -> None:
    """The second object's best prediction overlaps the first object more."""
    quality = np.array([[0.6, 0.1], [0.4, 0.2]])
    assert Matcher(0.9, 0.1, True)(quality).tolist() == [0, -2]


def test_without_objects_all_is_background() -> None:
    assert Matcher(0.7, 0.3, True)(np.zeros((0, 3))).tolist() == [-1, -1, -1]
    assert Matcher(0.7, 0.3, True)(np.zeros((3, 0))).tolist() == []


@settings(max_examples=50)
@given(st.integers(1, 20), st.floats(0, 1), st.lists(st.integers(-1, 2), max_size=40))
def test_the_sampler_keeps_its_shares(size: int, fraction: float, labels: list[int]) -> None:
    array = np.array(labels, np.int64)
    (positive,), (negative,) = BalancedPositiveNegativeSampler(size, fraction)([array])
    assert (array[positive] > 0).all()
    assert (array[negative] == 0).all()
    assert positive.sum() == min(int(size * fraction), (array > 0).sum())
    assert negative.sum() == min(size - positive.sum(), (array == 0).sum())


def test_the_sampler_is_seeded_and_fair() -> None:
    labels = [np.repeat([1, 0], [10, 30])]
    sampler = BalancedPositiveNegativeSampler(8, 0.5)
    drawn = []
    for seed in (4, 4, 5):
        minidnn.manual_seed(seed)
        drawn.append(np.stack([masks[0] for masks in sampler(labels)]))
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
    often = np.sum([np.stack([masks[0] for masks in sampler(labels)]) for _ in range(2000)], axis=0)
    np.testing.assert_allclose(often[0, :10], 2000 * 4 / 10, rtol=0.15)
    np.testing.assert_allclose(often[1, 10:], 2000 * 4 / 30, rtol=0.25)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match=re.escape("low_threshold must not be above 0.3, got 0.7")):
        Matcher(0.3, 0.7)
    with pytest.raises(ValueError, match=re.escape("match_quality_matrix must have shape (M, N), got (3,)")):
        Matcher(0.7, 0.3)(np.zeros(3))
    with pytest.raises(ValueError, match="positive_fraction must be at most 1"):
        BalancedPositiveNegativeSampler(8, 1.5)
    with pytest.raises(ValueError, match="batch_size_per_image must be at least 1"):
        BalancedPositiveNegativeSampler(0, 0.5)
