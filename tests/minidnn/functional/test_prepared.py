"""Layers keep their weights in prepared form, and never use one that is out of date."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import kernels
from kernels.conv2d import conv2d_forward, conv2d_prepare_weight
from kernels.window import Window
from minidnn import Tensor, functional, nn, no_grad, optim
from minidnn.functional import prepared
from tests.kernels.sample import Draw

WINDOW = Window.of(3, 1, 1)


@pytest.fixture
def layer() -> nn.Conv2d:
    module = nn.Conv2d(3, 5, 3, padding=1)
    module.weight.data = Draw(1, np.float32).normal(5, 3, 3, 3)
    return module


@pytest.fixture
def preparations(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The input shapes for which a weight was prepared."""
    shapes = []

    def counted(weight: np.ndarray, input_shape: tuple[int, ...], *settings: Any) -> Any:
        shapes.append(input_shape)
        return conv2d_prepare_weight(weight, input_shape, *settings)

    monkeypatch.setattr("minidnn.functional.convolution.conv2d_prepare_weight", counted)
    counted.__name__ = "conv2d_prepare_weight"
    return shapes


def images(*shape: int) -> np.ndarray:
    return Draw(2, np.float32).normal(*shape)


def run(layer: nn.Conv2d, x: np.ndarray) -> np.ndarray:
    with no_grad():
        return layer(Tensor(x)).data


def want(layer: nn.Conv2d, x: np.ndarray) -> np.ndarray:
    with kernels.use(backend="reference"):
        return conv2d_forward(x, layer.weight.data, layer.bias.data, WINDOW, 1)


def test_a_weight_is_prepared_once(layer: nn.Conv2d, preparations: list[Any]) -> None:
    x = images(2, 3, 6, 7)
    for _ in range(3):
        np.testing.assert_allclose(run(layer, x), want(layer, x), rtol=1e-5, atol=1e-5)
    assert preparations == [x.shape]


def optimiser_step(layer: nn.Conv2d) -> None:
    optimizer = optim.SGD(layer.parameters(), lr=0.5)
    layer(Tensor(images(1, 3, 4, 4))).sum().backward()
    optimizer.step()


def load_state(layer: nn.Conv2d) -> None:
    layer.load_state_dict(nn.Conv2d(3, 5, 3, padding=1).state_dict())


def in_place(layer: nn.Conv2d) -> None:
    with no_grad():
        layer.weight.mul_(3)


def through_a_view(layer: nn.Conv2d) -> None:
    with no_grad():
        layer.weight[2, 1:, 0] = 7.0


def through_detach(layer: nn.Conv2d) -> None:
    layer.weight.detach()[4] = 0.25


def another_array(layer: nn.Conv2d) -> None:
    layer.weight.data = Draw(7, np.float32).normal(5, 3, 3, 3)


def double_and_back(layer: nn.Conv2d) -> None:
    layer.weight.data[0, 0, 0, 0] = 9
    layer.double().float()


def one_element_of_the_array(layer: nn.Conv2d) -> None:
    layer.weight.data[3, 2, 1, 2] += 5


def the_whole_array(layer: nn.Conv2d) -> None:
    layer.weight.data[...] *= -1


def two_elements_exchanged(layer: nn.Conv2d) -> None:
    array = layer.weight.detach().numpy()
    array[0, 0, 0, 0], array[4, 2, 2, 2] = array[4, 2, 2, 2], array[0, 0, 0, 0]


def through_another_tensor(layer: nn.Conv2d) -> None:
    Tensor(layer.weight).data[1, 1] += 3


def through_a_shallow_copy(layer: nn.Conv2d) -> None:
    copy.copy(layer.weight).data[1, 1] += 3


def through_dlpack(layer: nn.Conv2d) -> None:
    np.from_dlpack(layer.weight.detach())[2] += 1


def through_a_writable_view(layer: nn.Conv2d) -> None:
    view = layer.weight.numpy()
    view.flags.writeable = True
    view[0, 1] -= 4


@pytest.mark.parametrize("runs_before", [1, 3])
@pytest.mark.parametrize(
    "change",
    [
        optimiser_step,
        load_state,
        in_place,
        through_a_view,
        through_detach,
        another_array,
        double_and_back,
        one_element_of_the_array,
        the_whole_array,
        two_elements_exchanged,
        through_another_tensor,
        through_a_shallow_copy,
        through_dlpack,
        through_a_writable_view,
    ],
)
def test_a_changed_weight_is_prepared_again(
    layer: nn.Conv2d, change: Callable[[nn.Conv2d], None], runs_before: int
) -> None:
    """Also after runs that found the weight unchanged, and in nobody else's hands."""
    x = images(2, 3, 6, 7)
    for _ in range(runs_before):
        before = run(layer, x)
    change(layer)
    after = run(layer, x)
    assert not np.allclose(before, after)
    np.testing.assert_allclose(after, want(layer, x), rtol=1e-5, atol=1e-5)


