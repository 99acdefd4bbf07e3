"""What ROI pooling and ROI align refuse, and what a case cannot express."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minidnn
from minidnn import functional
from minidnn.tensor import Tensor
from tests.kernels.sample import Draw

X = np.zeros((2, 3, 5, 4))
ROIS = np.array([[0, 0, 0, 3, 3], [1, 1, 1, 2, 4]], float)
BOTH = [functional.roi_pool, functional.roi_align]


@pytest.mark.parametrize("function", BOTH)
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (lambda: (X[0], ROIS, 2), ValueError, "x must have 4 dimensions, got shape (3, 5, 4)"),
        (
            lambda: (X, ROIS[:, 1:], 2),
            ValueError,
            "boxes must have shape (K, 5) or be a list of (L, 4), got (2, 4)",
        ),
        (
            lambda: (X, ROIS[0], 2),
            ValueError,
            "boxes must have shape (K, 5) or be a list of (L, 4), got (5,)",
        ),
        (lambda: (X[:1], ROIS, 2), ValueError, "rois[1, 0] must be a batch index in [0, 1), got 1.0"),
        (lambda: (X, -ROIS, 2), ValueError, "rois[1, 0] must be a batch index in [0, 2), got -1.0"),
        (
            lambda: (X, [ROIS[:, 1:], ROIS[:, 1:], ROIS[:, 1:]], 2),
            ValueError,
            "rois[4, 0] must be a batch index",
        ),
        (lambda: (X, [ROIS, ROIS], 2), ValueError, "boxes[0] must have shape (L, 4), got (2, 5)"),
        (lambda: (X, [ROIS[:, 1:], ROIS[0, 1:]], 2), ValueError, "boxes[1] must have shape (L, 4), got (4,)"),
        (lambda: (X, [], 2), ValueError, "boxes must hold one array per image, got none"),
        (
            lambda: (X, [ROIS[:, 1:], ROIS[:, 1:].astype(np.float32)], 2),
            TypeError,
            "boxes[1] has dtype float32 but boxes[0] has float64",
        ),
        (lambda: (X, [ROIS[:, 1:].astype(int)], 2), TypeError, "boxes must have dtype float32 or float64"),
        (lambda: (X, ROIS.astype(np.float32), 2), TypeError, "rois has dtype float32 but x has float64"),
        (lambda: (X, ROIS, (2, 0)), ValueError, "output_size must be at least 1, got 0"),
        (lambda: (X, ROIS, 2.0), TypeError, "output_size must be an integer, got 2.0"),
        (lambda: (X, ROIS, 2, 0.0), ValueError, "spatial_scale must be positive, got 0.0"),
    ],
)
def test_bad_arguments(
    function: Callable[..., Tensor],
    arguments: Callable[[], tuple[Any, ...]],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        function(*arguments())


def test_sampling_ratio_must_be_an_integer() -> None:
    with pytest.raises(TypeError, match="sampling_ratio must be an integer, got 1.5"):
        functional.roi_align(X, ROIS, 2, sampling_ratio=1.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("function", BOTH)
def test_regions_receive_no_gradient(function: Callable[..., Tensor]) -> None:
    x = minidnn.Tensor(Draw(1).normal(2, 3, 5, 4), requires_grad=True)
    rois = minidnn.Tensor(ROIS, requires_grad=True)
    function(x, rois, 2).backward(Draw(2).normal(2, 3, 2, 2))
    assert rois.grad is None
    assert x.grad is not None
    fixed = function(x.detach(), rois, 2)
    fixed.backward(Draw(2).normal(2, 3, 2, 2))
    assert rois.grad is None


def test_the_paper_s_picture() -> None:
    """1056 x 640 pixels on a 66 x 40 map: (160, 96) to (368, 304) is columns 10 to 23, rows 6 to 19."""
    x = np.zeros((1, 1, 40, 66))
    x[0, 0, 6, 10], x[0, 0, 19, 23], x[0, 0, 5, 10], x[0, 0, 19, 24] = 1, 2, 9, 9
    y = functional.roi_pool(x, [np.array([[160.0, 96, 368, 304]])], 7, 1 / 16).numpy()
    assert y.shape == (1, 1, 7, 7)
    assert y[0, 0, 0, 0] == 1
    assert y[0, 0, 6, 6] == 2
    assert y.sum() == 3
