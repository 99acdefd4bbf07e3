"""Layers that work element by element or along one axis, by what each element takes.

Operations are counted in the formula as it is written in `minidnn.functional`: a layer's kernel may do with
fewer (a batch norm in evaluation mode with one product and one sum) or with more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kernels.array import check_flag, check_integer
from minidnn.costs.count import Count, product
from minidnn.costs.layer_cost import LayerCost, Moved, Pass


class PerElement(NamedTuple):
    """Operations for each element.

    Attributes:
        forward: in the forward pass.
        backward: in the backward pass.
        kept: what backward reads besides the gradient: "x" or "y".
    """

    forward: int
    backward: int
    kept: str = "x"


ACTIVATIONS: Mapping[str, PerElement] = {
    "relu": PerElement(1, 1, "y"),  # max; a comparison
    "relu6": PerElement(2, 2, "y"),  # max, min; two comparisons
    "leaky_relu": PerElement(2, 2),  # a comparison and a product
    "sigmoid": PerElement(4, 3, "y"),  # 1 / (1 + exp(-x));  dy y (1 - y)
    "tanh": PerElement(6, 3, "y"),  # (e^x - e^-x) / (e^x + e^-x);  dy (1 - y y)
    "hardsigmoid": PerElement(4, 3),  # +, max, min, /;  two comparisons, /
    "hardswish": PerElement(5, 5),  # and a product;  two comparisons, dy (x / 3 + 1 / 2)
    "silu": PerElement(5, 9),  # x sigmoid(x);  the sigmoid again, dy s (1 + x (1 - s))
    "gelu": PerElement(5, 12),  # x (1 + erf(x / c)) / 2;  dy (Phi + x phi), both computed again
    "softmax": PerElement(5, 4, "y"),  # max, -, exp, +, /;  dy y, +, -, times y
    "log_softmax": PerElement(5, 4, "y"),  # max, -, exp, +, -;  +, exp, product, -
    "dropout": PerElement(2, 2, ""),  # a comparison of drawn bits and a product
}

LOSSES: Mapping[str, PerElement] = {
    "cross_entropy": PerElement(6, 7),  # log_softmax and the target's share; softmax - target, scaled
    "nll_loss": PerElement(1, 1, ""),
    "mse_loss": PerElement(3, 3),  # -, square, +;  -, times 2, times dl
    "l1_loss": PerElement(3, 3),  # -, absolute, +;  -, sign, times dl
    "smooth_l1_loss": PerElement(6, 4),
    "binary_cross_entropy_with_logits": PerElement(10, 8),
    "multi_margin_loss": PerElement(4, 4),  # two sums, max, +;  two sums, a comparison, times dl
}


def activation_cost(name: str, x: Sequence[int]) -> LayerCost:
    """Return the cost of an activation, softmax or dropout on x.

    Raises:
        ValueError: a length below 1.
        KeyError: a name that is not in ACTIVATIONS.
    """
    return _mapped(ACTIVATIONS[name], check_shape(x))


def loss_cost(name: str, x: Sequence[int], target: Sequence[int], labels: bool) -> LayerCost:
    """Return the cost of a loss of x and target, reduced to one number.

    Raises:
        ValueError: a length below 1.
        KeyError: a name that is not in LOSSES.
    """
    shape, wanted = check_shape(x), Moved("target", tuple(target), 8 if labels else 4)
    each = LOSSES[name]
    inputs = (Moved("x", shape), wanted)
    read = inputs if each.kept else (wanted,)
    forward = Pass(Count(), product(times=each.forward, x=math.prod(shape)), inputs, (Moved("y", ()),))
    backward = Pass(
        Count(),
        product(times=each.backward, x=math.prod(shape)),
        (Moved("grad_y", ()), *read),
        (Moved("grad_x", shape),),
    )
    return LayerCost(shape, (), Count(), forward, backward)


def batch_norm_cost(x: Sequence[int], training: bool = True) -> LayerCost:
    """Return the cost of batch normalisation of x (N, C, ...), with weight and bias.

    In training 8 operations for each element: one for the mean, three for the variance, two to normalise, two
    to scale and shift; and 9 backward. In evaluation 4, and 6 backward.

    Raises:
        ValueError: fewer than two axes, or a length below 1.
        TypeError: a length that is not an integer.
    """
    shape = check_shape(x)
    if len(shape) < 2:
        raise ValueError(f"x must have at least 2 dimensions (N, C, ...), got shape {shape}")
    channels = shape[1]
    forward, backward = (8, 9) if check_flag("training", training) else (4, 6)
    elements = math.prod(shape)
    affine = (Moved("weight", (channels,)), Moved("bias", (channels,)))
    statistics = (Moved("mean", (channels,)), Moved("var", (channels,)))
    gradients = (Moved("grad_x", shape), Moved("grad_weight", (channels,)), Moved("grad_bias", (channels,)))
    given, made = (affine, statistics) if training else (affine + statistics, ())
    return LayerCost(
        shape,
        shape,
        product(times=2, C=channels),
        Pass(
            Count(),
            product(times=forward, elements=elements),
            (Moved("x", shape), *given),
            (Moved("y", shape), *made),
        ),
        Pass(
            Count(),
            product(times=backward, elements=elements),
            (Moved("grad_y", shape), Moved("x", shape), affine[0], *statistics),
            gradients,
        ),
    )


def local_response_norm_cost(x: Sequence[int], size: int) -> LayerCost:
    """Return the cost of local response normalisation over `size` channels.

    Forward a square, `size` additions, two steps to the scale, a power and a product; backward the same sum
    twice.

    Raises:
        ValueError: a length or size below 1.
        TypeError: one that is not an integer.
    """
    width = check_integer("size", size, minimum=1)
    return _mapped(PerElement(width + 5, 2 * width + 12), check_shape(x))


def copy_cost(x: Sequence[int], y: Sequence[int], operations: int = 0, backward: int = 0) -> LayerCost:
    """Return the cost of a map that copies or mixes elements: so many operations for each of the output's.

    Raises:
        ValueError: a length below 1.
    """
    shape, result = check_shape(x), tuple(y)

    def done(times: int) -> Count:
        return product(times=times, y=math.prod(result)) if times else Count()

    there = Pass(Count(), done(operations), (Moved("x", shape),), (Moved("y", result),))
    back = Pass(Count(), done(backward), (Moved("grad_y", result),), (Moved("grad_x", shape),))
    return LayerCost(shape, result, Count(), there, back)


def check_shape(x: Sequence[int]) -> tuple[int, ...]:
    """Return a shape whose lengths are all at least 1 (ValueError, TypeError otherwise)."""
    return tuple(check_integer("size", length, minimum=1) for length in x)


def _mapped(each: PerElement, shape: tuple[int, ...]) -> LayerCost:
    """A layer whose output has its input's shape."""
    elements = math.prod(shape)
    kept = (Moved(each.kept, shape),) if each.kept else ()
    return LayerCost(
        shape,
        shape,
        Count(),
        Pass(
            Count(),
            product(times=each.forward, elements=elements),
            (Moved("x", shape),),
            (Moved("y", shape),),
        ),
        Pass(
            Count(),
            product(times=each.backward, elements=elements),
            (Moved("grad_y", shape), *kept),
            (Moved("grad_x", shape),),
        ),
    )
