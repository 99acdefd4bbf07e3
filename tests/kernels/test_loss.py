"""What the losses share: the rows of a batch and the reductions."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.loss import from_samples, label_shape, loss_gradient, reduce_loss, to_samples


@pytest.mark.parametrize("shape", [(4,), (2, 3), (2, 3, 5), (2, 3, 4, 2), (0, 3), (2, 3, 0)])
def test_samples_and_back(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    rows = to_samples(x)
    classes = shape[0] if len(shape) == 1 else shape[1]
    assert rows.shape == (x.size // classes, classes)
    assert rows.dtype == np.float64
    back = from_samples(rows, label_shape(x), np.float32)
    assert back.dtype == np.float32
    assert np.array_equal(back, x)


def test_rows_are_in_the_order_of_the_labels() -> None:
    x = np.arange(24.0).reshape(2, 3, 2, 2)
    rows = to_samples(x).reshape(2, 2, 2, 3)
    assert np.array_equal(rows[1, 0, 1], x[1, :, 0, 1])


def test_reductions() -> None:
    losses = np.array([[1.0, 2.0, 6.0]], np.float32)
    assert reduce_loss(losses, "none", 3, np.float32) is losses
    assert reduce_loss(losses, "sum", 3, np.float32) == 9
    assert reduce_loss(losses, "mean", 4, np.float32) == 2.25
    with np.errstate(all="ignore"):
        assert np.isnan(reduce_loss(losses[:0], "mean", 0, np.float32))
    assert np.array_equal(loss_gradient(np.float32(8), "mean", (1, 3), 4), [[2, 2, 2]])
    assert np.array_equal(loss_gradient(np.float32(8), "sum", (1, 3), 4), [[8, 8, 8]])


def test_sums_keep_the_digits_of_float64() -> None:
    losses = np.full(2**20, 0.1, np.float32)
    assert reduce_loss(losses, "sum", 1, np.float32) == np.float32(2**20 * np.float64(np.float32(0.1)))
