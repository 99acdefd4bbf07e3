"""What the cases cannot say of the convolutions: refusals, and which kernel runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minidnn import Tensor, functional

X, WEIGHT = np.zeros((2, 4, 5, 6)), np.zeros((6, 2, 3, 2))
TRANSPOSED = np.zeros((4, 3, 3, 2))


@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "message"),
    [
        ((X[0, 0], WEIGHT), {}, ValueError, r"x must have 3 or 4 dimensions, got shape \(5, 6\)"),
        ((X[None], WEIGHT), {}, ValueError, "x must have 3 or 4 dimensions"),
        ((X, WEIGHT[0]), {}, ValueError, r"weight must have 4 dimensions, got shape \(2, 3, 2\)"),
        ((X, WEIGHT), {}, ValueError, r"x has 4 channels but weight \(6, 2, 3, 2\) with groups=1 needs 2"),
        ((X, WEIGHT), {"groups": 4}, ValueError, "groups must divide the 6 channels of weight, got 4"),
        ((X, WEIGHT), {"groups": 0}, ValueError, "groups must be at least 1, got 0"),
        ((X, WEIGHT), {"groups": 2.0}, TypeError, "groups must be an integer, got 2.0"),
        ((X, WEIGHT, np.zeros(4)), {"groups": 2}, ValueError, r"bias must have shape \(6,\), got \(4,\)"),
        ((X, WEIGHT), {"stride": 0}, ValueError, "stride must be at least 1, got 0"),
        ((X, WEIGHT), {"stride": (1, 2, 3)}, ValueError, r"stride must be an integer or \(height, width\)"),
        ((X, WEIGHT), {"dilation": 1.5}, TypeError, "dilation must be an integer, got 1.5"),
        ((X, WEIGHT), {"padding": -1}, ValueError, "padding must be at least 0, got -1"),
        (
            (X, WEIGHT),
            {"padding": "full"},
            ValueError,
            "padding must be integers, 'same' or 'valid', got 'full'",
        ),
        (
            (X, WEIGHT),
            {"padding": "same", "stride": 2},
            ValueError,
            r"'same' needs a stride of 1, got stride \(2, 2\)",
        ),
        ((X, WEIGHT), {"groups": 2, "dilation": 3}, ValueError, "input height 5 .* the window's extent 7"),
        (
            (X.astype(np.float32), WEIGHT),
            {"groups": 2},
            TypeError,
            "weight has dtype float64 but x has float32",
        ),
        ((X.astype(int), WEIGHT), {"groups": 2}, TypeError, "x must have dtype float32 or float64"),
        ((X[:, :, :0], WEIGHT), {"groups": 2}, ValueError, "x must have positive channels, height and width"),
    ],
)
def test_conv2d_refuses(
    arguments: tuple[Any, ...], keywords: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        functional.conv2d(*arguments, **keywords)


@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "message"),
    [
        ((X[0, 0], TRANSPOSED), {}, ValueError, "x must have 3 or 4 dimensions"),
        ((X, TRANSPOSED[0]), {}, ValueError, "weight must have 4 dimensions"),
        ((X[:, :3], TRANSPOSED), {}, ValueError, "x has 3 channels but weight .* needs 4"),
        ((X, TRANSPOSED), {"groups": 3}, ValueError, "groups must divide the 4 channels of weight, got 3"),
        ((X, TRANSPOSED), {"output_padding": 1}, ValueError, r"output_padding must be below .* got \(1, 1\)"),
        ((X, TRANSPOSED), {"output_padding": -1}, ValueError, "output_padding must be at least 0, got -1"),
        ((X, TRANSPOSED), {"padding": "same"}, TypeError, "padding must be an integer, got 'same'"),
        ((X[:, :, :1], TRANSPOSED), {"padding": (2, 0)}, ValueError, r"size \(-1, 7\); it needs >= 1"),
        ((X, TRANSPOSED, np.zeros(2)), {}, ValueError, r"bias must have shape \(3,\), got \(2,\)"),
    ],
)
def test_conv_transpose2d_refuses(
    arguments: tuple[Any, ...], keywords: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        functional.conv_transpose2d(*arguments, **keywords)


@pytest.mark.parametrize(
    ("channels", "filters", "groups", "name"),
    [
        (3, (3, 1, 2, 2), 3, "DepthwiseConv2d"),
        (3, (6, 1, 2, 2), 3, "DepthwiseConv2d"),
        (4, (6, 2, 2, 2), 2, "Conv2d"),
        (1, (6, 1, 2, 2), 1, "Conv2d"),
    ],
)
def test_one_channel_per_group_runs_on_the_depthwise_kernels(
    channels: int, filters: tuple[int, ...], groups: int, name: str
) -> None:
    weight = Tensor(np.ones(filters), requires_grad=True)
    y = functional.conv2d(np.ones((1, channels, 4, 5)), weight, groups=groups)
    assert y.grad_fn is not None
    assert y.grad_fn.name == name


def test_asymmetric_padding_equals_padding_beforehand() -> None:
    generator = np.random.default_rng(0)
    x, weight = generator.normal(size=(2, 3, 5, 6)), generator.normal(size=(4, 3, 3, 2))
    padded = np.pad(x, ((0, 0), (0, 0), (0, 2), (3, 1)))
    got = functional.conv2d(x, weight, stride=2, padding=((0, 2), (3, 1)))
    np.testing.assert_allclose(got.numpy(), functional.conv2d(padded, weight, stride=2).numpy(), rtol=1e-12)


def test_same_with_an_odd_total_pads_more_at_the_end() -> None:
    """One row of taps [1, 10] over [1, 2, 3]: the last output sees the padding."""
    x, weight = np.array([[[[1.0, 2.0, 3.0]]]]), np.array([[[[1.0, 10.0]]]])
    assert functional.conv2d(x, weight, padding="same").numpy().tolist() == [[[[21.0, 32.0, 3.0]]]]


def test_gradients_only_where_needed() -> None:
    weight = Tensor(np.ones((2, 1, 2, 2)), requires_grad=True)
    x = Tensor(np.ones((1, 1, 3, 3)))
    functional.conv2d(x, weight).backward(np.full((1, 2, 2, 2), 0.5))
    assert x.grad is None
    assert weight.grad is not None
    assert np.array_equal(weight.grad.numpy(), np.full((2, 1, 2, 2), 2.0))
