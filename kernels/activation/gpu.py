"""The activations on the GPU: one thread per element, see activation.cu."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from kernels import activation
from kernels.array import Array
from kernels.cuda.launch import Source, c_type, contiguous, empty_beside, floating
from kernels.registry import implements

SOURCE = Source(__file__, "activation.cu")
IDEA = "one thread per element"

Contracts: TypeAlias = tuple[Callable[..., Array], ...]

PLAIN: Contracts = (
    activation.relu_forward,
    activation.relu_backward,
    activation.relu6_forward,
    activation.relu6_backward,
    activation.sigmoid_forward,
    activation.sigmoid_backward,
    activation.tanh_forward,
    activation.tanh_backward,
    activation.hardsigmoid_forward,
    activation.hardsigmoid_backward,
    activation.hardswish_forward,
    activation.hardswish_backward,
    activation.silu_forward,
    activation.silu_backward,
)


def _each(kernel: str, arrays: tuple[Any, ...], *parameters: float) -> Any:
    """Run a kernel on every element of arrays of one shape; parameters get the arrays' dtype."""
    operands = [contiguous(array) for array in arrays]
    first = operands[0]
    result = empty_beside(first, first.shape, first.dtype)
    scalars = [first.dtype.type(parameter) for parameter in parameters]
    arguments = (*operands, result, np.int64(result.size), *scalars)
    SOURCE.launch_each(kernel, result.size, arguments, {"REAL": c_type(first.dtype)})
    return result


def _announce(contract: Callable[..., Array]) -> None:
    def each(*arrays: Any) -> Any:
        return _each(contract.__name__, arrays)

    implements(contract, "each", IDEA, backend="gpu", fits=floating)(each)


for _contract in PLAIN:
    _announce(_contract)


@implements(activation.leaky_relu_forward, "each", IDEA, fits=floating)
def leaky_relu_forward_each(x: Array, negative_slope: float) -> Array:
    """The slope is an argument of the kernel."""
    result: Array = _each("leaky_relu_forward", (x,), negative_slope)
    return result


@implements(activation.leaky_relu_backward, "each", IDEA, fits=floating)
def leaky_relu_backward_each(grad_output: Array, x: Array, negative_slope: float) -> Array:
    """The slope is an argument of the kernel."""
    result: Array = _each("leaky_relu_backward", (grad_output, x), negative_slope)
    return result


@implements(activation.gelu_forward, "each", IDEA, fits=floating)
def gelu_forward_each(x: Array, approximate: str) -> Array:
    """One kernel per form."""
    result: Array = _each(f"gelu_{approximate}_forward", (x,))
    return result


@implements(activation.gelu_backward, "each", IDEA, fits=floating)
def gelu_backward_each(grad_output: Array, x: Array, approximate: str) -> Array:
    """One kernel per form."""
    result: Array = _each(f"gelu_{approximate}_backward", (grad_output, x))
    return result
