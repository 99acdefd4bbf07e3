"""The fully connected layer: sizes of several blocks and parts, and the bits of any number of tasks."""

from __future__ import annotations

import numpy as np
import pytest

import kernels
from kernels.linear import linear_backward_input, linear_backward_weight, linear_forward
from tests.kernels.sample import Draw

# (samples, inputs, outputs): both sides of the number of samples that are done by dot products, tails of
# vectors, tiles and parts.
SIZES = [
    *((1, 300, 210), (3, 129, 517), (6, 77, 29), (8, 1000, 101)),
    *((9, 300, 45), (40, 517, 63), (150, 270, 77)),
]


@pytest.fixture(params=SIZES, ids=str)
def arrays(request: pytest.FixtureRequest) -> tuple[np.ndarray, ...]:
    """x, weight, bias and upstream gradient."""
    batch, inputs, outputs = request.param
    draw = Draw(2, np.float32)
    return (
        draw.normal(batch, inputs),
        draw.normal(outputs, inputs),
        draw.normal(outputs),
        draw.normal(batch, outputs),
    )


def results(x, weight, bias, upstream) -> list[np.ndarray]:
    return [
        linear_forward(x, weight, bias),
        linear_backward_input(upstream, weight),
        linear_backward_weight(upstream, x),
    ]


def test_within_the_bound_of_the_sums(arrays) -> None:
    """Errors below 2 sqrt(K) eps of the sum of the K terms' magnitudes; against float64."""
    (batch, inputs), outputs = arrays[0].shape, arrays[1].shape[0]
    exact = [array.astype(np.float64) for array in arrays]
    with kernels.use(backend="reference"):
        wanted, magnitudes = results(*exact), results(*map(np.abs, exact))
    with kernels.use(backend="cpu"):
        got = results(*arrays)
    for ours, want, magnitude, count in zip(
        got, wanted, magnitudes, (inputs + 1, outputs, batch), strict=True
    ):
        bound = 2 * np.sqrt(count) * np.finfo(np.float32).eps * magnitude
        assert np.all(np.abs(ours - want) <= bound)


def test_the_bits_do_not_depend_on_the_number_of_tasks(arrays) -> None:
    before, bits = kernels.get_num_threads(), []
    try:
        for number in (1, 2, 3):
            kernels.set_num_threads(number)
            with kernels.use(backend="cpu"):
                bits.append([array.tobytes() for array in results(*arrays)])
    finally:
        kernels.set_num_threads(before)
    assert all(result == bits[0] for result in bits)
