"""The fully connected layer, and what only moves numbers: flatten, identity, concatenation; worked out."""

from __future__ import annotations

import numpy as np

from kernels.array import Array, check_integer
from minidnn.costs.elementwise import copy_cost
from minidnn.costs.weighted import check_shape4, linear_cost
from minidnn.explanation.arithmetic import at, number, size_text
from minidnn.explanation.content import Equation, Explanation, Index, Step
from minidnn.explanation.example import Draws, arguments_shape, planes, work_out
from minidnn.explanation.selection import Source, Sources, backward_steps, output_step
from minidnn.explanation.settings import Size
from minidnn.explanation.weighted import Product, Sums, product_table
from minidnn.explanation.weighted import backward_steps as weighted_backward
from minidnn.explanation.weighted import output_step as weighted_output
from minidnn.functional.linear import linear
from minidnn.functional.shape import cat, flatten


def explain_linear(
    *, in_features: int = 4, out_features: int = 3, bias: bool = True, batch: int = 2, seed: int = 0
) -> Explanation:
    """A fully connected layer on a small batch."""
    cost = linear_cost((batch, in_features), out_features, bias)
    draws = Draws(seed)
    arrays: dict[str, Array | None] = {
        "x": draws.whole((batch, in_features)),
        "weight": draws.halves((out_features, in_features)),
        "bias": draws.halves((out_features,)) if bias else None,
    }
    worked = work_out(linear, arrays, Draws(seed + 1).tenths)
    sums = Sums(
        arrays,
        worked,
        lambda output: [Product((output[0], i), (output[1], i)) for i in range(in_features)],
        lambda output: (output[1],),
    )
    index = (0, out_features // 2)
    row = [(index[1], i) for i in range(in_features)]
    forward = (
        Step(
            f"the input x, {batch}x{in_features}, and the weight W, {out_features}x{in_features}",
            (
                f"marked: the row of x and the row of W whose products add up to {at('y', index)}",
                (*planes("x", sums.x, [(0, i) for i in range(in_features)]), *planes("w", sums.weight, row)),
            ),
        ),
        Step(f"the products and the sum: {at('y', index)}", (product_table(sums, index), sums.output(index))),
        weighted_output(sums, index),
    )
    return Explanation(
        "linear: every output is a row of the weight times the input, plus a bias",
        "y[n,o] = b[o] + sum over i of w[o,i] · x[n,i]",
        "Rosenblatt, The perceptron, Psychological Review 65, 1958",
        forward + weighted_backward(sums, index),
        cost,
    )


def explain_flatten(*, channels: int = 2, size: Size = (2, 3), seed: int = 0) -> Explanation:
    """Planes in a row."""
    shape = check_shape4((1, channels, *arguments_shape(size)))
    x = Draws(seed).whole(shape)
    worked = work_out(lambda t: flatten(t, 1), {"x": x}, Draws(seed + 1).tenths)
    of: dict[Index, list[Source]] = {
        (0, place): [Source(index)] for place, index in enumerate(np.ndindex(shape))
    }
    sources = Sources(x, worked, of)
    output = (0, worked.y.shape[1] // 2)
    source = of[output][0].x
    _, c, h, w = source
    forward = (
        Step(
            f"the input x, {size_text(shape)}",
            (f"marked: what becomes {at('y', output)}", planes("x", x, [source])),
        ),
        Step(
            "where an entry goes",
            (
                Equation(
                    f"place of {at('x', source)}",
                    "(c·H + h)·W + w",
                    f"({c}·{shape[2]} + {h})·{shape[3]} + {w}",
                    output[1],
                ),
            ),
        ),
        output_step(sources, output),
    )
    return Explanation(
        "flatten: all planes of an image in one row",
        "y[n,(c·H + h)·W + w] = x[n,c,h,w]; nothing is computed or moved, the array is only read otherwise",
        "",
        forward + backward_steps(sources, output, "grad_x: the gradient in the input's shape again"),
        None,
    )


def explain_identity(*, size: Size = (2, 3), seed: int = 0) -> Explanation:
    """The input, unchanged."""
    shape = arguments_shape(size)
    x = Draws(seed).whole(shape)
    worked = work_out(lambda t: t * 1.0, {"x": x}, Draws(seed + 1).tenths)
    sources = Sources(x, worked, {index: [Source(index)] for index in np.ndindex(shape)})
    return Explanation(
        "identity: y is x; it stands where a network may leave a layer out",
        "y = x",
        "",
        (
            Step("one output: y[0,0]", (sources.output((0, 0)),)),
            output_step(sources, (0, 0)),
            *backward_steps(sources, (0, 0), "grad_x = g"),
        ),
        None,
    )


def explain_cat(*, channels: Size = (2, 1, 3), size: Size = (2, 2), seed: int = 0) -> Explanation:
    """Branches joined along their channels."""
    height, width = arguments_shape(size)
    numbers = (channels,) if isinstance(channels, int) else channels
    for each in numbers:
        check_integer("channels", each, minimum=1)
    draws = Draws(seed)
    parts = [draws.whole((1, each, height, width)) for each in numbers]
    worked = work_out(
        lambda *tensors: cat(list(tensors), dim=1),
        {f"x{place}": part for place, part in enumerate(parts)},
        Draws(seed + 1).tenths,
    )
    ends = [sum(numbers[: place + 1]) for place in range(len(numbers))]
    owners = "; ".join(
        f"channels {end - own} to {end - 1} are x{place}'s"
        for place, (own, end) in enumerate(zip(numbers, ends, strict=True))
    )
    total = Equation(
        "channels",
        " + ".join(f"C{place}" for place in range(len(numbers))),
        " + ".join(map(str, numbers)),
        worked.y.shape[1],
    )
    last = len(parts) - 1
    first = (0, ends[last] - numbers[last], 0, 0)
    gradient = Equation(
        at(f"grad_x{last}", (0, 0, 0, 0)),
        at("g", first),
        number(worked.grad_y[first]),
        float(worked.gradients[f"x{last}"][0, 0, 0, 0]),
    )
    forward = [
        Step(f"the input x{place}, {size_text(part.shape)}", (planes(f"x{place}", part),))
        for place, part in enumerate(parts)
    ]
    return Explanation(
        "concat: branches side by side, channel after channel",
        "y[n,c] = x_k[n,c - C_0 - ... - C_(k-1)] for the branch k that channel c belongs to",
        "Szegedy et al., Going deeper with convolutions, CVPR 2015, figure 2",
        (
            *forward,
            Step(
                f"the output y, {size_text(worked.y.shape)}: who owns which channels",
                (owners, total, planes("y", worked.y)),
            ),
            Step("backward: the upstream gradient g = dL/dy", (planes("g", worked.grad_y, [first]),)),
            Step(
                f"grad_x{last}: every branch gets the gradients of its own channels",
                (gradient, planes(f"grad_x{last}", worked.gradients[f"x{last}"], [(0, 0, 0, 0)])),
            ),
        ),
        copy_cost(worked.y.shape, worked.y.shape),
    )
