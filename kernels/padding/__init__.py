"""Padding and cropping of trailing axes: the contracts of its forward and backward pass."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Complex, Integral, Real
from typing import Any

from kernels.array import Array, check_floating, check_integer, shown
from kernels.operands import ANYTHING, check_operand
from kernels.registry import dispatch

__all__ = ["pad_backward", "pad_forward"]

MODES = ("constant", "reflect", "replicate")

# What may be written into an array, by the kind of its dtype.
_HOLDS = {"b": Integral, "i": Integral, "u": Integral, "f": Real, "c": Complex}


def pad_forward(x: Array, padding: Sequence[tuple[int, int]], mode: str, value: float) -> Array:
    """Pad the last len(padding) axes of x, one (before, after) per axis, in the order of the axes.

    Along one axis of length L, position o of the output shows position s = o - before of x, and where there
    is none (s < 0 or s >= L)

        constant    `value`
        reflect     x at -s or 2 (L - 1) - s: mirrored at the edge, which is not repeated
        replicate   x at 0 or L - 1: the edge repeated

    A negative amount crops.

    Shapes: x of any rank >= len(padding); result's axes are before + L + after long.
    Dtypes: any number or bool; the result's too.
    Edge contract: constant: axes may be empty, before and after, but a crop of more than L is refused.
        reflect and replicate: a padded axis needs L >= 1 and an output length >= 1; reflect needs before and
        after < L.
        Other axes may be empty. An integer x needs an integer value.

    Raises:
        ValueError: an unknown mode, more pairs than axes, an amount or length other than above, or a value
            other than 0 in another mode than constant.
        TypeError: an amount that is not an integer, or a value that x's dtype cannot hold.

    Source: the modes of torch.nn.functional.pad and numpy.pad ("constant", "reflect", "edge").
    """
    check_operand(x, ANYTHING)
    _check_mode(mode)
    pairs = _pairs(padding)
    _check_amounts(x.shape, pairs, mode)
    _check_value(x, mode, value)
    return dispatch(pad_forward, x, pairs, mode, value)


def pad_backward(grad_output: Array, padding: Sequence[tuple[int, int]], mode: str) -> Array:
    """Return the gradient with respect to x: each element sums over the outputs that show it.

    Shapes: grad_output as `pad_forward`'s result; result as its x, whose axes are
        grad_output's less before + after long.
    Dtypes: float32, float64 or complex128; the result's too.
    Edge contract: as `pad_forward`; elements that were cropped get 0.

    Raises:
        ValueError: as `pad_forward`.
        TypeError: another dtype, or an amount that is not an integer.
    """
    check_floating(analytic=True, grad_output=grad_output)
    _check_mode(mode)
    pairs = _pairs(padding)
    _check_rank("grad_output", grad_output.shape, pairs)
    first = grad_output.ndim - len(pairs)
    lengths = [n - sum(pair) for n, pair in zip(grad_output.shape[first:], pairs, strict=True)]
    if min(lengths, default=0) < 0:
        raise ValueError(f"grad_output {grad_output.shape} is smaller than its padding {tuple(pairs)}")
    _check_amounts((*grad_output.shape[:first], *lengths), pairs, mode)
    return dispatch(pad_backward, grad_output, pairs, mode)


def _check_mode(mode: str) -> None:
    if not isinstance(mode, str) or mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}, got {shown(mode)}")


def _pairs(padding: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    if not all(isinstance(pair, Sequence) and len(pair) == 2 for pair in padding):
        raise ValueError(f"padding must hold one (before, after) per axis, got {tuple(padding)}")
    return [(check_integer("padding", before), check_integer("padding", after)) for before, after in padding]


def _check_rank(name: str, shape: Sequence[int], pairs: Sequence[tuple[int, int]]) -> None:
    if len(pairs) > len(shape):
        raise ValueError(f"padding is for {len(pairs)} axes, but {name} has shape {tuple(shape)}")


def _check_amounts(shape: Sequence[int], pairs: Sequence[tuple[int, int]], mode: str) -> None:
    _check_rank("x", shape, pairs)
    for axis, (before, after) in enumerate(pairs, len(shape) - len(pairs)):
        length = shape[axis]
        given = f"padding ({before}, {after}) on axis {axis} of x {tuple(shape)}"
        if mode == "constant":
            if length + min(before, 0) + min(after, 0) < 0:
                raise ValueError(f"{given} crops more than the {length} elements there are")
        elif length == 0 or length + before + after < 1:
            raise ValueError(f"{given} in mode {mode} needs a length of at least 1, before and after")
        elif mode == "reflect" and max(before, after) >= length:
            raise ValueError(f"{given} in mode reflect must be less than the length {length}")


def _check_value(x: Array, mode: str, value: Any) -> None:
    if not isinstance(value, _HOLDS[x.dtype.kind]):
        raise TypeError(f"value must be a number that {x.dtype} can hold, got {shown(value)}")
    if mode != "constant" and value != 0:
        raise ValueError(f"value must be 0 in mode {mode}, which takes none, got {value}")
    try:
        x.dtype.type(value)
    except OverflowError:
        raise ValueError(f"value must be within the range of {x.dtype}, got {value}") from None
