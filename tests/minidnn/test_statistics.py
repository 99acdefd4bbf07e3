"""Statistics of arrays, against NumPy in float64."""

from __future__ import annotations

import numpy as np
import pytest

from minidnn import statistics
from minidnn.statistics import BINS, summarize


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(17)


@pytest.fixture(params=[1 << 20, 7], ids=["whole", "in blocks"])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(statistics, "_BLOCK", request.param)
    return int(request.param)


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64, np.uint8, np.bool_])
def test_against_numpy(generator: np.random.Generator, dtype: type) -> None:
    array = (10 * generator.standard_normal((3, 5, 7)) ** 2).astype(dtype)
    array[0, 0] = 0
    found = summarize(array)
    exact = array.astype(np.float64)
    assert (found.minimum, found.maximum) == (exact.min(), exact.max())
    assert found.mean == pytest.approx(exact.mean(), rel=1e-12)
    assert found.standard_deviation == pytest.approx(exact.std(), rel=1e-12)
    assert found.zeros == (exact == 0).sum()
    assert found.not_finite == 0
    counts, edges = np.histogram(exact, BINS)
    assert found.edges == pytest.approx(edges)
    assert found.counts == tuple(counts)
    assert sum(found.counts) == array.size


@pytest.mark.usefixtures("block")
def test_what_is_not_finite_is_counted_and_left_out(generator: np.random.Generator) -> None:
    array = generator.standard_normal((4, 6)).astype(np.float32)
    array[0, 1], array[2, 3], array[3, 3] = np.nan, np.inf, -np.inf
    found = summarize(array)
    kept = array[np.isfinite(array)].astype(np.float64)
    assert found.not_finite == 3
    assert (found.minimum, found.maximum) == (kept.min(), kept.max())
    assert found.mean == pytest.approx(kept.mean(), rel=1e-12)
    assert sum(found.counts) == 21


def test_layout_does_not_matter(generator: np.random.Generator) -> None:
    array = generator.standard_normal((4, 6, 5)).astype(np.float32)
    assert summarize(array.transpose(2, 0, 1)).counts == summarize(array).counts
    assert summarize(np.broadcast_to(np.float32(2.5), (3, 4))).mean == 2.5


def test_equal_elements_have_one_filled_interval() -> None:
    found = summarize(np.full((3, 3), 7.0, np.float32))
    assert max(found.counts) == 9
    assert found.edges[0] < 7 < found.edges[-1]
    assert found.standard_deviation == 0


@pytest.mark.parametrize(
    "array",
    [np.full((2, 2), 1e15, np.float32), np.array([1e16]), np.array([1 / 3, np.nextafter(1 / 3, 1)])],
)
def test_elements_closer_than_numbers_are_counted(array: np.ndarray) -> None:
    found = summarize(array)
    assert sum(found.counts) == array.size
    assert found.edges[0] <= found.minimum <= found.maximum <= found.edges[-1]


@pytest.mark.parametrize("array", [np.zeros((0, 3), np.float32), np.full(2, np.nan)])
def test_nothing_finite_has_no_statistics(array: np.ndarray) -> None:
    assert summarize(array) is None
