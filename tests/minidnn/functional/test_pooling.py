"""What pooling refuses, and what a case cannot express."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minidnn
from minidnn import functional
from tests.kernels.sample import Draw

X = np.zeros((2, 3, 5, 4))
Y = np.zeros((2, 3, 2, 2))
INDICES = np.zeros((2, 3, 2, 2), np.int64)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: functional.max_pool2d(X[0, 0], 2),
            ValueError,
            "x must have 3 or 4 dimensions, got shape (5, 4)",
        ),
        (lambda: functional.avg_pool2d(X[None], 2), ValueError, "x must have 3 or 4 dimensions"),
        (lambda: functional.adaptive_avg_pool2d(X[0, 0], 2), ValueError, "x must have 3 or 4 dimensions"),
        (
            lambda: functional.adaptive_max_pool2d(X[None], (2, 2)),
            ValueError,
            "x must have 3 or 4 dimensions",
        ),
        (lambda: functional.max_unpool2d(Y[0, 0], INDICES, 2), ValueError, "x must have 3 or 4 dimensions"),
        (lambda: functional.max_pool2d(X[0, :0], 2), ValueError, "positive channels, height and width"),
        (lambda: functional.max_pool2d(X, 0), ValueError, "kernel_size must be at least 1, got 0"),
        (
            lambda: functional.max_pool2d(X, (2, 2, 2)),
            ValueError,
            "kernel_size must be an integer or (height, width)",
        ),
        (lambda: functional.max_pool2d(X, 2.5), TypeError, "kernel_size must be an integer, got 2.5"),
        (lambda: functional.max_pool2d(X, 2, 0), ValueError, "stride must be at least 1, got 0"),
        (lambda: functional.max_pool2d(X, 2, 1, -1), ValueError, "padding must be at least 0, got -1"),
        (lambda: functional.max_pool2d(X, 2, 1, 0, 0), ValueError, "dilation must be at least 1, got 0"),
        (
            lambda: functional.max_pool2d(X, 3, 1, 2),
            ValueError,
            "padding must be at most half of kernel_size (3, 3)",
        ),
        (lambda: functional.max_pool2d(X, 6), ValueError, "input height 5 with padding 0 + 0 is smaller"),
        (lambda: functional.max_pool2d(X.astype(int), 2), TypeError, "x must have dtype float32 or float64"),
        (
            lambda: functional.avg_pool2d(X, 2, divisor_override=0),
            ValueError,
            "divisor_override must not be 0",
        ),
        (
            lambda: functional.avg_pool2d(X, 2, divisor_override=0.5),
            TypeError,
            "divisor_override must be an integer",
        ),
        (
            lambda: functional.adaptive_avg_pool2d(X, (2, -1)),
            ValueError,
            "output_size must be at least 0, got -1",
        ),
        (
            lambda: functional.adaptive_max_pool2d(X, (2, 2, 2)),
            ValueError,
            "output_size must be an integer or",
        ),
        (
            lambda: functional.adaptive_max_pool2d(X, 2.0),
            TypeError,
            "output_size must be an integer, got 2.0",
        ),
        (
            lambda: functional.max_unpool2d(Y, INDICES, 2, output_size=(6, 4)),
            ValueError,
            "output_size must differ from (4, 4) by less than the stride (2, 2), got (6, 4)",
        ),
        (
            lambda: functional.max_unpool2d(Y, INDICES, 2, output_size=(3, 4, 4)),
            ValueError,
            "output_size must be (H, W) or (N, C, H, W), got (3, 4, 4)",
        ),
        (
            lambda: functional.max_unpool2d(Y, INDICES + 16, 2),
            ValueError,
            "indices must lie in [0, 16) for planes of (4, 4), got 16",
        ),
        (
            lambda: functional.max_unpool2d(Y, INDICES[0], 2),
            ValueError,
            "indices must have shape (2, 3, 2, 2)",
        ),
        (lambda: functional.max_unpool2d(Y, Y, 2), TypeError, "indices must be an int64 array, got float64"),
    ],
)
def test_bad_arguments(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


def test_indices_carry_no_gradient() -> None:
    x = minidnn.Tensor(Draw(1).normal(2, 3, 4, 6), requires_grad=True)
    y, indices = functional.max_pool2d(x, 2, return_indices=True)
    assert y.requires_grad
    assert not indices.requires_grad
    assert indices.dtype == np.int64


def test_changed_indices_are_noticed_by_backward() -> None:
    x = minidnn.Tensor(Draw(1).normal(2, 3, 4, 6), requires_grad=True)
    y, indices = functional.max_pool2d(x, 2, return_indices=True)
    indices.data = np.zeros_like(indices.numpy())
    with pytest.raises(
        ValueError, match="an array that the backward of MaxPool2d needs was changed in place"
    ):
        y.backward(Draw(2).normal(2, 3, 2, 3))


def test_asymmetric_padding_sees_one_side_only() -> None:
    """((top, bottom), (left, right)), which PyTorch does not have: -inf loses, 0 counts in the mean."""
    x = -np.arange(1.0, 5.0).reshape(1, 1, 2, 2)
    maxima = functional.max_pool2d(x, 2, 1, ((1, 0), (0, 1)))
    means = functional.avg_pool2d(x, 2, 1, ((1, 0), (0, 1)))
    assert maxima.numpy().tolist() == [[[[-1, -2], [-1, -2]]]]
    assert means.numpy().tolist() == [[[[-0.75, -0.5], [-2.5, -1.5]]]]


def test_unpooling_restores_the_maxima() -> None:
    x = Draw(3).normal(2, 3, 6, 5)
    y, indices = functional.max_pool2d(x, 2, return_indices=True)
    restored = functional.max_unpool2d(y, indices, 2, output_size=x.shape).numpy()
    assert restored.shape == x.shape
    kept = restored != 0
    assert kept.sum() == y.numpy().size
    assert np.array_equal(restored[kept], x[kept])


def test_lists_become_float32() -> None:
    y = functional.avg_pool2d([[[1.0, 2.0], [3.0, 4.0]]], 2)
    assert y.dtype == np.float32
    assert y.item() == 2.5