def test_changes_through_an_alias_are_seen_as_long_as_it_lives(layer: nn.Conv2d) -> None:
    """The alias is old, it changes between runs, and after it has gone its last change is still seen."""
    alias, x = layer.weight.detach().numpy()[1:, 0], images(2, 3, 6, 7)
    for step in range(4):
        for _ in range(2):
            np.testing.assert_allclose(run(layer, x), want(layer, x), rtol=1e-5, atol=1e-5)
        alias[step, 1] += 1
    del alias
    for _ in range(2):
        np.testing.assert_allclose(run(layer, x), want(layer, x), rtol=1e-5, atol=1e-5)


def test_memory_of_somebody_else_is_always_looked_at() -> None:
    """The weight is a view; who holds its base does not show in the view's references."""
    memory, x = Draw(1).normal(2, 5, 3, 3, 3), Draw(2).normal(1, 3, 6, 7)
    weight = Tensor(memory[1])
    for step in range(4):
        got = functional.conv2d(x, weight, padding=1).data
        with kernels.use(backend="reference"):
            truth = conv2d_forward(x, memory[1], None, WINDOW, 1)
        np.testing.assert_allclose(got, truth, rtol=1e-12, atol=1e-12)
        memory[1, step] += 1


@pytest.mark.parametrize("channels", [3, 64], ids=["NumPy's memory", "the pool's memory"])
def test_a_weight_in_nobody_elses_hands_is_not_read_again(
    monkeypatch: pytest.MonkeyPatch, channels: int
) -> None:
    layer, x = nn.Conv2d(channels, 64, 3, padding=1).double().float(), images(2, channels, 6, 7)
    readings = []
    monkeypatch.setattr(prepared, "_fingerprint", lambda weight: readings.append(weight.shape) or 1)
    for _ in range(6):
        run(layer, x)
    assert len(readings) == 2  # when it was prepared, and once more: it could have been handed out until then


def test_nothing_is_prepared_where_gradients_are_recorded(layer: nn.Conv2d, preparations: list[Any]) -> None:
    layer(Tensor(images(2, 3, 6, 7))).sum().backward()
    assert preparations == []
    assert layer.weight.grad is not None


def test_shapes_that_the_same_version_runs_share_its_form(
    layer: nn.Conv2d, preparations: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "_MOST_SHAPES", 2)
    with kernels.use(conv2d_prepare_weight="fused_im2col"):
        for size in (4, 5, 6, 7, 4):
            x = images(1, 3, size, size)
            np.testing.assert_allclose(run(layer, x), want(layer, x), rtol=1e-5, atol=1e-5)
    assert preparations == [(1, 3, 4, 4)]


def test_what_is_selected_runs(layer: nn.Conv2d, preparations: list[Any]) -> None:
    """Another backend prepares anew, and a version of the cold convolution is not prepared for."""
    x = images(1, 3, 5, 5)
    run(layer, x)
    with kernels.use(backend="reference"):
        run(layer, x)
    assert len(preparations) == 2
    with kernels.use(backend="reference", conv2d_forward="loops"):
        np.testing.assert_array_equal(run(layer, x), want_loops(layer, x))
    assert len(preparations) == 2


def want_loops(layer: nn.Conv2d, x: np.ndarray) -> np.ndarray:
    with kernels.use(backend="reference", conv2d_forward="loops"):
        return conv2d_forward(x, layer.weight.data, layer.bias.data, WINDOW, 1)


def test_one_weight_in_two_convolutions() -> None:
    """A strided and a plain use of one tensor do not get each other's form."""
    weight, x = Tensor(Draw(3).normal(4, 3, 3, 3)), Draw(4).normal(1, 3, 9, 9)
    for stride in (1, 2, 1, 2):
        got = functional.conv2d(x, weight, stride=stride).data
        with kernels.use(backend="reference"):
            truth = conv2d_forward(x, weight.data, None, Window.of(3, stride), 1)
        np.testing.assert_allclose(got, truth, rtol=1e-12, atol=1e-12)


def test_a_single_image() -> None:
    weight, x = Tensor(Draw(3).normal(4, 3, 3, 3)), Draw(4).normal(3, 6, 5)
    np.testing.assert_array_equal(
        functional.conv2d(x, weight).data, functional.conv2d(x[None], weight).data[0]
    )
