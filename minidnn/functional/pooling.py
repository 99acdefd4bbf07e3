"""Pooling over windows, adaptive bins and whole planes, and max unpooling.

Every function takes a batch (N, C, H, W) or a single sample (C, H, W) and returns the same rank.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, overload

from kernels.adaptive_pool2d import (
    adaptive_average_pool2d_backward,
    adaptive_average_pool2d_forward,
    adaptive_max_pool2d_backward,
    adaptive_max_pool2d_forward,
)
from kernels.array import Array, check_flag, check_rank, shown
from kernels.global_pool2d import (
    global_average_pool2d_backward,
    global_average_pool2d_forward,
    global_max_pool2d_backward,
    global_max_pool2d_forward,
)
from kernels.max_unpool2d import max_unpool2d_backward, max_unpool2d_forward
from kernels.pool2d import (
    average_pool2d_backward,
    average_pool2d_forward,
    max_pool2d_backward,
    max_pool2d_forward,
)
from kernels.window import Pair, Window, pair
from minidnn.autograd import Function
from minidnn.tensor import Tensor, apply_many, as_tensor

Size: TypeAlias = int | Sequence[int]


class MaxPool2d(Function):
    """y[p, q] = max of window (p, q);  dx[h, w] = sum of dy over the windows that (h, w) won."""

    def __init__(self, window: Window) -> None:
        self.window = window

    def forward(self, x: Array) -> tuple[Array, Array]:
        """Return the maxima and their places."""
        self.input_shape = x.shape
        output, indices = max_pool2d_forward(x, self.window)
        self.save(indices)
        return output, indices

    def backward(self, grad_output: Array, grad_indices: None) -> Array:
        """Gather dy from the windows that each element won."""
        (indices,) = self.saved
        return max_pool2d_backward(grad_output, indices, self.input_shape, self.window)


class AvgPool2d(Function):
    """y[p, q] = sum of window (p, q) / d[p, q];  dx[h, w] = sum of dy / d over the windows on (h, w)."""

    def __init__(self, window: Window, count_include_pad: bool, divisor_override: int | None) -> None:
        self.options = window, count_include_pad, divisor_override

    def forward(self, x: Array) -> Array:
        """Return the means."""
        self.input_shape = x.shape
        return average_pool2d_forward(x, *self.options)

    def backward(self, grad_output: Array) -> Array:
        """Gather each element's share of the windows around it."""
        return average_pool2d_backward(grad_output, self.input_shape, *self.options)


class AdaptiveMaxPool2d(Function):
    """y[p, q] = max of bin (p, q);  dx[h, w] = sum of dy over the bins that (h, w) won."""

    def __init__(self, output_size: Pair) -> None:
        self.output_size = output_size

    def forward(self, x: Array) -> tuple[Array, Array]:
        """Return the maxima and their places."""
        self.input_shape = x.shape
        output, indices = adaptive_max_pool2d_forward(x, self.output_size)
        self.save(indices)
        return output, indices

    def backward(self, grad_output: Array, grad_indices: None) -> Array:
        """Sum dy at the places that won."""
        (indices,) = self.saved
        return adaptive_max_pool2d_backward(grad_output, indices, self.input_shape)


class AdaptiveAvgPool2d(Function):
    """y[p, q] = mean of bin (p, q);  dx[h, w] = sum of dy / size over the bins that hold (h, w)."""

    def __init__(self, output_size: Pair) -> None:
        self.output_size = output_size

    def forward(self, x: Array) -> Array:
        """Return the means."""
        self.input_shape = x.shape
        return adaptive_average_pool2d_forward(x, self.output_size)

    def backward(self, grad_output: Array) -> Array:
        """Gather each element's share of its bins."""
        return adaptive_average_pool2d_backward(grad_output, self.input_shape)


