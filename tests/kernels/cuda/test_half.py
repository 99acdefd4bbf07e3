"""Halves on the emulator: stored in two bytes, summed as floats, on tensor cores and without."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import kernels
from kernels import registry
from kernels.conv2d import conv2d_backward_input, conv2d_backward_weight, conv2d_forward
from kernels.cuda import emulator, tiles
from kernels.window import Window
from tests.kernels import halves
from tests.kernels.cuda import transfer
from tests.kernels.sample import Draw, Sample

# One sample of each direction and oddness here; all of them on the host, and by sweeps.
CHOSEN = [
    sample
    for sample in halves.SAMPLES
    if sample.label in ("dilated", "planes", "empty-batch") or sample.operation.startswith("linear")
]


@pytest.fixture(autouse=True)
def look_closely() -> Iterator[None]:
    with emulator.use_mode("undefined"):
        yield


@pytest.mark.parametrize("sample", CHOSEN, ids=str)
def test_versions_round_once(sample: Sample) -> None:
    moved = [transfer.to_device(argument) for argument in halves.arguments(sample)]
    taken = [row for row in transfer.device_versions(sample.operation) if row.fits(*moved)]
    assert taken
    for row in taken:
        with kernels.use(**{row.operation: row.name}):
            got = registry.contract(row.operation)(*moved)
        halves.check(sample, got.get(), row.name)


@pytest.mark.parametrize(
    ("version", "outputs"),
    [
        ("tensor_half", 70),
        pytest.param("tensor_half", 30, marks=pytest.mark.slow),
        pytest.param("tensor_tf32", 70, marks=pytest.mark.slow),
        pytest.param("tensor_tf32", 30, marks=pytest.mark.slow),
    ],
)
def test_large_tiles_on_tensor_cores(version: str, outputs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small whole numbers are exact in every one of the types, and so are their sums."""
    monkeypatch.setattr(tiles, "ENOUGH_BLOCKS", 1)
    window, dtype = Window.of((3, 2), (2, 1), 1), np.float16 if version == "tensor_half" else np.float32
    draw = Draw(outputs)
    x, weight = draw.integers(-2, 3, 2, 3, 9, 10), draw.integers(-2, 3, outputs, 3, 3, 2)
    gradient = draw.integers(-2, 3, 2, outputs, *window.output_size((9, 10)))
    calls = {
        conv2d_forward: (x, weight, None, window, 1),
        conv2d_backward_input: (gradient, weight, x.shape, window, 1),
        conv2d_backward_weight: (gradient, x, window, 1),
    }
    for contract, arguments in calls.items():
        with kernels.use(backend="reference"):
            want = contract(*(a.astype(float) if isinstance(a, np.ndarray) else a for a in arguments))
        moved = (emulator.asarray(a.astype(dtype)) if isinstance(a, np.ndarray) else a for a in arguments)
        with kernels.use(**{contract.__name__: version}):
            assert np.array_equal(contract(*moved).get(), want), contract.__name__


def test_tensor_cores_are_the_choice_for_halves_but_not_for_floats() -> None:
    for dtype, name in ((np.float16, "tensor_half"), (np.float32, "implicit")):
        x, weight = (emulator.zeros(shape, dtype) for shape in ((1, 8, 5, 5), (8, 8, 2, 2)))
        assert registry.choose(conv2d_forward, x, weight, None, Window.of(2), 1).name == name
