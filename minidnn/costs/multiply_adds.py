"""Multiply-adds from the shapes of arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from minidnn.costs.count import Count, product

Shape: TypeAlias = Sequence[int]


def convolution(output: Shape, weight: Shape) -> Count:
    """Every output element is a sum over the taps of its group's channels.

    Shapes: output (N, O, OH, OW) or (O, OH, OW), weight (O, C/G, KH, KW).
    """
    *n, o, oh, ow = output
    return product(N=math.prod(n), O=o, OH=oh, OW=ow, C_per_G=weight[1], KH=weight[2], KW=weight[3])


def transposed_convolution(x: Shape, weight: Shape) -> Count:
    """Every input element is spread over the taps of its group's output channels.

    Shapes: x (N, C, H, W) or (C, H, W), weight (C, O/G, KH, KW).
    """
    *n, c, h, w = x
    return product(N=math.prod(n), C=c, H=h, W=w, O_per_G=weight[1], KH=weight[2], KW=weight[3])


def locally_connected(output: Shape, weight: Shape) -> Count:
    """As a convolution, with filters of their own at every place.

    Shapes: output (N, O, OH, OW) or (O, OH, OW), weight (OH, OW, O, C, KH, KW).
    """
    *n, o, oh, ow = output
    return product(N=math.prod(n), O=o, OH=oh, OW=ow, C=weight[3], KH=weight[4], KW=weight[5])


def linear(output: Shape, weight: Shape) -> Count:
    """Every output is a sum over the inputs.

    Shapes: output (..., O), weight (O, I); or (...) and (I,), for a single output.
    """
    *outputs, features = weight
    return product(N=math.prod(output[: len(output) - len(outputs)]), O=math.prod(outputs), I=features)


def matrix_product(left: Shape, output: Shape) -> Count:
    """Every output element is a sum over the axis that the matrices share.

    Shapes: left (..., I, K), output (..., I, J), or either without an axis where a vector takes part.
    """
    return product(outputs=math.prod(output), K=left[-1])


def _convolution(inputs: Sequence[Shape], output: Shape) -> Count:
    return convolution(output, inputs[1])


# By the name of the Function: what reads the shapes of its inputs and of its output.
FUNCTIONS: Mapping[str, Callable[[Sequence[Shape], Shape], Count]] = {
    "Conv2d": _convolution,
    "DepthwiseConv2d": _convolution,
    "ConvTranspose2d": lambda inputs, output: transposed_convolution(inputs[0], inputs[1]),
    "LocallyConnected2d": lambda inputs, output: locally_connected(output, inputs[1]),
    "Linear": lambda inputs, output: linear(output, inputs[1]),
    "MatMul": lambda inputs, output: matrix_product(inputs[0], output),
}


def function_multiply_adds(function: str, inputs: Sequence[Shape], output: Shape) -> int:
    """Return the multiply-adds of a Function's forward pass, by its class's name; 0 where it has none.

    Its backward pass multiplies as often for each of the two gradients, of its input and of its weight.

    Args:
        function: the class's name, such as "Conv2d".
        inputs: the shapes of its arrays, in the order of its forward method; those after the weight may miss.
        output: its output's shape.
    """
    rule = FUNCTIONS.get(function)
    return 0 if rule is None else rule(inputs, output).value
