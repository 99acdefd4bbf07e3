"""The fully connected layer, and what changes shapes or nothing at all around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import check_flag, check_integer
from kernels.creation import full
from minidnn import init
from minidnn.functional.linear import linear
from minidnn.nn.lazy import LazyModule, UninitializedParameter, materialize
from minidnn.nn.module import Module, Parameter
from minidnn.tensor import Tensor, as_tensor


class Linear(Module):
    """y = x W^T + b over the last axis.

    Shapes: input (..., in_features); output (..., out_features).

    Args:
        in_features: size of the input's last axis.
        out_features: size of the output's last axis.
        bias: whether to add a learned bias.

    Attributes:
        weight: (out_features, in_features), drawn from U(-1/sqrt(in_features), 1/sqrt(in_features)).
        bias: (out_features,), drawn likewise, or None.

    Raises:
        ValueError: a negative size.
        TypeError: a size that is not an integer.
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        self.in_features = check_integer("in_features", in_features, minimum=0)
        self.out_features = check_integer("out_features", out_features, minimum=0)
        self.weight = Parameter(full((self.out_features, self.in_features), 0, np.float32))
        self.register_parameter(
            "bias", Parameter(full((self.out_features,), 0, np.float32)) if check_flag("bias", bias) else None
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        init.reset_weight_and_bias_(self.weight, self.bias)

    def forward(self, x: Any) -> Tensor:
        """Apply the layer to (..., in_features)."""
        return linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Sizes, and whether there is a bias."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
        )


class LazyLinear(LazyModule, Linear):
    """A Linear that takes `in_features` from the first input (or from a loaded state) and then is one."""

    becomes = Linear

    def __init__(self, out_features: int, bias: bool = True) -> None:
        super().__init__(0, 0, bias=False)
        self.out_features = check_integer("out_features", out_features, minimum=0)
        self.weight = UninitializedParameter()
        self.bias = UninitializedParameter() if check_flag("bias", bias) else None

    def size_from_input(self, x: Any) -> int:
        """The last axis."""
        shape = as_tensor(x).shape
        if not shape:
            raise ValueError(f"x must have at least 1 dimension, got shape {shape}")
        return shape[-1]

    def size_from_weight(self, shape: Sequence[int]) -> int | None:
        """The weight's last axis."""
        return shape[1] if len(shape) == 2 else None

    def take_size(self, size: int) -> None:
        """Set in_features."""
        self.in_features = size
        materialize(self.weight, (self.out_features, size))
        materialize(self.bias, (self.out_features,))


class Flatten(Module):
    """Joins the axes from start_dim to end_dim into one; by default all but the batch's.

    Args:
        start_dim: first axis to join.
        end_dim: last axis to join; negative ones count from the end.
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = check_integer("start_dim", start_dim)
        self.end_dim = check_integer("end_dim", end_dim)

    def forward(self, x: Any) -> Tensor:
        """Return x with the axes joined (a view where the memory allows it)."""
        return as_tensor(x).flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """Both axes."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Identity(Module):
    """Returns its input; any constructor arguments are ignored, so that it can stand in for any layer."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__()

    def forward(self, x: Any) -> Any:
        """Return x."""
        return x
