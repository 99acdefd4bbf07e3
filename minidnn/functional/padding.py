"""Padding as a function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kernels.array import Array, check_integer, shown
from kernels.padding import pad_backward, pad_forward
from minidnn.autograd import Function
from minidnn.tensor import Tensor, apply, as_tensor


class Pad(Function):
    """y[o] = x[source(o - before)] or a constant; every x sums the gradients of the outputs that show it."""

    def __init__(self, padding: Sequence[tuple[int, int]], mode: str, value: float) -> None:
        self.padding = padding
        self.mode = mode
        self.value = value

    def forward(self, x: Array) -> Array:
        """Pad the last axes."""
        return pad_forward(x, self.padding, self.mode, self.value)

    def backward(self, grad_output: Array) -> Array:
        """Fold the gradient back."""
        return pad_backward(grad_output, self.padding, self.mode)


def pad(x: Any, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Pad the last axes of x with a constant, with its mirror image or with its edge.

    Shapes: x of any rank for "constant"; for the others one or two axes more than are padded, of which there
        must be 1, 2 or 3. Each padded axis grows by its before + after.
    Dtypes: any for the output; gradients for float32 and float64.

    Args:
        x: the input.
        pad: (before, after) of the last axis, then of the last but one, and so on, in one flat sequence;
            negative amounts crop.
        mode: "constant", "reflect" (the edge is not repeated) or "replicate".
        value: the constant, by default 0.

    Raises:
        ValueError: an odd number of amounts or too many of them, a rank or an amount that the mode cannot
            take (see kernels/padding), a value in another mode than "constant", an unknown mode.
        TypeError: an amount that is not an integer.
    """
    tensor = as_tensor(x)
    pairs = _pairs(pad)
    if mode in ("reflect", "replicate"):
        _check_mirrored(tensor.shape, len(pairs), mode)
    elif len(pairs) > tensor.ndim:
        raise ValueError(
            f"pad must have at most 2 amounts per axis, got {tuple(pad)} for shape {tensor.shape}"
        )
    return apply(Pad(pairs, mode, 0 if value is None else value), tensor)


def _pairs(pad: Sequence[int]) -> list[tuple[int, int]]:
    """PyTorch's flat form, last axis first, as pairs in the order of the axes."""
    if isinstance(pad, str) or not isinstance(pad, Sequence):
        raise TypeError(f"pad must be a sequence of integers, got {shown(pad)}")
    amounts = [check_integer("pad", amount) for amount in pad]
    if len(amounts) % 2:
        raise ValueError(f"pad must have an even number of amounts, got {tuple(pad)}")
    return list(zip(amounts[::2], amounts[1::2], strict=True))[::-1]


def _check_mirrored(shape: Sequence[int], axes: int, mode: str) -> None:
    """Require (C, *padded) or (N, C, *padded) with 1 to 3 padded axes, of which only N may be empty."""
    if axes not in (1, 2, 3) or len(shape) not in (axes + 1, axes + 2):
        raise ValueError(
            f"pad must have 2, 4 or 6 amounts and x one or two axes more than are padded in mode {mode}, "
            f"got {2 * axes} amounts for shape {tuple(shape)}"
        )
    if 0 in shape[len(shape) - axes - 1 :]:
        raise ValueError(
            f"x must not be empty in any axis but the batch's in mode {mode}, got {tuple(shape)}"
        )
