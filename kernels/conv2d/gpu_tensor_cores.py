"""The convolution on tensor cores, and on halves: the implicit versions with other factors.

    tensor_tf32     float32 whose factors are rounded to TF32, which keeps 10 of the 23 bits behind the point;
                    so it runs only where it is asked for by name
    implicit_half   halves in memory, float32 in registers
    tensor_half     halves all the way to the tensor cores, float32 in the sums

Sums are float32 in each of them; a half is rounded once, when it is stored.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.array import HALF, Array
from kernels.conv2d import conv2d_backward_input, conv2d_backward_weight, conv2d_forward
from kernels.conv2d import gpu_implicit as implicit
from kernels.conv2d import gpu_implicit_weight as implicit_weight
from kernels.cuda.tiles import has_tensor_header
from kernels.registry import implements
from kernels.window import Window


def announce_tensor_cores() -> None:
    """Enter the versions into the ladders of the forward pass and of its two gradients."""
    single = np.dtype(np.float32)
    _announce("tensor_tf32", "float32 on tensor cores, its factors rounded to TF32", single, pays=False)
    _announce("implicit_half", "halves in memory, float32 in registers", HALF, tensor_cores=False)
    _announce("tensor_half", "halves on tensor cores, summed as float32", HALF)


def _announce(
    name: str, idea: str, dtype: np.dtype[Any], *, tensor_cores: bool = True, pays: bool = True
) -> None:
    def forward(x: Array, weight: Array, bias: Array | None, window: Window, groups: int) -> Array:
        return implicit.forward(x, weight, bias, window, groups, None, tensor_cores=tensor_cores)

    def backward_input(
        grad_output: Array, weight: Array, input_shape: Any, window: Window, groups: int
    ) -> Array:
        return implicit.backward_input(
            grad_output, weight, input_shape, window, groups, tensor_cores=tensor_cores
        )

    def backward_weight(grad_output: Array, x: Array, window: Window, groups: int) -> Array:
        return implicit_weight.backward_weight(grad_output, x, window, groups, tensor_cores=tensor_cores)

    def default(*arguments: Any) -> bool:
        return pays and (not tensor_cores or has_tensor_header(arguments[0]))

    announced: dict[str, Any] = {"idea": idea, "backend": "gpu", "pays": default}
    implements(
        conv2d_forward,
        name,
        fits=lambda x, weight, bias, window, groups: (
            x.dtype == dtype and implicit.places_fit(window, x.shape[2:], groups)
        ),
        **announced,
    )(forward)
    implements(
        conv2d_backward_input,
        name,
        fits=lambda grad_output, weight, input_shape, window, groups: (
            weight.dtype == dtype and implicit.places_fit(window, input_shape[2:], groups)
        ),
        **announced,
    )(backward_input)
    implements(
        conv2d_backward_weight,
        name,
        fits=lambda grad_output, x, window, groups: (
            x.dtype == dtype and implicit.places_fit(window, x.shape[2:], groups)
        ),
        **announced,
    )(backward_weight)
