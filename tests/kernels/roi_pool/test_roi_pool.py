"""What the ROI pooling contracts refuse, and the rounding of each dtype against torchvision's."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import kernels
from kernels.roi_pool import roi_pool_backward, roi_pool_forward
from tests.kernels.regions import operators, random_regions
from tests.kernels.roi_pool.samples import _forward as torchvision_roi_pool
from tests.kernels.sample import Draw
from tests.kernels.tables import host_versions

VERSIONS = host_versions("roi_pool_forward")
X = np.zeros((2, 3, 5, 4))
ROIS = np.array([[0, 0, 0, 3, 3], [1, 1, 1, 2, 4]], float)
Y = np.zeros((2, 3, 2, 2))
ARGMAX = np.zeros((2, 3, 2, 2), np.int64)


def changed(row: int, column: int, value: float) -> np.ndarray:
    rois = ROIS.copy()
    rois[row, column] = value
    return rois


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: roi_pool_forward(X[0], ROIS, (2, 2), 1.0), ValueError, "x must have 4 dimensions"),
        (lambda: roi_pool_forward(X[:, :, :0], ROIS, (2, 2), 1.0), ValueError, "positive height and width"),
        (
            lambda: roi_pool_forward(X, ROIS[:, 1:], (2, 2), 1.0),
            ValueError,
            "rois must have shape (K, 5), got (2, 4)",
        ),
        (
            lambda: roi_pool_forward(X, ROIS[0], (2, 2), 1.0),
            ValueError,
            "rois must have shape (K, 5), got (5,)",
        ),
        (
            lambda: roi_pool_forward(X, changed(1, 0, 2), (2, 2), 1.0),
            ValueError,
            "rois[1, 0] must be a batch index in [0, 2), got 2.0",
        ),
        (lambda: roi_pool_forward(X, changed(0, 0, -1), (2, 2), 1.0), ValueError, "rois[0, 0] must be"),
        (lambda: roi_pool_forward(X, changed(0, 0, 0.5), (2, 2), 1.0), ValueError, "[0, 2), got 0.5"),
        (lambda: roi_pool_forward(X, changed(0, 0, np.nan), (2, 2), 1.0), ValueError, "[0, 2), got nan"),
        (
            lambda: roi_pool_forward(X, changed(1, 3, np.inf), (2, 2), 1.0),
            ValueError,
            "rois[1] must have finite corners within 2^30, got [1.0, 1.0, inf, 4.0]",
        ),
        (
            lambda: roi_pool_forward(X, changed(0, 2, np.nan), (2, 2), 1.0),
            ValueError,
            "rois[0] must have finite",
        ),
        (lambda: roi_pool_forward(X, changed(0, 2, 1e6), (2, 2), 1e6), ValueError, "within 2^30"),
        (lambda: roi_pool_forward(X, ROIS, (0, 2), 1.0), ValueError, "output_size must be at least 1, got 0"),
        (
            lambda: roi_pool_forward(X, ROIS, (2, 2), 0.0),
            ValueError,
            "spatial_scale must be positive, got 0",
        ),
        (lambda: roi_pool_forward(X, ROIS, (2, 2), np.nan), ValueError, "spatial_scale must be finite"),
        (
            lambda: roi_pool_forward(X, ROIS.astype(np.float32), (2, 2), 1.0),
            TypeError,
            "rois has dtype float32 but x has float64; both need the same dtype",
        ),
        (lambda: roi_pool_forward(X.astype(complex), ROIS, (2, 2), 1.0), TypeError, "got complex128"),
        (
            lambda: roi_pool_backward(Y[:1], ARGMAX, ROIS, X.shape),
            ValueError,
            "grad_output must have shape (2, 3, 2, 2), got (1, 3, 2, 2)",
        ),
        (
            lambda: roi_pool_backward(Y, ARGMAX + 20, ROIS, X.shape),
            ValueError,
            "argmax must lie in [-1, 20) for planes of (5, 4), got 20",
        ),
        (lambda: roi_pool_backward(Y, ARGMAX, changed(0, 0, 3), X.shape), ValueError, "rois[0, 0] must be"),
    ],
)
def test_bad_arguments(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


@pytest.mark.parametrize("version", VERSIONS)
def test_halves_round_away_from_zero(version: str) -> None:
    """Corners 0.5 and 2.5 are pixels 1 and 3; -0.5 is pixel -1 (rounding to even would say 0, 2 and 0)."""
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    rois = np.array([[0, 0.5, 0.5, 2.5, 2.5], [0, -0.5, -0.5, 0, 0]])
    with kernels.use(roi_pool_forward=version):
        y, argmax = roi_pool_forward(x, rois, (1, 1), 1.0)
        corners = roi_pool_forward(-x, rois, (1, 1), 1.0)[0]
    assert y.ravel().tolist() == [15, 0]
    assert argmax.ravel().tolist() == [15, 0]
    assert corners.ravel().tolist() == [-5, 0]


@pytest.mark.parametrize("version", VERSIONS)
def test_empty_bins_give_zero_and_no_argmax(version: str) -> None:
    """Columns 2..5 of a plane of 4: the second of two bins lies outside."""
    x = np.full((1, 1, 2, 4), -1.0)
    with kernels.use(roi_pool_forward=version):
        y, argmax = roi_pool_forward(x, np.array([[0, 2, 0, 5, 1]], float), (1, 2), 1.0)
    assert y.tolist() == [[[[-1, 0]]]]
    assert argmax.tolist() == [[[[2, -1]]]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("version", VERSIONS)
def test_bin_edges_round_in_the_dtype(version: str, dtype: Any) -> None:
    """L / OH comes first, so 57 / 7 * 7 exceeds 57 in float32, and 29 / 7 * 7 exceeds 29 in float64."""
    operators()
    x = Draw(3, dtype).normal(1, 2, 66, 66)
    for length, bins in ((57, 7), (29, 7), (58, 7), (47, 11), (25, 11), (14, 13)):
        rois = np.array([[0, 1, 0, length, length - 1], [0, 4, 3, 3 + length, 2 + length]], dtype)
        with kernels.use(roi_pool_forward=version):
            got = roi_pool_forward(x, rois, (bins, bins), 1.0)
        for ours, theirs in zip(got, torchvision_roi_pool(x, rois, (bins, bins), 1.0), strict=True):
            assert np.array_equal(ours, theirs), (length, bins)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1.0, 0.3, 1 / 16, 0.7])
def test_random_regions_agree_with_torchvision_exactly(scale: float, dtype: Any) -> None:
    operators()
    x = Draw(4, dtype).normal(2, 2, 13, 17)
    rois = random_regions(40, 2, 16 / scale, dtype)
    for version in VERSIONS:
        with kernels.use(roi_pool_forward=version):
            got = roi_pool_forward(x, rois, (5, 3), scale)
        for ours, theirs in zip(got, torchvision_roi_pool(x, rois, (5, 3), scale), strict=True):
            assert np.array_equal(ours, theirs), version
