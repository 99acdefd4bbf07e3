"""Arguments as text: what is written is read again, and what people see of it."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.arguments import ArraySpec, decode, describe, encode, label
from kernels.window import Window

WINDOWS = [
    Window.of((3, 2), (2, 1), ((1, 0), (2, 3)), (1, 2)),
    Window.of(2, 2, 0, 1, ceil_mode=True),
]


@pytest.mark.parametrize("window", WINDOWS)
def test_what_is_written_is_read_again(window: Window) -> None:
    arguments = (
        ArraySpec((1, 3, 5, 4)),
        None,
        window,
        2,
        0.5,
        True,
        "mean",
        (7, 7),
        ArraySpec((4,), "int64"),
    )
    assert decode(encode(arguments)) == arguments


def test_arrays_become_specifications_wherever_they_stand() -> None:
    arrays = [np.zeros((2, 3), np.float32), np.zeros(4)]
    assert describe(arrays) == (ArraySpec((2, 3)), ArraySpec((4,), "float64"))
    assert describe(np.float32(2)) == 2.0
    assert describe(Window.of(1)) == Window.of(1)


def test_other_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match="arguments must be arrays, windows, numbers or strings, got object"):
        encode([object()])


@pytest.mark.parametrize(
    ("window", "words"),
    [
        (Window.of(3, 2, 1), "k3 stride 2 pad 1"),
        (Window.of(1), "k1"),
        (Window.of((3, 2), (1, 2), ((0, 1), (2, 1)), 2), "k3x2 stride 1x2 pad 0+1 x 2+1 dilation 2"),
        (Window.of(3, 1, (1, 0)), "k3 pad 1x0"),
    ],
)
def test_labels_say_the_window_briefly(window: Window, words: str) -> None:
    assert label((ArraySpec((1, 8, 5, 4)), None, window, 1)) == f"1x8x5x4, {words}, 1"