class GlobalMaxPool2d(Function):
    """y = max of the plane;  dx = dy at the first maximum, zero elsewhere."""

    def forward(self, x: Array) -> tuple[Array, Array]:
        """Return the maxima and their places."""
        self.input_shape = x.shape
        output, indices = global_max_pool2d_forward(x)
        self.save(indices)
        return output, indices

    def backward(self, grad_output: Array, grad_indices: None) -> Array:
        """Put dy at the place that won."""
        (indices,) = self.saved
        return global_max_pool2d_backward(grad_output, indices, self.input_shape)


class GlobalAvgPool2d(Function):
    """y = mean of the plane;  dx = dy / (H W)."""

    def forward(self, x: Array) -> Array:
        """Return the means."""
        self.input_shape = x.shape
        return global_average_pool2d_forward(x)

    def backward(self, grad_output: Array) -> Array:
        """Share dy out evenly."""
        return global_average_pool2d_backward(grad_output, self.input_shape)


class MaxUnpool2d(Function):
    """y = x put back to `indices`, zero elsewhere;  dx = dy at `indices`."""

    def __init__(self, output_size: Pair) -> None:
        self.output_size = output_size

    def forward(self, x: Array, indices: Array) -> Array:
        """Return the planes with every value in its place."""
        self.save(indices)
        return max_unpool2d_forward(x, indices, self.output_size)

    def backward(self, grad_output: Array) -> tuple[Array, None]:
        """Read dy at each value's place."""
        (indices,) = self.saved
        return max_unpool2d_backward(grad_output, indices), None


@overload
def max_pool2d(
    x: Any,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Any = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: Literal[False] = False,
) -> Tensor: ...
@overload
def max_pool2d(
    x: Any,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Any = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    *,
    return_indices: Literal[True],
) -> tuple[Tensor, Tensor]: ...
@overload
def max_pool2d(
    x: Any,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Any = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]: ...
