"""Batch normalisation's kernels: what the sample tables cannot say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kernels
from kernels.batch_norm import (
    batch_norm_backward_inference,
    batch_norm_backward_training,
    batch_norm_forward_inference,
    batch_norm_forward_inference_activated,
    batch_norm_forward_training,
)
from tests.kernels.sample import Draw

VERSIONS = kernels.versions("batch_norm_forward_training", "reference")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_large_mean_costs_no_digits(version: str) -> None:
    """E[x^2] - E[x]^2 would lose every digit here; two passes keep them."""
    spread = Draw(1, np.float32).integers(-8, 9, 6, 2, 5, 5).astype(np.float32)
    with kernels.use(backend="reference", batch_norm_forward_training=version):
        near = batch_norm_forward_training(spread, None, None, None, None, 0.1, 1e-5)
        far = batch_norm_forward_training(spread + np.float32(2**17), None, None, None, None, 0.1, 1e-5)
    np.testing.assert_allclose(far[0], near[0], atol=2e-2)  # the mean itself is rounded to 2^-7
    np.testing.assert_allclose(far[2], near[2], rtol=1e-4)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_empty_batch_leaves_the_running_statistics_alone(version: str) -> None:
    mean, var = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    with kernels.use(backend="reference", batch_norm_forward_training=version):
        y, batch_mean, inverse_std = batch_norm_forward_training(
            np.zeros((0, 2, 3)), None, None, mean, var, 0.1, 0.25
        )
    assert y.shape == (0, 2, 3)
    assert batch_mean.tolist() == [0, 0]
    assert inverse_std.tolist() == [2, 2]
    assert (mean.tolist(), var.tolist()) == ([1, 2], [3, 4])


@pytest.mark.parametrize("version", VERSIONS)
def test_the_running_variance_is_unbiased_and_the_normalising_one_biased(version: str) -> None:
    mean, var = np.zeros(1), np.ones(1)
    with kernels.use(backend="reference", batch_norm_forward_training=version):
        y = batch_norm_forward_training(np.array([[1.0], [3.0]]), None, None, mean, var, 0.5, 1e-12)[0]
    np.testing.assert_allclose(y, [[-1], [1]])
    assert mean[0] == 1.0  # 0.5 * 0 + 0.5 * 2
    assert var[0] == 1.5  # 0.5 * 1 + 0.5 * 2, where the biased variance is 1


@pytest.mark.parametrize("training", [True, False])
def test_complex_step_agrees_with_backward(training: bool) -> None:
    draw = Draw(5)
    x, direction, upstream = draw.normal(3, 2, 4), draw.normal(3, 2, 4), draw.normal(3, 2, 4)
    weight, bias, mean, var = draw.normal(2), draw.normal(2), draw.normal(2), draw.uniform(2, low=0.5)
    wide = [array.astype(np.complex128) for array in (x + 1e-30j * direction, weight, bias, mean, var)]
    if training:
        stepped = batch_norm_forward_training(*wide[:3], None, None, 0.1, 1e-3)[0]
        statistics = batch_norm_forward_training(x, weight, bias, None, None, 0.1, 1e-3)[1:]
        grad_x = batch_norm_backward_training(upstream, x, weight, *statistics)[0]
    else:
        stepped = batch_norm_forward_inference(*wide, 1e-3)
        grad_x = batch_norm_backward_inference(upstream, x, weight, mean, var, 1e-3)[0]
    slope = (stepped.imag / 1e-30 * upstream).sum()
    np.testing.assert_allclose(slope, (grad_x * direction).sum(), rtol=1e-12)


def training(**changes: Any) -> Any:
    keywords = {
        "x": np.ones((4, 3)),
        "weight": np.ones(3),
        "bias": np.ones(3),
        "running_mean": np.zeros(3),
        "running_var": np.ones(3),
        "momentum": 0.1,
        "eps": 1e-5,
    }
    return batch_norm_forward_training(**{**keywords, **changes})


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"x": np.ones(3)}, ValueError, r"x must have 2 or 3 or 4 or 5 dimensions, got shape \(3,\)"),
        ({"x": np.ones((2, 3, 1, 1, 1, 1))}, ValueError, "x must have 2 or 3 or 4 or 5 dimensions"),
        (
            {"x": np.ones((1, 3))},
            ValueError,
            r"more than one value per channel in training, got shape \(1, 3\)",
        ),
        ({"x": np.ones((1, 3, 1))}, ValueError, "x must have more than one value per channel"),
        ({"x": np.ones((4, 0))}, ValueError, r"x must have at least one channel, got shape \(4, 0\)"),
        ({"x": np.ones((4, 3), np.int64)}, TypeError, "x must have dtype float32 or .*, got int64"),
        ({"weight": np.ones(2)}, ValueError, r"weight must have shape \(3,\), got \(2,\)"),
        ({"bias": np.ones((3, 1))}, ValueError, r"bias must have shape \(3,\), got \(3, 1\)"),
        ({"running_mean": np.ones(4)}, ValueError, r"running_mean must have shape \(3,\), got \(4,\)"),
        ({"running_var": None}, ValueError, "must be given together, got running_var None"),
        ({"running_mean": None}, ValueError, "must be given together, got running_mean None"),
        ({"weight": np.ones(3, np.float32)}, TypeError, "weight has dtype float32 but x has float64"),
        ({"momentum": "0.1"}, TypeError, "momentum must be a number, got '0.1'"),
        ({"momentum": float("nan")}, ValueError, "momentum must be finite, got nan"),
        ({"eps": 0.0}, ValueError, "eps must be above 0, got 0.0"),
        ({"eps": -1.0}, ValueError, "eps must be above 0, got -1.0"),
    ],
)
def test_training_refuses(changes: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        training(**changes)


def test_the_other_directions_refuse() -> None:
    x, channel = np.ones((4, 3)), np.ones(3)
    with pytest.raises(ValueError, match=r"grad_output must have shape \(4, 3\), got \(4, 2\)"):
        batch_norm_backward_training(np.ones((4, 2)), x, channel, channel, channel)
    with pytest.raises(ValueError, match=r"inverse_std must have shape \(3,\), got \(2,\)"):
        batch_norm_backward_training(x, x, channel, channel, np.ones(2))
    with pytest.raises(ValueError, match="eps must be above 0, got 0"):
        batch_norm_forward_inference(x, None, None, channel, channel, 0)
    with pytest.raises(ValueError, match=r"grad_output must have shape \(4, 3\), got \(3, 4\)"):
        batch_norm_backward_inference(x.T, x, channel, channel, channel, 1e-5)


def test_a_large_mean_costs_the_variance_no_digits() -> None:
    """The mean is a thousand standard deviations: squares of the values themselves would lose six digits."""
    x = (1000 + Draw(4).normal(2, 3, 70, 67)).astype(np.float32)
    _, mean, inverse_std = batch_norm_forward_training(x, None, None, None, None, 0.1, 1e-5)
    wide = x.astype(np.float64)
    np.testing.assert_allclose(mean, wide.mean((0, 2, 3)), rtol=1e-7)
    np.testing.assert_allclose(inverse_std, 1 / np.sqrt(wide.var((0, 2, 3)) + 1e-5), rtol=2e-7)


@pytest.mark.parametrize("activation", ["gelu", None])
def test_an_activation_that_is_none_of_the_endings(activation: str | None) -> None:
    x, channel = np.ones((2, 3)), np.ones(3)
    with pytest.raises(ValueError, match=r"activation must be"):
        batch_norm_forward_inference_activated(x, None, None, channel, channel, 1e-5, activation)
