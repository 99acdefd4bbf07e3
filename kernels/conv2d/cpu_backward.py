"""The convolution's gradients on the CPU: their entry into the table, and the bias's."""

from __future__ import annotations

from kernels.array import Array
from kernels.conv2d import conv2d_backward_weight
from kernels.conv2d.cpu_backward_weight import weight_gradient
from kernels.conv2d.versions import TYPES
from kernels.registry import implements
from kernels.window import Window


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
