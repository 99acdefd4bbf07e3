"""Depthwise convolution row by row: what is loaded of a row serves every tap and every output that meets it.

A plane is computed in strips of at most a vector's columns, each from its first row to its last. The sums of
the output rows that the current input rows reach stay in registers: with three taps at stride 1 a row of x is
loaded three times, one column further on each time, adds to the sums of three rows of y, and completes the
first of them. Columns outside the plane are masked, the same for all rows; rows outside it are left out,
as in PyTorch, which shows only where a weight is not finite.

At stride 2 a row of x is loaded once, as two vectors whose even and odd elements are what the taps meet.

The gradient of the input at stride 1 is the same with the filter turned round.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, reduce
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import intrinsic

from kernels.array import FLOATING, Array
from kernels.cpu.compilation import compiled, contiguous, parallel, tasks_for
from kernels.cpu.endings import CODES, end_with
from kernels.cpu.records import as_numbers, as_record
from kernels.cpu.simd import INDEX, VectorBuilder, element_lanes, lanes_of, vector_lanes
from kernels.memory import empty
from kernels.window import Pair, Window

# (taps along each axis, stride along each axis) that there is code for.
KINDS = ((3, 1), (3, 2), (5, 1), (5, 2))
# Where a mask is one register's bits; elsewhere a masked load may take one access for every element.
MASKED_LANES = 16
# Planes of more elements outgrow the first-level cache; the processor does not foresee their strips' way.
LARGEST_FORESEEN = 4096


class Geometry(NamedTuple):
    """The sizes of a plane of x and of y, and how the kernel slides.

    Attributes:
        height, width: of x.
        out_height, out_width: of y.
        taps: KH and KW.
        stride: SH and SW.
        top, left: padding before the first row and column.
        ahead: how many elements ahead of a row x is asked for; 0: nothing needs to be asked for.
    """

    height: int
    width: int
    out_height: int
    out_width: int
    taps: int
    stride: int
    top: int
    left: int
    ahead: int


@lru_cache(maxsize=4096)
def geometry_of(x_size: Pair, window: Window, y_size: Pair, before: Pair) -> Array:
    """Return the geometry as kernels take it; before: rows and columns of padding in front of x."""
    area = x_size[0] * x_size[1]
    ahead = area if area > LARGEST_FORESEEN else 0
    return as_numbers(Geometry(*x_size, *y_size, window.kernel[0], window.stride[0], *before, ahead))


@lru_cache(maxsize=4096)
def slides_over_rows(size: Pair, window: Window) -> bool:
    """Whether there is code for a window on planes of x of this size."""
    taps, stride = window.kernel[0], window.stride[0]
    return (
        (taps, stride) in KINDS
        and window.kernel == (taps, taps)
        and window.stride == (stride, stride)
        and window.dilation == (1, 1)
        and all(0 <= before < taps for before, _ in window.padding)
        and window.padding[0][0] + size[0] >= taps - 1
    )


def forward_fits(x: Array, weight: Array, bias: Array | None, window: Window, *others: Any) -> bool:
    """Whether `convolve_rows` takes these arguments."""
    same = x.dtype in FLOATING and weight.shape[0] == x.shape[1]
    return same and slides_over_rows((x.shape[2], x.shape[3]), window)


def backward_fits(grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window) -> bool:
    """Whether `convolve_rows_back` takes these arguments."""
    same = grad_output.dtype in FLOATING and weight.shape[0] == input_shape[1] and window.stride == (1, 1)
    size = (grad_output.shape[2], grad_output.shape[3])
    return same and slides_over_rows(size, _turned(window))


def pays(x: Array, *others: Any) -> bool:
    """Whether masks are cheap."""
    return lanes_of(np.float32) == MASKED_LANES


@lru_cache(maxsize=256)
def _turned(window: Window) -> Window:
    """The window with which the gradient slides over the outputs, at stride 1."""
    padding = tuple(
        (k - 1 - before, k - 1 - after)
        for k, (before, after) in zip(window.kernel, window.padding, strict=True)
    )
    return Window.of(window.kernel, 1, padding)


def convolve_rows(
    x: Array, weight: Array, bias: Array | None, window: Window, activation: str | None = None
) -> Array:
    """Every task takes whole planes."""
    starts = np.zeros(weight.shape[0], x.dtype) if bias is None else contiguous(bias)
    size = window.output_size((x.shape[2], x.shape[3]))
    before = window.padding[0][0], window.padding[1][0]
    return _run(x, weight, starts, window, size, before, CODES.get(activation, 0), False)


def convolve_rows_back(
    grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window
) -> Array:
    """The same kernel over the outputs' gradient."""
    starts = np.zeros(weight.shape[0], weight.dtype)
    before = window.kernel[0] - 1 - window.padding[0][0], window.kernel[1] - 1 - window.padding[1][0]
    size = (input_shape[2], input_shape[3])
    return _run(grad_output, weight, starts, window, size, before, 0, True)


