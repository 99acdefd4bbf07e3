"""Batch normalisation on the GPU: statistics by parts of channels, then a thread per element."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from kernels.array import Array
from kernels.batch_norm import (
    batch_norm_backward_inference,
    batch_norm_backward_training,
    batch_norm_forward_inference,
    batch_norm_forward_inference_activated,
    batch_norm_forward_training,
)
from kernels.cuda.activations import activation_number
from kernels.cuda.launch import (
    THREADS,
    Source,
    c_type,
    contiguous,
    empty_beside,
    floating,
    written_in_place,
)
from kernels.registry import implements

SOURCE = Source(__file__, "batch_norm.cu")
STATISTICS = "Welford's moments by parts of channels, merged in order, then one thread per element"
SUMS = "both sums by parts of channels, then one thread per element"
EACH = "one thread per element"
# The values of a part at least, and the most parts of a channel: few channels shall occupy a GPU too.
PART, MOST_PARTS = 4096, 256


class Sizes(NamedTuple):
    """The kernels' parameters CHANNELS; their number of parts depends on nothing but the shape."""

    channels: int
    plane: int
    values: int
    parts: int

    @classmethod
    def of(cls, shape: tuple[int, ...]) -> Sizes:
        """Of arrays (N, C, *spatial)."""
        plane = math.prod(shape[2:])
        values = shape[0] * plane
        return cls(shape[1], plane, values, min(-(-values // PART), MOST_PARTS))

    def arguments(self) -> list[np.int64]:
        """All of them."""
        return [np.int64(number) for number in self]


def _of_parts(kernel: str, arrays: tuple[Any, ...], sizes: Sizes, found_per_part: int) -> Any:
    """Run a kernel with a block per part of a channel; return what the blocks found."""
    blocks = sizes.channels * sizes.parts
    found = empty_beside(arrays[0], (blocks, found_per_part), np.float64)
    if blocks:
        arguments = (*arrays, found, *sizes.arguments())
        SOURCE.launch(kernel, (blocks,), (THREADS,), arguments, {"REAL": c_type(arrays[0].dtype)})
    return found


def _each(kernel: str, count: int, arrays: tuple[Any, ...], *numbers: np.generic) -> None:
    """Run a kernel over elements or channels; the last array is there and has the kernels' dtype."""
    SOURCE.launch_each(kernel, count, (*arrays, *numbers), {"REAL": c_type(arrays[-1].dtype)})


def _normalized(
    x: Any, mean: Any, inverse_std: Any, weight: Any, bias: Any, activation: str | None = None
) -> Any:
    y = empty_beside(x, x.shape, x.dtype)
    arrays = (x, mean, inverse_std, contiguous(weight), contiguous(bias), y)
    numbers = map(np.int64, (y.size, *Sizes.of(x.shape)[:2]))
    _each("normalize", y.size, arrays, *numbers, activation_number(activation))
    return y


def _inverse_deviations(running_var: Any, eps: float) -> Any:
    running_var = contiguous(running_var)
    inverse_std = empty_beside(running_var, running_var.shape, running_var.dtype)
    numbers = np.int64(running_var.size), running_var.dtype.type(eps)
    _each("inverse_deviations", running_var.size, (running_var, inverse_std), *numbers)
    return inverse_std


def _parameter_gradients(grad_output: Any, x: Any, mean: Any, inverse_std: Any) -> tuple[Any, Any]:
    """Return the gradients of weight and bias."""
    sizes = Sizes.of(x.shape)
    found = _of_parts("gradient_sums_of_parts", (grad_output, x, mean, inverse_std), sizes, 2)
    grad_weight, grad_bias = (empty_beside(x, (sizes.channels,), x.dtype) for _ in range(2))
    numbers = np.int64(sizes.channels), np.int64(sizes.parts)
    _each("finish_gradient_sums", sizes.channels, (found, grad_weight, grad_bias), *numbers)
    return grad_weight, grad_bias


@implements(batch_norm_forward_training, "parts", STATISTICS, fits=floating)
def batch_norm_forward_training_parts(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    running_mean: Array | None,
    running_var: Array | None,
    momentum: float,
    eps: float,
) -> tuple[Array, Array, Array]:
    """x is read twice: for its moments, and to be normalised."""
    x = contiguous(x)
    sizes = Sizes.of(x.shape)
    found = _of_parts("moments_of_parts", (x,), sizes, 3)
    mean, inverse_std = (empty_beside(x, (sizes.channels,), x.dtype) for _ in range(2))
    with written_in_place(running_mean, running_var) as running:
        arguments = (found, mean, inverse_std, *running, *sizes.arguments())
        numbers = np.float64(momentum), np.float64(eps)
        SOURCE.launch_each(
            "finish_moments", sizes.channels, (*arguments, *numbers), {"REAL": c_type(x.dtype)}
        )
    return _normalized(x, mean, inverse_std, weight, bias), mean, inverse_std


@implements(batch_norm_backward_training, "parts", SUMS, fits=floating)
def batch_norm_backward_training_parts(
    grad_output: Array, x: Array, weight: Array | None, mean: Array, inverse_std: Array
) -> tuple[Array, Array, Array]:
    """Three launches: the sums, their total, and the gradient of x."""
    grad_output, x, mean, inverse_std = map(contiguous, (grad_output, x, mean, inverse_std))
    grad_weight, grad_bias = _parameter_gradients(grad_output, x, mean, inverse_std)
    grad_x: Any = empty_beside(x, x.shape, x.dtype)
    sizes = Sizes.of(x.shape)
    arrays = (grad_output, x, mean, inverse_std, contiguous(weight), grad_weight, grad_bias, grad_x)
    numbers = map(np.int64, (x.size, *sizes[:2]))
    _each("gradient_training", x.size, arrays, *numbers, x.dtype.type(sizes.values))
    return grad_x, grad_weight, grad_bias


@implements(batch_norm_forward_inference, "each", EACH, fits=floating)
def batch_norm_forward_inference_each(
    x: Array, weight: Array | None, bias: Array | None, running_mean: Array, running_var: Array, eps: float
) -> Array:
    """The channels' 1 / sqrt(var + eps) first."""
    inverse_std = _inverse_deviations(running_var, eps)
    y: Array = _normalized(contiguous(x), contiguous(running_mean), inverse_std, weight, bias)
    return y


@implements(batch_norm_forward_inference_activated, "each", EACH, fits=floating)
def batch_norm_forward_inference_activated_each(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    running_mean: Array,
    running_var: Array,
    eps: float,
    activation: str,
) -> Array:
    """The activation before the value is written."""
    inverse_std = _inverse_deviations(running_var, eps)
    y: Array = _normalized(contiguous(x), contiguous(running_mean), inverse_std, weight, bias, activation)
    return y


@implements(batch_norm_backward_inference, "parts", SUMS, fits=floating)
def batch_norm_backward_inference_parts(
    grad_output: Array, x: Array, weight: Array | None, running_mean: Array, running_var: Array, eps: float
) -> tuple[Array, Array, Array]:
    """Only the parameters' gradients need sums."""
    grad_output, x, running_mean = map(contiguous, (grad_output, x, running_mean))
    inverse_std = _inverse_deviations(running_var, eps)
    grad_weight, grad_bias = _parameter_gradients(grad_output, x, running_mean, inverse_std)
    grad_x: Any = empty_beside(x, x.shape, x.dtype)
    arrays = (grad_output, inverse_std, contiguous(weight), grad_x)
    _each("gradient_inference", x.size, arrays, *map(np.int64, (x.size, *Sizes.of(x.shape)[:2])))
    return grad_x, grad_weight, grad_bias
