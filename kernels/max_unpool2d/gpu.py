"""Max unpooling on the GPU, see max_unpool2d.cu."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.array import Array
from kernels.cuda.launch import MOST_BLOCKS, THREADS, Source, c_type, contiguous, empty_beside, floating
from kernels.max_unpool2d import max_unpool2d_backward, max_unpool2d_forward
from kernels.registry import implements
from kernels.window import Pair

SOURCE = Source(__file__, "max_unpool2d.cu")


@implements(
    max_unpool2d_forward,
    "owners",
    "a block per plane, in which every element has a thread of its own that looks at all values",
    fits=floating,
)
def max_unpool2d_forward_owners(x: Array, indices: Array, output_size: Pair) -> Array:
    """A thread meets its values in order, so the last one stays."""
    x = contiguous(x)
    y: Array = empty_beside(x, (*x.shape[:2], *output_size), x.dtype)
    planes, cells = x.shape[0] * x.shape[1], x.shape[2] * x.shape[3]
    if planes:
        sizes = map(np.int64, (planes, cells, output_size[0] * output_size[1]))
        arguments: tuple[Any, ...] = (x, contiguous(indices), y, *sizes)
        grid = (min(planes, MOST_BLOCKS),)
        SOURCE.launch("max_unpool2d_forward", grid, (THREADS,), arguments, {"REAL": c_type(x.dtype)})
    return y


@implements(max_unpool2d_backward, "each", "one thread per value reads its gradient", fits=floating)
def max_unpool2d_backward_each(grad_output: Array, indices: Array) -> Array:
    """Values that share an index read the same gradient."""
    grad_output, indices = contiguous(grad_output), contiguous(indices)
    grad_x: Array = empty_beside(grad_output, indices.shape, grad_output.dtype)
    cells, pixels = (array.shape[2] * array.shape[3] for array in (indices, grad_output))
    arguments = (grad_output, indices, grad_x, *map(np.int64, (grad_x.size, cells, pixels)))
    SOURCE.launch_each("max_unpool2d_backward", grad_x.size, arguments, {"REAL": c_type(grad_x.dtype)})
    return grad_x
