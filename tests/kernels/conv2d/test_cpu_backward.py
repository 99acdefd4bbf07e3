"""The gradients in patches: sizes of several blocks, panels and parts, the bits of any number of tasks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import kernels
from kernels.conv2d import conv2d_backward_bias, conv2d_backward_input, conv2d_backward_weight
from kernels.window import Window
from tests.kernels.sample import Draw

# (batch, channels in and out, size of x, window, groups): tails of tiles and vectors, blocks that begin
# within an image, phases without taps, more padding than the kernel needs, parts of a small result.
CASES = {
    "blocks": (3, (70, 66), (13, 29), Window.of(3, 1, 1), 1),
    "phases": (2, (35, 50), (15, 22), Window.of(3, 2, 1), 1),
    "phases-without-taps": (2, (40, 24), (14, 17), Window.of(1, 2), 1),
    "odd": (2, (17, 33), (19, 23), Window.of((5, 2), (1, 3), ((2, 1), (9, 3)), (1, 2)), 1),
    "dilated-phases": (2, (20, 24), (16, 18), Window.of(3, 2, 2, (2, 3)), 2),
    "pointwise": (5, (64, 100), (7, 7), Window.of(1), 1),
    "padded-pointwise": (2, (24, 40), (9, 8), Window.of(1, 1, ((2, 1), (0, 3))), 1),
    "first-layer": (2, (3, 20), (40, 33), Window.of(7, 2, 3), 1),
    "many-images": (9, (48, 50), (3, 4), Window.of(3, 1, 1), 1),
    "groups": (2, (36, 24), (12, 11), Window.of(3, 1, 1), 4),
}


@pytest.fixture(params=CASES)
def problem(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray, np.ndarray, Window, int]:
    batch, (channels, outputs), size, window, groups = CASES[request.param]
    draw = Draw(1, np.float32)
    x = draw.normal(batch, channels, *size)
    weight = draw.normal(outputs, channels // groups, *window.kernel)
    return x, weight, draw.normal(batch, outputs, *window.output_size(size)), window, groups


PATCHES = {
    "conv2d_backward_input": "patches",
    "conv2d_backward_weight": "patches",
    "conv2d_backward_bias": "planes",
}


def gradients(x, weight, upstream, window, groups) -> list[np.ndarray]:
    return [
        conv2d_backward_input(upstream, weight, x.shape, window, groups),
        conv2d_backward_weight(upstream, x, window, groups),
        conv2d_backward_bias(upstream),
    ]


def test_within_the_bound_of_the_sums(problem) -> None:
    """Errors below 2 sqrt(K) eps of the sum of the K terms' magnitudes; against float64."""
    x, weight, upstream, window, groups = problem
    exact = [array.astype(np.float64) for array in (x, weight, upstream)]
    with kernels.use(backend="reference"):
        wanted = gradients(*exact, window, groups)
        magnitudes = gradients(*map(np.abs, exact), window, groups)
    positions = upstream[:, 0].size
    terms = [weight.shape[0] // groups * weight[0, 0].size, positions, positions]
    with kernels.use("cpu", **PATCHES):
        results = gradients(x, weight, upstream, window, groups)
    for got, want, magnitude, count in zip(results, wanted, magnitudes, terms, strict=True):
        bound = 2 * np.sqrt(count) * np.finfo(np.float32).eps * magnitude
        assert np.all(np.abs(got - want) <= bound)


# Version, (batch, channels in and out, size of x, groups): 1x1 layers.
POINTWISE = {
    "one-image": ("pointwise", (1, (70, 100), (5, 7), 1)),
    "many-images": ("pointwise", (9, (48, 50), (3, 4), 1)),
    "deep": ("pointwise", (2, (24, 900), (6, 5), 1)),  # two blocks of the depth
    "groups": ("pointwise", (2, (36, 24), (5, 11), 4)),
    "in-place": ("one_image", (1, (137, 300), (7, 5), 1)),
    "one-position": ("one_position", (1, (137, 259), (1, 1), 1)),
    "few-positions": ("one_position", (5, (137, 259), (1, 1), 1)),
}


def of_any_number_of_tasks(compute: Callable[[], np.ndarray]) -> np.ndarray:
    """The result, which must have the same bits for 1, 2 and 3 tasks."""
    before, results = kernels.get_num_threads(), []
    try:
        for number in (1, 2, 3):
            kernels.set_num_threads(number)
            results.append(compute())
    finally:
        kernels.set_num_threads(before)
    assert all(result.tobytes() == results[0].tobytes() for result in results)
    return results[0]


@pytest.mark.parametrize("name", POINTWISE)
def test_the_input_gradient_of_a_pointwise_layer(name: str) -> None:
    """The same bound, and the same bits for any number of tasks."""
    version, (batch, (channels, outputs), size, groups) = POINTWISE[name]
    draw, window, shape = Draw(2, np.float32), Window.of(1), (batch, channels, *size)
    weight, upstream = draw.normal(outputs, channels // groups, 1, 1), draw.normal(batch, outputs, *size)
    exact = upstream.astype(np.float64), weight.astype(np.float64)
    with kernels.use(backend="reference"):
        wanted = conv2d_backward_input(*exact, shape, window, groups)
        magnitude = conv2d_backward_input(*map(np.abs, exact), shape, window, groups)
    with kernels.use("cpu", conv2d_backward_input=version):
        got = of_any_number_of_tasks(lambda: conv2d_backward_input(upstream, weight, shape, window, groups))
    bound = 2 * np.sqrt(outputs // groups) * np.finfo(np.float32).eps * magnitude
    assert np.all(np.abs(got - wanted) <= bound)


@pytest.mark.parametrize("name", ["one-position", "few-positions"])
def test_the_weight_gradient_on_one_position(name: str) -> None:
    """The same."""
    version, (batch, (channels, outputs), size, groups) = POINTWISE[name]
    draw, window = Draw(3, np.float32), Window.of(1)
    x, upstream = draw.normal(batch, channels, *size), draw.normal(batch, outputs, *size)
    exact = upstream.astype(np.float64), x.astype(np.float64)
    with kernels.use(backend="reference"):
        wanted = conv2d_backward_weight(*exact, window, groups)
        magnitude = conv2d_backward_weight(*map(np.abs, exact), window, groups)
    with kernels.use("cpu", conv2d_backward_weight=version):
        got = of_any_number_of_tasks(lambda: conv2d_backward_weight(upstream, x, window, groups))
    bound = 2 * np.sqrt(batch) * np.finfo(np.float32).eps * magnitude
    assert np.all(np.abs(got - wanted) <= bound)


def test_the_bits_do_not_depend_on_the_number_of_tasks(problem) -> None:
    before, results = kernels.get_num_threads(), []
    try:
        for number in (1, 2, 3):
            kernels.set_num_threads(number)
            with kernels.use("cpu", **PATCHES):
                results.append([gradient.tobytes() for gradient in gradients(*problem)])
    finally:
        kernels.set_num_threads(before)
    assert all(result == results[0] for result in results)
