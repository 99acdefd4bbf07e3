"""Gradient clipping against PyTorch's, and what it refuses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from minidnn import Tensor
from minidnn.nn import Parameter
from minidnn.nn.utils import clip_grad_norm_, clip_grad_value_, get_total_norm

SHAPES: tuple[tuple[int, ...], ...] = ((3, 4), (5,), (), (2, 1, 3, 2))


def gradients(dtype: Any, scale: float = 1.0) -> list[np.ndarray]:
    generator = np.random.default_rng(11)
    return [np.array(scale * generator.standard_normal(shape), dtype) for shape in SHAPES]


def with_gradients(arrays: list[np.ndarray]) -> list[Parameter]:
    """Parameters with these gradients, and one that has none."""
    parameters = [Parameter(np.zeros_like(array)) for array in arrays]
    for parameter, array in zip(parameters, arrays, strict=True):
        parameter.grad = Tensor(array.copy())
    return [*parameters, Parameter(np.zeros(2, np.float32))]


def clipped(parameters: list[Parameter]) -> list[np.ndarray]:
    assert parameters[-1].grad is None
    return [parameter.grad.numpy() for parameter in parameters[:-1] if parameter.grad is not None]


def in_torch(arrays: list[np.ndarray], clip: str, *arguments: Any) -> tuple[Any, list[np.ndarray]]:
    torch = pytest.importorskip("torch")
    tensors = [torch.zeros(array.shape, dtype=getattr(torch, str(array.dtype))) for array in arrays]
    for tensor, array in zip(tensors, arrays, strict=True):
        tensor.grad = torch.from_numpy(array.copy())
    result = getattr(torch.nn.utils, clip)([*tensors, torch.zeros(2)], *arguments)
    return result, [tensor.grad.numpy() for tensor in tensors]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("norm_type", [1.0, 2.0, math.inf])
@pytest.mark.parametrize("max_norm", [0.0, 0.3, 1e3])
def test_by_norm_as_pytorch(dtype: Any, norm_type: float, max_norm: float) -> None:
    arrays = gradients(dtype)
    parameters = with_gradients(arrays)
    total = clip_grad_norm_(parameters, max_norm, norm_type)
    want_total, want = in_torch(arrays, "clip_grad_norm_", max_norm, norm_type)
    tolerance = 1e-13 if dtype is np.float64 else 1e-6
    assert total.shape == ()
    assert total.item() == pytest.approx(want_total.item(), rel=tolerance)
    for got, value in zip(clipped(parameters), want, strict=True):
        np.testing.assert_allclose(got, value, rtol=tolerance)
        assert got.dtype == dtype


@pytest.mark.parametrize("value", [0.0, 0.4, 1e3])
def test_by_value_as_pytorch(value: float) -> None:
    arrays = gradients(np.float32)
    parameters = with_gradients(arrays)
    clip_grad_value_(parameters, value)
    _, want = in_torch(arrays, "clip_grad_value_", value)
    for got, expected in zip(clipped(parameters), want, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_by_hand() -> None:
    parameters = with_gradients([np.array([3.0, 0.0]), np.array([[-4.0]])])
    assert clip_grad_norm_(parameters, 1.0).item() == 5.0
    first, second = clipped(parameters)
    np.testing.assert_allclose(first, [3 / 5.000001, 0])
    np.testing.assert_allclose(second, [[-4 / 5.000001]])
    assert get_total_norm(Tensor(np.array([[1.0, -2.0]])), 1.0).item() == 3.0


def test_a_gradient_is_written_in_place_and_one_that_is_short_enough_is_left() -> None:
    parameters = with_gradients(gradients(np.float64))
    held = parameters[0].grad
    assert held is not None
    before = held.numpy().copy()
    clip_grad_norm_(parameters, 1e9)
    np.testing.assert_array_equal(held.numpy(), before)
    clip_grad_norm_(parameters, 1e-3)
    assert parameters[0].grad is held
    assert np.abs(held.numpy()).max() < 1e-3


@pytest.mark.parametrize("worst", [np.inf, np.nan])
def test_norms_that_are_not_finite(worst: float) -> None:
    arrays = gradients(np.float64)
    arrays[1][2] = worst
    with pytest.raises(ValueError, match="total norm of order 2.0 must be finite, got"):
        clip_grad_norm_(with_gradients(arrays), 1.0, error_if_nonfinite=True)
    parameters = with_gradients(arrays)
    _, want = in_torch(arrays, "clip_grad_norm_", 1.0)
    with np.errstate(invalid="ignore"):
        clip_grad_norm_(parameters, 1.0)
    for got, value in zip(clipped(parameters), want, strict=True):
        np.testing.assert_array_equal(got, value)


def test_nothing_to_clip() -> None:
    assert clip_grad_norm_([Parameter(np.zeros(3, np.float32))], 1.0).item() == 0
    assert clip_grad_norm_([], 1.0).item() == 0


def test_what_is_refused() -> None:
    parameters = with_gradients(gradients(np.float32))
    with pytest.raises(ValueError, match="max_norm must be at least 0, got -1"):
        clip_grad_norm_(parameters, -1)
    with pytest.raises(ValueError, match="norm_type must be 1, 2 or infinity, got 3"):
        clip_grad_norm_(parameters, 1, 3)
    with pytest.raises(ValueError, match="clip_value must be at least 0"):
        clip_grad_value_(parameters, -0.5)
    with pytest.raises(TypeError, match="parameters must hold tensors, got float"):
        clip_grad_norm_([1.0], 1)  # type: ignore[list-item]