def max_pool2d(
    x: Any,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Any = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """Return the maximum of every window.

        y[n, c, p, q] = max over taps (i, j) of x[n, c, p SH - PH + i DH, q SW - PW + j DW]

    Args:
        x: (N, C, H, W) or (C, H, W), float32 or float64.
        kernel_size: taps, an int or (height, width).
        stride: step, an int or (height, width); kernel_size if not given.
        padding: elements that count as -inf on every side, an int, (vertical, horizontal) or
            ((top, bottom), (left, right)); at most half the kernel.
        dilation: distance between taps, an int or (height, width).
        ceil_mode: also count a last window that overhangs the end but starts inside.
        return_indices: also return where each maximum stands, h W + w, as int64.

    Returns:
        (N, C, OH, OW) or (C, OH, OW) of x's dtype, OH = floor((H + 2 PH - DH (KH - 1) - 1) / SH) + 1 (ceil
        with ceil_mode); with return_indices a pair of it and the indices. The gradient of a tie goes to
        the first maximum in row-major order; NaN propagates.

    Raises:
        ValueError: another rank, no channel, row or column, an impossible window.
        TypeError: another dtype, or sizes that are not integers.

    Source: Scherer et al., "Evaluation of pooling operations in convolutional architectures for object
    recognition", 2010, section 3.2.
    """
    window = Window.of(kernel_size, kernel_size if stride is None else stride, padding, dilation, ceil_mode)
    wanted = check_flag("return_indices", return_indices)
    output, indices = _apply_to_batch(MaxPool2d(window), x)
    return (output, indices) if wanted else output


def avg_pool2d(
    x: Any,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Return the mean of every window.

        y[n, c, p, q] = sum over taps (i, j) of x[n, c, p SH - PH + i, q SW - PW + j] / d[p, q]

    Args:
        x: (N, C, H, W) or (C, H, W), float32 or float64.
        kernel_size, stride, padding, ceil_mode: as for `max_pool2d`; padding counts as 0.
        count_include_pad: whether the divisor d counts the taps in the padding.
        divisor_override: the divisor of every window, instead of its number of taps.

    Returns:
        (N, C, OH, OW) or (C, OH, OW) of x's dtype, sizes as for `max_pool2d`.

    Raises:
        ValueError: another rank, no channel, row or column, an impossible window, divisor_override 0.
        TypeError: another dtype, or sizes that are not integers.

    Source: LeCun et al., "Gradient-based learning applied to document recognition", 1998, section II-B.
    """
    stride = kernel_size if stride is None else stride
    window = Window.of(kernel_size, stride, padding, ceil_mode=ceil_mode)
    counts = check_flag("count_include_pad", count_include_pad)
    return _apply_to_batch(AvgPool2d(window, counts, divisor_override), x)[0]


def adaptive_avg_pool2d(x: Any, output_size: int | Sequence[int | None]) -> Tensor:
    """Return the mean of every bin of a grid of `output_size` bins.

        y[n, c, p, q] = mean of x[n, c, h, w] over floor(p H / OH) <= h < ceil((p + 1) H / OH), w likewise

    Args:
        x: (N, C, H, W) or (C, H, W), float32 or float64.
        output_size: bins, an int or (height, width); None stands for the input's size.

    Returns:
        (N, C, OH, OW) or (C, OH, OW) of x's dtype.

    Raises:
        ValueError: another rank, no row or column, a negative size.
        TypeError: another dtype, or sizes that are not integers.
    """
    x = as_tensor(x)
    size = _adaptive_size(x, output_size)
    function = GlobalAvgPool2d() if size == (1, 1) else AdaptiveAvgPool2d(size)
    return _apply_to_batch(function, x)[0]


@overload
def adaptive_max_pool2d(
    x: Any, output_size: int | Sequence[int | None], return_indices: Literal[False] = False
) -> Tensor: ...
@overload
def adaptive_max_pool2d(
    x: Any, output_size: int | Sequence[int | None], return_indices: Literal[True]
) -> tuple[Tensor, Tensor]: ...
@overload
def adaptive_max_pool2d(
    x: Any, output_size: int | Sequence[int | None], return_indices: bool
) -> Tensor | tuple[Tensor, Tensor]: ...
def adaptive_max_pool2d(
    x: Any, output_size: int | Sequence[int | None], return_indices: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """Return the maximum of every bin of a grid of `output_size` bins.

        y[n, c, p, q] = max of x[n, c, h, w] over floor(p H / OH) <= h < ceil((p + 1) H / OH), w likewise

    Args:
        x: (N, C, H, W) or (C, H, W), float32 or float64.
        output_size: bins, an int or (height, width); None stands for the input's size.
        return_indices: also return where each maximum stands, h W + w, as int64.

    Returns:
        (N, C, OH, OW) or (C, OH, OW) of x's dtype; with return_indices a pair of it and the indices. Ties
        and NaN as for `max_pool2d`.

    Raises:
        ValueError: another rank, no channel, row or column, a negative size.
        TypeError: another dtype, or sizes that are not integers.
    """
    x = as_tensor(x)
    wanted = check_flag("return_indices", return_indices)
    size = _adaptive_size(x, output_size)
    function = GlobalMaxPool2d() if size == (1, 1) else AdaptiveMaxPool2d(size)
    output, indices = _apply_to_batch(function, x)
    return (output, indices) if wanted else output


def global_avg_pool2d(x: Any) -> Tensor:
    """Return the mean of every plane: `adaptive_avg_pool2d(x, 1)`.

    Source: Lin et al., "Network in network", 2014, section 3.2.

    Args:
        x: (N, C, H, W) or (C, H, W), float32 or float64.

    Returns:
        (N, C, 1, 1) or (C, 1, 1) of x's dtype.

    Raises:
        ValueError, TypeError: as `adaptive_avg_pool2d`.
    """
    return adaptive_avg_pool2d(x, 1)


def global_max_pool2d(x: Any) -> Tensor:
    """Return the maximum of every plane: `adaptive_max_pool2d(x, 1)`.

    Args:
        x: (N, C, H, W) or (C, H, W), float32 or float64.

    Returns:
        (N, C, 1, 1) or (C, 1, 1) of x's dtype.

    Raises:
        ValueError, TypeError: as `adaptive_max_pool2d`.
    """
    return adaptive_max_pool2d(x, 1)


def max_unpool2d(
    x: Any,
    indices: Any,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Return planes of zeros with the maxima that `max_pool2d` found put back in their places.

        y[n, c, h, w] = x[n, c, p, q] where indices[n, c, p, q] = h W + w, else 0

    Args:
        x: (N, C, OH, OW) or (C, OH, OW), float32 or float64.
        indices: int64 of x's shape, as `max_pool2d(..., return_indices=True)` returns them.
        kernel_size, stride, padding: those of the pooling; stride is kernel_size if not given.
        output_size: (H, W) or (N, C, H, W) of the result where several sizes pool to x's; each less than
            one stride from (OH - 1) SH - 2 PH + KH, which is the size if not given.

    Returns:
        (N, C, H, W) or (C, H, W) of x's dtype. Of values with one index the last stays.

    Raises:
        ValueError: another rank, no channel, row or column, an impossible output size, an index outside
            the plane.
        TypeError: another dtype, or sizes that are not integers.

    Source: Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014, section 2.1.
    """
    x = as_tensor(x)
    check_rank("x", x.data, 3, 4)
    if 0 in x.shape[-2:]:
        raise ValueError(f"x must have a positive height and width, got shape {x.shape}")
    window = Window.of(kernel_size, kernel_size if stride is None else stride, padding)
    size = _unpooled_size(window, x.shape[-2:], output_size)
    return _apply_to_batch(MaxUnpool2d(size), x, as_tensor(indices, name="indices"))[0]


def _apply_to_batch(function: Function, x: Any, *others: Any) -> tuple[Tensor, ...]:
    """Apply `function` to batches (N, C, H, W), or to single samples (C, H, W) as batches of one."""
    tensors = [as_tensor(value) for value in (x, *others)]
    check_rank("x", tensors[0].data, 3, 4)
    if tensors[0].ndim == 4:
        return apply_many(function, *tensors)
    outputs = apply_many(function, *(tensor.reshape((1, *tensor.shape)) for tensor in tensors))
    return tuple(output.reshape(output.shape[1:]) for output in outputs)


def _adaptive_size(x: Tensor, output_size: int | Sequence[int | None]) -> Pair:
    """`output_size` as (OH, OW), None replaced by the input's size."""
    check_rank("x", x.data, 3, 4)
    if isinstance(output_size, Sequence):
        if isinstance(output_size, str | bytes) or len(output_size) != 2:
            raise ValueError(f"output_size must be an integer or (height, width), got {shown(output_size)}")
        sizes = [
            given if size is None else size for size, given in zip(output_size, x.shape[-2:], strict=True)
        ]
        return pair("output_size", sizes, minimum=0)
    return pair("output_size", output_size, minimum=0)


def _unpooled_size(window: Window, size: Sequence[int], output_size: Sequence[int] | None) -> Pair:
    """The plane (H, W) to unpool into, checked against what `window` can pool to `size`."""
    usual = window.transposed_output_size(size)
    if output_size is None:
        return usual
    if not isinstance(output_size, Sequence) or len(output_size) not in (2, 4):
        raise ValueError(f"output_size must be (H, W) or (N, C, H, W), got {shown(output_size)}")
    wanted = pair("output_size", list(output_size)[-2:], minimum=1)
    for length, default, stride in zip(wanted, usual, window.stride, strict=True):
        if abs(length - default) >= stride:
            raise ValueError(
                f"output_size must differ from {usual} by less than the stride {window.stride}, got {wanted}"
            )
    return wanted
