"""Window's output sizes, against PyTorch and against counting by hand."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kernels import Window
from kernels.window import adaptive_bounds, pair, same_padding

size = st.integers(1, 12)


def counted(
    length: int, kernel: int, stride: int, padding: tuple[int, int], dilation: int, ceil: bool
) -> int:
    """Slide the window step by step and count the places where it may stand."""
    last_tap = dilation * (kernel - 1)
    starts, start = [], -padding[0]
    while start + last_tap < length + padding[1]:
        starts.append(start)
        start += stride
    if ceil and start + last_tap < length + padding[1] - 1 + stride:
        starts.append(start)  # it overhangs the end, by less than a stride
    if starts and ceil and starts[-1] >= length:
        starts.pop()  # it would see nothing but trailing padding
    return len(starts)


@settings(max_examples=300)
@given(
    size,
    st.integers(1, 4),
    st.integers(1, 4),
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
    size,
    st.booleans(),
)
def test_output_size_counts_the_places(
    length: int, kernel: int, stride: int, padding: tuple[int, int], dilation: int, ceil: bool
) -> None:
    window = Window.of((kernel, 1), (stride, 1), (padding, (0, 0)), (dilation, 1), ceil)
    extent = dilation * (kernel - 1) + 1
    assert window.extent == (extent, 1)
    places = counted(length, kernel, stride, padding, dilation, ceil)
    if places == 0:
        with pytest.raises(ValueError, match="input height .* is smaller than the window's extent"):
            window.output_size((length, 1))
    else:
        assert window.output_size((length, 1))[0] == places


@pytest.mark.reference
@settings(max_examples=100)
@given(
    st.tuples(size, size),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(0, 2),
    st.integers(1, 2),
    st.booleans(),
)
def test_output_size_agrees_with_torch(
    plane: tuple[int, int], kernel: int, stride: int, padding: int, dilation: int, ceil: bool
) -> None:
    torch = pytest.importorskip("torch")
    window = Window.of(kernel, stride, padding, dilation, ceil)
    assume(padding <= kernel // 2)
    assume(all(counted(length, kernel, stride, (padding, padding), dilation, ceil) for length in plane))
    pooled = torch.nn.functional.max_pool2d(
        torch.zeros(1, 1, *plane), kernel, stride, padding, dilation, ceil
    )
    assert window.output_size(plane) == tuple(pooled.shape[2:])


@settings(max_examples=100)
@given(size, st.integers(1, 4), st.integers(1, 4), st.integers(0, 3), st.integers(1, 3))
def test_transposed_output_size_inverts_output_size(
    length: int, kernel: int, stride: int, padding: int, dilation: int
) -> None:
    window = Window.of(kernel, stride, padding, dilation)
    assume(length + 2 * padding >= window.extent[0])
    output = window.output_size((length, length))
    rest = (length + 2 * padding - window.extent[0]) % stride
    assert window.transposed_output_size(output, (rest, rest)) == (length, length)


def test_a_transposed_size_must_be_positive() -> None:
    with pytest.raises(ValueError, match=r"output would have size \(-1, -1\)"):
        Window.of(1, padding=1).transposed_output_size((1, 1))


@pytest.mark.parametrize(
    ("value", "result"), [(3, (3, 3)), ((1, 2), (1, 2)), ([4], (4, 4)), (np.int64(5), (5, 5))]
)
def test_pair(value: Any, result: tuple[int, int]) -> None:
    assert pair("stride", value) == result


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"kernel": 0}, ValueError, "kernel_size must be at least 1, got 0"),
        ({"kernel": (1, 2, 3)}, ValueError, r"kernel_size must be an integer or \(height, width\)"),
        ({"kernel": 2.0}, TypeError, "kernel_size must be an integer, got 2.0"),
        ({"kernel": "33"}, TypeError, "kernel_size must be an integer, got '33'"),
        ({"kernel": True}, TypeError, "kernel_size must be an integer, got True"),
        ({"kernel": 1, "stride": (1, 0)}, ValueError, "stride must be at least 1, got 0"),
        ({"kernel": 1, "dilation": -1}, ValueError, "dilation must be at least 1, got -1"),
        ({"kernel": 1, "padding": -1}, ValueError, "padding must be at least 0, got -1"),
        ({"kernel": 1, "padding": ((0, -2), (0, 0))}, ValueError, "padding must be at least 0, got -2"),
    ],
)
def test_bad_windows(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Window.of(**arguments)


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_same_padding_keeps_the_size(kernel: int, dilation: int) -> None:
    padding = same_padding((kernel, 3), (dilation, 1))
    assert Window.of((kernel, 3), 1, padding, (dilation, 1)).output_size((9, 7)) == (9, 7)
    assert padding[0][1] - padding[0][0] in (0, 1)


@given(st.integers(1, 20), st.integers(1, 20))
def test_adaptive_bins_cover_the_axis(length: int, bins: int) -> None:
    bounds = [adaptive_bounds(length, bins, index) for index in range(bins)]
    assert bounds[0][0] == 0
    assert bounds[-1][1] == length
    assert all(start < end for start, end in bounds)
    assert all(later[0] <= earlier[1] for earlier, later in itertools.pairwise(bounds))
