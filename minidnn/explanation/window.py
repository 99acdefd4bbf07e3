"""Output sizes of windows, with the numbers filled in."""

from __future__ import annotations

from typing import Any

from kernels.window import Pair, Window, pair
from minidnn.explanation.content import Equation


def output_size_equations(window: Window, size: Pair) -> tuple[Equation, Equation]:
    """How often the window fits along rows and columns."""
    return _fits(window, size, 0), _fits(window, size, 1)


def _fits(window: Window, size: Pair, axis: int) -> Equation:
    name = "HW"[axis]
    before, after = window.padding[axis]
    stride, dilation, kernel = window.stride[axis], window.dilation[axis], window.kernel[axis]
    rounding = "ceil" if window.ceil_mode else "floor"
    padding = f"2·P{name}" if before == after else f"P{name}1 + P{name}2"
    padded = f"2·{before}" if before == after else f"{before} + {after}"
    result = window.output_size(size)[axis]
    return Equation(
        f"O{name}",
        f"{rounding}(({name} + {padding} - D{name}·(K{name} - 1) - 1) / S{name}) + 1",
        f"{rounding}(({size[axis]} + {padded} - {dilation}·({kernel} - 1) - 1) / {stride}) + 1",
        result,
    )


def transposed_size_equations(window: Window, size: Pair, output_padding: Any) -> tuple[Equation, Equation]:
    """The sizes that a transposed convolution restores."""
    extra = pair("output_padding", output_padding)
    result = window.transposed_output_size(size, extra)
    return _restores(window, size, extra, result, 0), _restores(window, size, extra, result, 1)


def _restores(window: Window, size: Pair, extra: Pair, result: Pair, axis: int) -> Equation:
    name = "HW"[axis]
    padding, stride = window.padding[axis][0], window.stride[axis]
    dilation, kernel = window.dilation[axis], window.kernel[axis]
    return Equation(
        f"Y{name}",
        f"({name} - 1)·S{name} - 2·P{name} + D{name}·(K{name} - 1) + 1 + output_padding",
        f"({size[axis]} - 1)·{stride} - 2·{padding} + {dilation}·({kernel} - 1) + 1 + {extra[axis]}",
        result[axis],
    )