def _run(
    x: Array,
    weight: Array,
    starts: Array,
    window: Window,
    size: Pair,
    before: Pair,
    ending: int,
    turned: bool,
) -> Array:
    y = empty((x.shape[0], x.shape[1], *size), x.dtype)
    geometry = geometry_of((x.shape[2], x.shape[3]), window, size, before)
    arrays = contiguous(x).ravel(), contiguous(weight).ravel(), starts, y.ravel()
    _convolve(tasks_for(x.size), geometry, *arrays, ending, turned)
    return y


@parallel
def _convolve(
    task: int,
    tasks: int,
    numbers: Any,
    x: Any,
    weight: Any,
    starts: Any,
    y: Any,
    ending: int,
    turned: bool,
) -> None:
    """y = f(start + sum over the taps of weight * x) for all planes; `starts` and `weight` repeat by channel.

    f is the activation of the code `ending`; turned: the filters are turned round.
    """
    g = as_record(numbers, Geometry)
    planes = y.size // (g.out_height * g.out_width)
    first, last = planes * task // tasks, planes * (task + 1) // tasks
    _convolve_planes(first, last, numbers, x, weight, starts, y, ending, turned)


@compiled(borrowing=True)
def _convolve_planes(
    first: int, last: int, numbers: Any, x: Any, weight: Any, starts: Any, y: Any, ending: int, turned: bool
) -> None:
    """Convolve the planes first .. last - 1."""
    g = as_record(numbers, Geometry)
    count, area = g.taps * g.taps, g.out_height * g.out_width
    lanes = vector_lanes(x)
    wide, narrow = _columns(g.taps, g.stride, lanes, lanes), _columns(g.taps, g.stride, lanes // 2, lanes)
    weights_at, weights_step = (count - 1, -1) if turned else (0, 1)
    for plane in range(first, last):
        channel = plane % starts.size
        at, step = channel * count + weights_at, weights_step
        source, target, start = plane * g.height * g.width, plane * area, starts[channel]
        column = 0
        while column < g.out_width:
            columns = min(wide, g.out_width - column)
            slim = columns <= narrow
            if g.taps == 3:
                if g.stride == 1:
                    if slim:
                        _strip_3_1_slim(
                            y, target, column, columns, x, source, weight, at, step, start, numbers
                        )
                    else:
                        _strip_3_1(y, target, column, columns, x, source, weight, at, step, start, numbers)
                elif slim:
                    _strip_3_2_slim(y, target, column, columns, x, source, weight, at, step, start, numbers)
                else:
                    _strip_3_2(y, target, column, columns, x, source, weight, at, step, start, numbers)
            elif g.stride == 1:
                if slim:
                    _strip_5_1_slim(y, target, column, columns, x, source, weight, at, step, start, numbers)
                else:
                    _strip_5_1(y, target, column, columns, x, source, weight, at, step, start, numbers)
            elif slim:
                _strip_5_2_slim(y, target, column, columns, x, source, weight, at, step, start, numbers)
            else:
                _strip_5_2(y, target, column, columns, x, source, weight, at, step, start, numbers)
            column += columns
        if ending:
            end_with(ending, y[target : target + area])


@compiled(inline="always")
def _columns(taps: int, stride: int, lanes: int, most: int) -> int:
    """How many columns of y a strip has at most, in vectors of `lanes` out of `most` lanes.

    At stride 2 so many that no more than two vectors of x are needed, or little more than one for half of the
    lanes.
    """
    if stride == 1:
        return lanes
    return lanes - (taps - 1) // 2 if lanes == most else lanes - 1


class _Strip:
    """Writes the code of a strip: the sums of `rows` rows of y, oldest first, go from step to step.

    A step takes `stride` rows of x and completes one row of y.
    """

    def __init__(self, simd: VectorBuilder, whole: VectorBuilder, taps: int, stride: int, parts: int) -> None:
        """simd: for the lanes in use; whole: for vectors of all lanes; parts: see `_make_strip`."""
        self.simd = simd
        self.taps = taps
        self.stride = stride
        self.rows = -(-taps // stride)
        self.parts = parts
        self.columns = _columns.py_func(taps, stride, simd.lanes, whole.lanes)
        self.slim = simd.lanes < whole.lanes
        self.loader = simd if stride == 1 else whole

    def masks(self, first: Any, width: Any) -> list[Any]:
        """Which elements of the vectors that a row is loaded as lie in the plane; first: the first column."""
        reach = (self.columns - 1) * self.stride + self.taps
        lanes, builder = self.loader.lanes, self.simd.builder
        steps = range(self.taps) if self.stride == 1 else range(0, reach, lanes)
        return [self.loader.lanes_within(builder.add(first, INDEX(step)), width) for step in steps]

    def row(self, address: Any, masks: Sequence[Any]) -> list[Any]:
        """What the taps across see of a row whose first column is at an address."""
        loader = self.loader
        if self.stride == 1:
            return [loader.load_where(loader.after(address, q), mask) for q, mask in enumerate(masks)]
        loaded = [
            loader.load_where(loader.after(address, i * loader.lanes), mask) for i, mask in enumerate(masks)
        ]
        # Lanes beyond the last column may hold anything.
        lanes = [min(j, self.columns - 1) for j in range(self.simd.lanes)]
        return [
            loader.shuffle(loaded[0], loaded[-1], [2 * lane + q for lane in lanes]) for q in range(self.taps)
        ]

    def add(self, sums: Sequence[Any], rows: Sequence[Sequence[Any]], weights: Sequence[Any]) -> list[Any]:
        """The sums after a step's rows."""
        sums = list(sums)
        for r, row in enumerate(rows):
            for q, vector in enumerate(row):
                for a in range(self.rows):
                    p = self.stride * (self.rows - 1 - a) + r
                    if p < self.taps:
                        i = a * self.parts + (r * self.taps + q) % self.parts
                        sums[i] = self.simd.multiply_add(weights[p * self.taps + q], vector, sums[i])
        return sums

    def begin(self, start: Any) -> list[Any]:
        """The parts of the sums of a row of y that nothing has been added to."""
        return [start, *[self.simd.constant(0.0)] * (self.parts - 1)]

    def complete(self, sums: Sequence[Any]) -> Any:
        """The sums of the oldest row."""
        return reduce(self.simd.builder.fadd, sums[: self.parts])


class _Walk:
    """Writes the code that takes a strip down a plane: rows that enter before the first row of y is complete,
    rows that complete one each, and rows of y that are left when x has ended.
    """

    def __init__(self, strip: _Strip, kinds: Sequence[Any], arguments: Sequence[Any]) -> None:
        """kinds, arguments: of the intrinsic that `_make_strip` returns."""
        y, target, column, self.columns, x, source, weights, weights_at, weights_step = arguments[:9]
        start, numbers = arguments[9:]
        self.strip, self.simd, self.builder = strip, strip.simd, strip.simd.builder
        simd, builder = self.simd, self.builder
        record = simd.address(kinds[10], numbers, INDEX(0))
        self.height, self.width, self.out_height, self.out_width, _, _, self.top, left, self.ahead = (
            builder.load(simd.after(record, i)) for i in range(len(Geometry._fields))
        )
        first_weight = simd.address(kinds[6], weights, weights_at)
        self.factors = [
            simd.broadcast(builder.load(simd.after(first_weight, builder.mul(weights_step, INDEX(k)))))
            for k in range(strip.taps**2)
        ]
        begin = builder.sub(builder.mul(column, INDEX(strip.stride)), left)
        self.masks = strip.masks(begin, self.width)
        self.into = simd.address(kinds[0], y, builder.add(target, column))
        self.outof = simd.address(kinds[4], x, builder.add(source, begin))
        self.fresh = strip.begin(simd.broadcast(start))
        # Steps that are over where the plane begins: its padding rows add nothing.
        self.first = builder.sdiv(self.top, INDEX(strip.stride))

    def run(self) -> None:
        """Write all loops."""
        simd, builder, strip = self.simd, self.builder, self.strip
        missing = builder.sub(INDEX(strip.rows - 1), self.first)
        sums = simd.loop_if_any(missing, self.fresh * strip.rows, self._enter)
        rows = builder.add(builder.add(self.height, self.top), INDEX(strip.stride - 1))
        reached = builder.sub(builder.sdiv(rows, INDEX(strip.stride)), INDEX(strip.rows - 1))
        few = builder.icmp_signed("<", reached, self.out_height)
        filled = builder.select(few, reached, self.out_height)
        sums = simd.loop_if_any(filled, sums, self._complete)

        def leave(i: Any, sums: list[Any]) -> list[Any]:
            self._store(sums, builder.add(i, filled))
            return self._next(sums)

        simd.loop_if_any(builder.sub(self.out_height, filled), sums, leave)

    def _enter(self, i: Any, sums: list[Any]) -> list[Any]:
        return self._next(self._add(sums, self.builder.add(i, self.first)))

    def _complete(self, i: Any, sums: list[Any]) -> list[Any]:
        sums = self._add(sums, self.builder.add(i, INDEX(self.strip.rows - 1)))
        self._store(sums, i)
        return self._next(sums)

    def _add(self, sums: list[Any], t: Any) -> list[Any]:
        """The sums after step t."""
        return self.strip.add(sums, [self._row(t, r) for r in range(self.strip.stride)], self.factors)

    def _next(self, sums: list[Any]) -> list[Any]:
        """The sums without the oldest row's, and those of a new row."""
        return [*sums[self.strip.parts :], *self.fresh]

    def _row(self, t: Any, r: int) -> list[Any]:
        """What the taps across see of row r of step t."""
        strip, builder = self.strip, self.builder
        h = builder.sub(builder.add(builder.mul(t, INDEX(strip.stride)), INDEX(r)), self.top)
        address = self.simd.after(self.outof, builder.mul(h, self.width))
        masks = self.masks
        if strip.stride > 1:  # the last step may reach beyond the plane
            inside = builder.icmp_unsigned("<", h, self.height)
            masks = [strip.loader.mask_if(inside, mask) for mask in masks]
        row = strip.row(address, masks)
        if not strip.slim:
            with builder.if_then(builder.icmp_signed("!=", self.ahead, INDEX(0)), likely=False):
                self.simd.prefetch(self.simd.after(address, self.ahead))
        return row

    def _store(self, sums: list[Any], i: Any) -> None:
        """Write row i of y, the oldest."""
        address = self.simd.after(self.into, self.builder.mul(i, self.out_width))
        self.simd.store_partial(self.strip.complete(sums), address, self.columns)


def _make_strip(taps: int, stride: int, share: int, parts: int = 1) -> Any:
    """Return the intrinsic for a kind of window.

    Args:
        taps: along each axis.
        stride: along each axis.
        share: 2 where half of a vector's lanes are used, else 1.
        parts: of every sum, so that not every addition waits for the one before it; they cost registers.
    """

    def compute_strip(
        typing_context: Any,
        y: Any,
        target: Any,
        column: Any,
        columns: Any,
        x: Any,
        source: Any,
        weights: Any,
        weights_at: Any,
        weights_step: Any,
        start: Any,
        numbers: Any,
    ) -> Any:
        """Compute `columns` columns of a plane of y, from `column` on; the planes begin at y[target] and
        x[source]. Weight k is weights[weights_at + k weights_step].
        """

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = signature.args[0]
            whole = VectorBuilder(context, builder, kind)
            simd = VectorBuilder(context, builder, kind, element_lanes(kind) // share)
            _Walk(_Strip(simd, whole, taps, stride, parts), signature.args, arguments).run()
            return context.get_dummy_value()

        index = types.intp
        return types.void(y, index, index, index, x, index, weights, index, index, y.dtype, numbers), emit

    return intrinsic(compute_strip)


_strip_3_1, _strip_3_1_slim = _make_strip(3, 1, 1), _make_strip(3, 1, 2)
_strip_3_2, _strip_3_2_slim = _make_strip(3, 2, 1), _make_strip(3, 2, 2)
_strip_5_1, _strip_5_1_slim = _make_strip(5, 1, 1), _make_strip(5, 1, 2)
_strip_5_2, _strip_5_2_slim = _make_strip(5, 2, 1), _make_strip(5, 2, 2, parts=2)
