"""What the ROI align contracts refuse, and its sampling in each dtype against torchvision's."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import kernels
from kernels.roi_align import roi_align_backward, roi_align_forward
from tests.kernels.regions import operators, random_regions
from tests.kernels.roi_align.samples import _forward as torchvision_roi_align
from tests.kernels.sample import Draw
from tests.kernels.tables import host_versions

VERSIONS = host_versions("roi_align_forward")
X = np.zeros((2, 3, 5, 4))
ROIS = np.array([[0, 0, 0, 3, 3], [1, 1, 1, 2, 4]], float)
Y = np.zeros((2, 3, 2, 2))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: roi_align_forward(X[0], ROIS, (2, 2), 1.0, -1, False),
            ValueError,
            "x must have 4 dimensions",
        ),
        (lambda: roi_align_forward(X[..., :0], ROIS, (2, 2), 1.0, -1, False), ValueError, "positive height"),
        (
            lambda: roi_align_forward(X[:1], ROIS, (2, 2), 1.0, -1, False),
            ValueError,
            "rois[1, 0] must be a batch index in [0, 1), got 1.0",
        ),
        (
            lambda: roi_align_forward(X, ROIS[:, :4], (2, 2), 1.0, -1, False),
            ValueError,
            "rois must have shape (K, 5), got (2, 4)",
        ),
        (
            lambda: roi_align_forward(X, np.full_like(ROIS, np.inf), (2, 2), 1.0, -1, False),
            ValueError,
            "rois[0, 0] must be",
        ),
        (
            lambda: roi_align_forward(X, ROIS, (2, 0), 1.0, -1, False),
            ValueError,
            "output_size must be at least 1",
        ),
        (
            lambda: roi_align_forward(X, ROIS, (2, 2), -1.0, -1, False),
            ValueError,
            "spatial_scale must be positive",
        ),
        (
            lambda: roi_align_forward(X, ROIS, (2, 2), 1.0, 1.5, False),
            TypeError,
            "sampling_ratio must be an integer",
        ),
        (
            lambda: roi_align_forward(X.astype(complex), ROIS.astype(np.float32), (2, 2), 1.0, -1, False),
            TypeError,
            "rois has dtype float32 but x has float64",
        ),
        (
            lambda: roi_align_forward(X, ROIS.astype(complex), (2, 2), 1.0, -1, False),
            TypeError,
            "rois must have dtype",
        ),
        (
            lambda: roi_align_backward(Y[:, :2], ROIS, X.shape, 1.0, -1, False),
            ValueError,
            "grad_output must have shape (2, 3, 2, 2), got (2, 2, 2, 2)",
        ),
        (
            lambda: roi_align_backward(Y.astype(np.float32), ROIS, X.shape, 1.0, -1, False),
            TypeError,
            "rois has dtype float64 but grad_output has float32",
        ),
    ],
)
def test_bad_arguments(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_sample_between_four_pixels(version: str) -> None:
    """One sample at the region's centre: (1.25, 1.5), and half a pixel less with `aligned`."""
    x = np.array([[[[0.0, 1, 2], [10, 11, 12], [20, 21, 22]]]])
    rois = np.array([[0, 1, 0.75, 2, 1.75]])
    with kernels.use(roi_align_forward=version):
        assert roi_align_forward(x, rois, (1, 1), 1.0, 1, False).item() == 12.5 + 1.5
        assert roi_align_forward(x, rois, (1, 1), 1.0, 1, True).item() == 7.5 + 1.0


@pytest.mark.parametrize("version", VERSIONS)
def test_pixels_outside_the_region_do_not_reach_it(version: str) -> None:
    x = np.ones((1, 1, 6, 7))
    x[..., 0, :] = np.nan
    x[..., 5] = np.inf
    with kernels.use(roi_align_forward=version):
        y = roi_align_forward(x, np.array([[0, 1, 2, 3.5, 4]]), (2, 2), 1.0, 2, False)
    assert np.all(y == 1)


@pytest.mark.parametrize("version", kernels.versions("roi_align_forward", "reference"))
@pytest.mark.parametrize("ratio", [-1, 2])
def test_it_is_complex_linear_in_x(version: str, ratio: int) -> None:
    draw = Draw(6)
    real, imaginary = draw.normal(2, 3, 6, 5), draw.normal(2, 3, 6, 5)
    options = (0.5, ratio, True)
    rois = np.array([[1, -1, 2, 7, 9.5], [0, 1.25, 0, 6, 3]])
    with kernels.use(roi_align_forward=version, roi_align_backward=version):
        parts = [roi_align_forward(x, rois, (3, 2), *options) for x in (real, imaginary)]
        both = roi_align_forward(real + 1j * imaginary, rois, (3, 2), *options)
        np.testing.assert_allclose(both, parts[0] + 1j * parts[1], rtol=1e-13, atol=1e-14)
        grads = [roi_align_backward(y, rois, real.shape, *options) for y in parts]
        grad = roi_align_backward(both, rois, real.shape, *options)
    np.testing.assert_allclose(grad, grads[0] + 1j * grads[1], rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("scale", "ratio", "aligned"), [(1.0, 3, False), (0.3, -1, False), (1 / 16, 2, True)]
)
def test_random_regions_agree_with_torchvision(scale: float, ratio: int, aligned: bool, dtype: Any) -> None:
    """Up to rounding: 32 times eps for samples at coordinates up to 24."""
    operators()
    x = Draw(4, dtype).normal(2, 2, 13, 17)
    rois = random_regions(30, 2, 16 / scale, dtype)
    want = torchvision_roi_align(x, rois, (5, 3), scale, ratio, aligned)
    for version in VERSIONS:
        with kernels.use(roi_align_forward=version):
            got = roi_align_forward(x, rois, (5, 3), scale, ratio, aligned)
        np.testing.assert_allclose(got, want, rtol=0, atol=32 * np.finfo(dtype).eps, err_msg=version)
