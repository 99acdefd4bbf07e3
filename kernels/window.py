"""The sliding window of convolutions and pooling, and every output-size formula of the project, once.

Along one axis of length L a window has `kernel` taps, `dilation` apart, and moves `stride` at a time
over the axis padded by (before, after). Its extent is dilation * (kernel - 1) + 1, and it fits
floor((L + before + after - extent) / stride) + 1 times (Dumoulin and Visin, "A guide to convolution
arithmetic for deep learning", 2016, section 2.4 and relationship 15).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, TypeAlias, TypeGuard

from kernels.array import check_flag, check_integer, shown

Pair: TypeAlias = tuple[int, int]

_TOO_LARGE = 2**31


def pair(name: str, value: Any, minimum: int | None = None) -> Pair:
    """Return `value` as (height, width): an int stands for both axes."""
    if _is_usual(value, 0 if minimum is None else minimum):
        return value
    if _is_sequence(value):
        if len(value) == 1:
            value = (value[0], value[0])
        if len(value) != 2:
            raise ValueError(f"{name} must be an integer or (height, width), got {shown(value)}")
        return _size(name, value[0], minimum), _size(name, value[1], minimum)
    number = _size(name, value, minimum)
    return number, number


def _is_usual(value: Any, minimum: int) -> TypeGuard[Pair]:
    """Whether `value` is a pair already; asked first, since every call of a layer asks for several."""
    if type(value) is not tuple or len(value) != 2:
        return False
    height, width = value
    return (
        type(height) is type(width) is int
        and minimum <= height < _TOO_LARGE
        and minimum <= width < _TOO_LARGE
    )


def _is_sequence(value: Any) -> bool:
    """Whether `value` holds sizes; the usual forms first, since asking for a Sequence is slow."""
    if type(value) is tuple or type(value) is int:
        return type(value) is tuple
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _size(name: str, value: Any, minimum: int | None) -> int:
    """An integer small enough for sums and products of sizes to stay within 64 bits."""
    number = check_integer(name, value, minimum)
    if not -_TOO_LARGE < number < _TOO_LARGE:
        raise ValueError(f"{name} must be less than 2^31, got {shown(value)}")
    return number


@dataclass(frozen=True)
class Window:
    """A window over the last two axes (H, W) of an array; build it with `Window.of`.

    Attributes:
        kernel: taps (KH, KW).
        stride: step (SH, SW).
        padding: ((top, bottom), (left, right)), in elements; may be asymmetric.
        dilation: distance between taps (DH, DW).
        ceil_mode: pooling only: count a last window that overhangs the end, as long as it
            starts inside the input or the padding before it.
    """

    kernel: Pair
    stride: Pair = (1, 1)
    padding: tuple[Pair, Pair] = ((0, 0), (0, 0))
    dilation: Pair = (1, 1)
    ceil_mode: bool = False

    @staticmethod
    def of(
        kernel: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
    ) -> Window:
        """Build a window from ints or pairs; `padding` may also be ((top, bottom), (left, right)).

        Raises:
            TypeError: a size is not an integer.
            ValueError: a kernel, stride or dilation below 1, or a negative padding.
        """
        return _known(
            pair("kernel_size", kernel, minimum=1),
            pair("stride", stride, minimum=1),
            _padding_pairs(padding),
            pair("dilation", dilation, minimum=1),
            check_flag("ceil_mode", ceil_mode),
        )

    @cached_property
    def extent(self) -> Pair:
        """Elements from the first to the last tap, both included: dilation * (kernel - 1) + 1."""
        (kernel_h, kernel_w), (dilation_h, dilation_w) = self.kernel, self.dilation
        return dilation_h * (kernel_h - 1) + 1, dilation_w * (kernel_w - 1) + 1

    def output_size(self, size: Sequence[int]) -> Pair:
        """Return how often the window fits (OH, OW) over an input of `size` (H, W).

        Raises:
            ValueError: the padded input is smaller than the window's extent (in ceil mode: by a stride).
        """
        return _output_size(self, tuple(size))

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        """Kept: at every run some table is asked for what follows from a window."""
        return hash((self.kernel, self.stride, self.padding, self.dilation, self.ceil_mode))

    def _output_length(self, size: Sequence[int], axis: int) -> int:
        length, (before, after), stride = size[axis], self.padding[axis], self.stride[axis]
        room = length + before + after - self.extent[axis]
        # A window may overhang the end in ceil mode, by less than a stride: even the first one.
        if room <= (-stride if self.ceil_mode else -1):
            name = ("height", "width")[axis]
            raise ValueError(
                f"input {name} {length} with padding {before} + {after} is smaller than the window's "
                f"extent {self.extent[axis]} (kernel {self.kernel[axis]}, dilation {self.dilation[axis]})"
            )
        if not self.ceil_mode:
            return room // stride + 1
        steps = -(-room // stride) + 1
        # A window that would start beyond the input and its leading padding sees nothing: drop it.
        return steps - 1 if (steps - 1) * stride >= length + before else steps

    def transposed_output_size(self, size: Sequence[int], output_padding: Pair = (0, 0)) -> Pair:
        """Return the input size (H, W) that a transposed convolution restores from `size` (OH, OW).

        (O - 1) * stride - before - after + extent + output_padding, along each axis.

        Raises:
            ValueError: the result would not be positive.
        """
        height, width = (
            (size[axis] - 1) * self.stride[axis]
            - sum(self.padding[axis])
            + self.extent[axis]
            + output_padding[axis]
            for axis in (0, 1)
        )
        if height < 1 or width < 1:
            raise ValueError(
                f"the transposed convolution's output would have size {(height, width)}; it needs >= 1"
            )
        return height, width


@lru_cache(maxsize=4096)
def _output_size(window: Window, size: tuple[int, ...]) -> Pair:
    """The answer of `Window.output_size`, kept: layers ask at every run."""
    return window._output_length(size, 0), window._output_length(size, 1)


@lru_cache(maxsize=1024)
def _known(kernel: Pair, stride: Pair, padding: tuple[Pair, Pair], dilation: Pair, ceil_mode: bool) -> Window:
    """The one window of these numbers: layers ask for theirs at every run, and compare it with others."""
    return Window(kernel, stride, padding, dilation, ceil_mode)


def _padding_pairs(padding: Any) -> tuple[Pair, Pair]:
    """Return ((top, bottom), (left, right)) for an int, (vertical, horizontal) or the full form."""
    if _is_sequence(padding) and len(padding) == 2 and _is_sequence(padding[0]) and _is_sequence(padding[1]):
        return pair("padding", padding[0], minimum=0), pair("padding", padding[1], minimum=0)
    vertical, horizontal = pair("padding", padding, minimum=0)
    return (vertical, vertical), (horizontal, horizontal)


def same_padding(kernel: Pair, dilation: Pair) -> tuple[Pair, Pair]:
    """Return the padding that keeps the size at stride 1; an odd total puts the extra element last."""
    totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    top, left = totals[0] // 2, totals[1] // 2
    return (top, totals[0] - top), (left, totals[1] - left)


def strided_same_padding(size: Pair, kernel: Pair, stride: Pair, dilation: Pair) -> tuple[Pair, Pair]:
    """Return TensorFlow's "same" padding of a map of `size`: the output has ceil(L / S) rows or columns.

        total = max((ceil(L / S) - 1) S + D (K - 1) + 1 - L, 0)

    An odd total puts the extra element last: a 3x3 kernel at stride 2 on an even size pads only below and
    to the right.
    """
    totals = [
        max((-(-length // s) - 1) * s + d * (k - 1) + 1 - length, 0)
        for length, k, s, d in zip(size, kernel, stride, dilation, strict=True)
    ]
    top, left = totals[0] // 2, totals[1] // 2
    return (top, totals[0] - top), (left, totals[1] - left)


def adaptive_bounds(length: int, bins: int, index: int) -> Pair:
    """Return [start, end) of adaptive pooling's bin `index`: floor(i L / B) to ceil((i + 1) L / B)."""
    return index * length // bins, -(-(index + 1) * length // bins)
