"""Activations, softmax and log-softmax as layers; the formulas are in `minidnn.functional.activation`."""

from __future__ import annotations

from typing import Any

from kernels.array import check_number
from minidnn.functional.activation import (
    gelu,
    hardsigmoid,
    hardswish,
    leaky_relu,
    log_softmax,
    relu,
    relu6,
    sigmoid,
    silu,
    softmax,
    tanh,
)
from minidnn.nn.module import Module
from minidnn.tensor import Tensor


class _InPlace(Module):
    """What the activations without further arguments share.

    Args:
        inplace: write the result over the input.
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        """The argument, if it is not the default."""
        return "inplace=True" if self.inplace else ""


class ReLU(_InPlace):
    """max(x, 0); see `minidnn.functional.relu`. Argument: see `_InPlace`."""

    def forward(self, x: Any) -> Tensor:
        """Cut at 0."""
        return relu(x, self.inplace)


class ReLU6(_InPlace):
    """min(max(x, 0), 6); see `minidnn.functional.relu6`. Argument: see `_InPlace`."""

    def forward(self, x: Any) -> Tensor:
        """Cut at 0 and 6."""
        return relu6(x, self.inplace)


class LeakyReLU(Module):
    """x where x > 0, else negative_slope x; see `minidnn.functional.leaky_relu`.

    Args:
        negative_slope: the factor below 0.
        inplace: write the result over the input.

    Raises:
        ValueError: a slope that is not finite.
        TypeError: a slope that is no number.
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        check_number("negative_slope", negative_slope)
        self.negative_slope = negative_slope
        self.inplace = inplace

    def forward(self, x: Any) -> Tensor:
        """Scale what is below 0."""
        return leaky_relu(x, self.negative_slope, self.inplace)

    def extra_repr(self) -> str:
        """The slope, and `inplace` if it is not the default."""
        return f"negative_slope={self.negative_slope}" + (", inplace=True" if self.inplace else "")


class Sigmoid(Module):
    """1 / (1 + e^-x); see `minidnn.functional.sigmoid`."""

    def forward(self, x: Any) -> Tensor:
        """Squash to (0, 1)."""
        return sigmoid(x)


class Tanh(Module):
    """(e^x - e^-x) / (e^x + e^-x); see `minidnn.functional.tanh`."""

    def forward(self, x: Any) -> Tensor:
        """Squash to (-1, 1)."""
        return tanh(x)


class Hardsigmoid(_InPlace):
    """min(max(x + 3, 0), 6) / 6; see `minidnn.functional.hardsigmoid`. Argument: see `_InPlace`."""

    def forward(self, x: Any) -> Tensor:
        """A ramp from 0 to 1."""
        return hardsigmoid(x, self.inplace)


class Hardswish(_InPlace):
    """x min(max(x + 3, 0), 6) / 6; see `minidnn.functional.hardswish`. Argument: see `_InPlace`."""

    def forward(self, x: Any) -> Tensor:
        """x on a ramp."""
        return hardswish(x, self.inplace)


class SiLU(_InPlace):
    """x sigmoid(x); see `minidnn.functional.silu`. Argument: see `_InPlace`."""

    def forward(self, x: Any) -> Tensor:
        """x on a sigmoid."""
        return silu(x, self.inplace)


class GELU(Module):
    """x Phi(x) with the normal distribution function Phi; see `minidnn.functional.gelu`.

    Args:
        approximate: "none" for Phi itself, "tanh" for its approximation.

    Raises:
        ValueError: another `approximate`, on call.
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, x: Any) -> Tensor:
        """x on the normal distribution function."""
        return gelu(x, self.approximate)

    def extra_repr(self) -> str:
        """The argument."""
        return f"approximate={self.approximate!r}"


class Softmax(Module):
    """e^x[i] / sum_j e^x[j] along an axis; see `minidnn.functional.softmax`.

    Args:
        dim: the axis whose elements compete; negative ones count from the end.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Any) -> Tensor:
        """Probabilities from scores."""
        return softmax(x, self.dim)

    def extra_repr(self) -> str:
        """The argument."""
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """x[i] - log sum_j e^x[j] along an axis; see `minidnn.functional.log_softmax`.

    Args:
        dim: the axis whose elements compete; negative ones count from the end.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Any) -> Tensor:
        """Log-probabilities from scores."""
        return log_softmax(x, self.dim)

    def extra_repr(self) -> str:
        """The argument."""
        return f"dim={self.dim}"
