"""The parametric rectifier as a function."""

from __future__ import annotations

from typing import Any

from kernels.array import Array
from kernels.prelu import prelu_backward_input, prelu_backward_slope, prelu_forward
from minidnn.autograd import Function
from minidnn.tensor import Tensor, apply, as_tensor


class ParametricReLU(Function):
    """y = x where x > 0, else a x;  dx = dy or a dy,  da = sum of dy x on the left."""

    new_gradients = True

    def forward(self, x: Array, slope: Array) -> Array:
        """Bend every channel at 0."""
        self.save(x, slope)
        return prelu_forward(x, slope)

    def backward(self, grad_output: Array) -> tuple[Array | None, ...]:
        """Only what somebody asks for is computed."""
        x, slope = self.saved
        return (
            prelu_backward_input(grad_output, x, slope) if self.needs[0] else None,
            prelu_backward_slope(grad_output, x) if self.needs[1] else None,
        )


def prelu(x: Any, slope: Any) -> Tensor:
    """Return x where it is positive, else x times its channel's slope.

    Shapes: x (N, C, *spatial), slope (C,); result as x.
    Dtypes: float32 or float64, the same for both.

    Raises:
        ValueError: a rank or shape other than above.
        TypeError: another dtype, or mixed dtypes.

    Source: He et al., "Delving deep into rectifiers", ICCV 2015, section 2.1.
    """
    return apply(ParametricReLU(), as_tensor(x), as_tensor(slope, name="slope"))
