"""The convolution's gradients on the CPU: their entry into the table, and the bias's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kernels.array import Array
from kernels.conv2d import conv2d_backward_bias, conv2d_backward_input, conv2d_backward_weight
from kernels.conv2d.cpu_backward_input import input_gradient
from kernels.conv2d.cpu_backward_weight import weight_gradient
from kernels.conv2d.cpu_fused import launch, make_plan, pack_filters
from kernels.conv2d.cpu_geometry import is_one_position, is_pointwise
from kernels.conv2d.versions import TYPES
from kernels.cpu.compilation import contiguous, parallel, tasks_for
from kernels.cpu.product import product
from kernels.cpu.simd import vector_lanes
from kernels.cpu.transposition import transpose_block
from kernels.linear.cpu import write_input_gradient, write_weight_gradient
from kernels.memory import empty
from kernels.registry import implements
from kernels.threads import get_num_threads
from kernels.window import Window

# Elements of a plane that are summed up by themselves, which keeps rounding errors small.
PLANE_PART = 4096
# For so few positions it costs too much to pack a weight of so many elements.
FEW_POSITIONS, LARGE_WEIGHT = 64, 1 << 19


@implements(
    conv2d_backward_weight,
    "patches",
    "a tiled product whose columns are read out of patches where they lie",
    backend="cpu",
    fits=lambda grad_output, x, window, groups: x.dtype in TYPES,
)
def conv2d_backward_weight_patches(grad_output: Array, x: Array, window: Window, groups: int) -> Array:
    """dW = dY X^T without building X."""
    return weight_gradient(grad_output, x, window, groups)


@implements(
    conv2d_backward_weight,
    "one_position",
    "planes of one element: the product of a fully connected layer",
    backend="cpu",
    fits=lambda grad_output, x, window, groups: (
        x.dtype in TYPES and is_one_position(x.shape[2:], window, groups)
    ),
    compiled=True,
)
def conv2d_backward_weight_one_position(grad_output: Array, x: Array, window: Window, groups: int) -> Array:
    """dW = dY^T X for matrices (N, O) and (N, C)."""
    grad_weight = empty((grad_output.shape[1], x.shape[1], 1, 1), x.dtype)
    write_weight_gradient(grad_output, x, grad_weight)
    return grad_weight


@implements(
    conv2d_backward_input,
    "patches",
    "a tiled product per phase of the stride, its columns read out of patches of dY",
    backend="cpu",
    fits=lambda grad_output, weight, input_shape, window, groups: weight.dtype in TYPES,
    compiled=True,
)
def conv2d_backward_input_patches(
    grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window, groups: int
) -> Array:
    """dX = W^T dY, of which only the parts that add up in dX are computed, and in place."""
    return input_gradient(grad_output, weight, input_shape, window, groups)


@implements(
    conv2d_backward_input,
    "pointwise",
    "1x1: the convolution of dY with W^T, whose planes are the matrix",
    backend="cpu",
    fits=lambda grad_output, weight, input_shape, window, groups: (
        weight.dtype in TYPES and is_pointwise(window)
    ),
    compiled=True,
)
def conv2d_backward_input_pointwise(
    grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window, groups: int
) -> Array:
    """dX = W^T dY for the planes of every image."""
    threads = get_num_threads()
    plan = make_plan(grad_output.shape, input_shape[1], window, groups, weight.dtype, threads)
    grad_x = empty(plan.out_shape, weight.dtype)
    launch(plan, grad_output, pack_filters(weight, groups, turned=True), None, grad_x, None)
    return grad_x


@parallel
def transpose_matrix(task: int, tasks: int, matrix: Any, rows: int, turned: Any) -> None:
    """turned (columns, rows) = the transposed matrix (rows, columns), both flat; tasks share the columns."""
    lanes, columns = vector_lanes(matrix), matrix.size // rows
    vectors = (columns + lanes - 1) // lanes
    for vector in range(vectors * task // tasks, vectors * (task + 1) // tasks):
        column = vector * lanes
        for row in range(0, rows, lanes):
            count = min(lanes, rows - row)
            transpose_block(
                *(turned, column * rows + row, rows, matrix, row * columns + column, columns),
                *(count, min(lanes, columns - column), count),
            )


@implements(
    conv2d_backward_input,
    "one_image",
    "1x1 on one image: the product's columns are channels, so that the weight is read as it lies",
    backend="cpu",
    fits=lambda grad_output, weight, input_shape, window, groups: (
        weight.dtype in TYPES and is_pointwise(window) and groups == input_shape[0] == 1
    ),
    pays=lambda grad_output, weight, input_shape, window, groups: (
        math.prod(input_shape[2:]) <= FEW_POSITIONS and weight.size >= LARGE_WEIGHT
    ),
    compiled=True,
)
def conv2d_backward_input_one_image(
    grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window, groups: int
) -> Array:
    """dX^T = dY^T W for planes as rows, which are turned at the end."""
    (outputs, channels), positions = weight.shape[:2], math.prod(input_shape[2:])
    turned = empty((positions, channels), weight.dtype)
    filters = contiguous(weight).reshape(outputs, channels)
    product(contiguous(grad_output), (1, positions), filters, turned)
    grad_x = empty(tuple(input_shape), weight.dtype)
    transpose_matrix(tasks_for(grad_x.size), turned.reshape(-1), positions, grad_x.reshape(-1))
    return grad_x


@implements(
    conv2d_backward_input,
    "one_position",
    "planes of one element: the product of a fully connected layer",
    backend="cpu",
    fits=lambda grad_output, weight, input_shape, window, groups: (
        weight.dtype in TYPES and is_one_position(input_shape[2:], window, groups)
    ),
    compiled=True,
)
def conv2d_backward_input_one_position(
    grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window, groups: int
) -> Array:
    """dX = dY W for matrices (N, O) and (O, C)."""
    grad_x = empty(tuple(input_shape), grad_output.dtype)
    write_input_gradient(grad_output, weight, grad_x)
    return grad_x


@parallel(summing=True)
def sum_planes(task: int, tasks: int, grad_output: Any, grad_bias: Any) -> None:
    """grad_bias[o] = the sums of the planes (n, o), n = 0, 1, ..., added up in this order."""
    batch, outputs, size = grad_output.shape
    for o in range(outputs * task // tasks, outputs * (task + 1) // tasks):
        total = grad_bias.dtype.type(0)
        for n in range(batch):
            plane = grad_output[n, o]
            plane_sum = grad_bias.dtype.type(0)
            for start in range(0, size, PLANE_PART):
                part = plane[start : start + PLANE_PART]
                part_sum = grad_bias.dtype.type(0)
                for i in range(part.size):
                    part_sum += part[i]
                plane_sum += part_sum
            total += plane_sum
        grad_bias[o] = total


@implements(
    conv2d_backward_bias,
    "planes",
    "sums of planes over vectors, channels over all threads",
    backend="cpu",
    fits=lambda grad_output: grad_output.dtype in TYPES,
    compiled=True,
)
def conv2d_backward_bias_planes(grad_output: Array) -> Array:
    """db[o] = sum over n of the sum of plane (n, o)."""
    batch, outputs, height, width = grad_output.shape
    grad_bias = empty(outputs, grad_output.dtype)
    planes = contiguous(grad_output).reshape(batch, outputs, height * width)
    sum_planes(tasks_for(grad_output.size), planes, grad_bias)
    return grad_bias
