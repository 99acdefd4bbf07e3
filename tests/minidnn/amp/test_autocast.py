"""What runs in float16 and what does not: values and gradients against float64 on rounded operands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from minidnn import Tensor, amp, functional, no_grad

# name: the function, and the shapes of x, weight and bias
LAYERS: dict[str, tuple[Callable[..., Tensor], tuple[tuple[int, ...], ...]]] = {
    "conv2d": (
        lambda x, w, b: functional.conv2d(x, w, b, stride=(1, 2), padding=1, groups=2),
        ((2, 4, 5, 6), (6, 2, 3, 2), (6,)),
    ),
    "linear": (functional.linear, ((3, 4, 5), (7, 5), (7,))),
}


def drawn(generator: np.random.Generator, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    return [generator.standard_normal(shape).astype(np.float32) for shape in shapes]


def rounded(array: np.ndarray) -> np.ndarray:
    """To halves, kept in float64."""
    return array.astype(np.float16).astype(np.float64)


def leaves(arrays: list[np.ndarray]) -> list[Tensor]:
    return [Tensor(array, requires_grad=True) for array in arrays]


def assert_close_to_rounding(got: Any, want: np.ndarray) -> None:
    """One rounding to half, of a sum in float32."""
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, rounded(want), rtol=2.0**-10, atol=1e-5)
    np.testing.assert_array_equal(got, rounded(got))


@pytest.mark.parametrize("name", LAYERS)
def test_operands_are_halves_and_results_single(name: str, generator: np.random.Generator) -> None:
    function, shapes = LAYERS[name]
    arrays = drawn(generator, *shapes)
    operands, truth = leaves(arrays), leaves([rounded(array) for array in arrays])
    with amp.autocast():
        y = function(*operands)
    want = function(*truth)
    assert_close_to_rounding(y.detach().numpy(), want.detach().numpy())
    (upstream,) = drawn(generator, y.shape)
    y.backward(Tensor(upstream))
    want.backward(Tensor(rounded(upstream)))
    for leaf, true in zip(operands, truth, strict=True):
        assert_close_to_rounding(leaf.grad.numpy(), true.grad.numpy())  # type: ignore[union-attr]


@pytest.mark.parametrize("name", LAYERS)
def test_without_gradients_and_without_bias(name: str, generator: np.random.Generator) -> None:
    function, shapes = LAYERS[name]
    x, weight = drawn(generator, *shapes[:2])
    with amp.autocast(), no_grad():
        y = function(x, weight, None)
    assert_close_to_rounding(y.numpy(), function(rounded(x), rounded(weight), None).numpy())


def test_small_gradients_are_lost_unless_the_loss_is_scaled(generator: np.random.Generator) -> None:
    """2^-26 is half of half's smallest number."""
    x, w = drawn(generator, (4, 3), (2, 3))
    gradients = []
    for scaler in (amp.GradScaler(enabled=False), amp.GradScaler(init_scale=2.0**20)):
        weight = Tensor(w, requires_grad=True)
        with amp.autocast():
            loss = functional.linear(x, weight).sum() * 2.0**-26
        scaler.scale(loss).backward()
        gradients.append(weight.grad.numpy() / scaler.get_scale())  # type: ignore[union-attr]
    want = np.tile(x.sum(0), (2, 1)) * 2.0**-26
    assert not gradients[0].any()
    np.testing.assert_allclose(gradients[1], want, rtol=0.005, atol=2.0**-34)


def test_everything_else_stays_as_it_is(generator: np.random.Generator) -> None:
    x, depthwise, w = drawn(generator, (1, 3, 4, 4), (3, 1, 2, 2), (2, 3, 1, 1))
    cases: dict[str, Callable[[], Tensor]] = {
        "depthwise": lambda: functional.conv2d(x, depthwise, groups=3),
        "float64": lambda: functional.conv2d(x.astype(np.float64), w.astype(np.float64)),
        "transposed": lambda: functional.conv_transpose2d(x, depthwise),
        "softmax": lambda: functional.softmax(Tensor(x), 1),
    }
    for name, case in cases.items():
        want = case().numpy()
        with amp.autocast():
            got = case().numpy()
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want, err_msg=name)


def test_an_inner_context_may_turn_it_off(generator: np.random.Generator) -> None:
    x, w = drawn(generator, (2, 3), (4, 3))
    exact = functional.linear(x, w).numpy()
    with amp.autocast():
        half = functional.linear(x, w).numpy()
        with amp.autocast(enabled=False):
            np.testing.assert_array_equal(functional.linear(x, w).numpy(), exact)
        np.testing.assert_array_equal(functional.linear(x, w).numpy(), half)
    assert not np.array_equal(half, exact)


def test_mixed_operands_are_refused_as_ever(generator: np.random.Generator) -> None:
    x, w = drawn(generator, (2, 3), (4, 3))
    with amp.autocast(), pytest.raises(TypeError, match="both need the same dtype"):
        functional.linear(x.astype(np.float64), w)
