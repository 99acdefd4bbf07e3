"""Max unpooling, worked out."""

from __future__ import annotations

import numpy as np

import kernels
from kernels.window import Window
from minidnn.costs.pooling import max_unpool2d_cost
from minidnn.explanation.arithmetic import at, size_text
from minidnn.explanation.content import Explanation, Index, Step
from minidnn.explanation.example import Draws, planes, work_out
from minidnn.explanation.pooling import image_shape, stride_or_kernel
from minidnn.explanation.selection import Source, Sources, backward_steps, output_step
from minidnn.explanation.settings import Size
from minidnn.explanation.window import transposed_size_equations
from minidnn.functional.pooling import max_pool2d, max_unpool2d


def explain_max_unpool2d(
    *,
    kernel_size: Size = 2,
    stride: Size | None = None,
    padding: Size = 0,
    channels: int = 1,
    size: Size = (4, 6),
    seed: int = 0,
) -> Explanation:
    """The reversal of maximum pooling: what was pooled from an image of `size` is put back."""
    shape = image_shape(channels, size)
    window = Window.of(kernel_size, stride_or_kernel(kernel_size, stride), padding)
    image = Draws(seed).whole(shape)
    with kernels.use(backend="reference"):
        pooled, places = max_pool2d(image, kernel_size, stride, padding, return_indices=True)
    x, indices = pooled.numpy(), places.numpy()
    worked = work_out(
        lambda t: max_unpool2d(t, indices, kernel_size, stride, padding, shape[2:]),
        {"x": x},
        Draws(seed + 1).tenths,
    )
    of: dict[Index, list[Source]] = {index: [] for index in np.ndindex(worked.y.shape)}
    for index in np.ndindex(x.shape):
        of[(*index[:2], *divmod(int(indices[index]), shape[3]))] = [Source(index)]
    sources = Sources(x, worked, of)
    index = next(place for place, found in of.items() if found)
    source = of[index][0].x
    sizes = Step(
        "the output's size",
        (
            "The usual size; --size says which of those that pool to x's is meant.",
            *transposed_size_equations(window, (x.shape[2], x.shape[3]), (0, 0)),
        ),
    )
    forward = (
        Step(
            f"the input x, {size_text(x.shape)}, and the switches",
            (
                "x and indices come from max_pool2d; index h·W + w says where each maximum stood",
                (*planes("x", x, [source]), *planes("indices", indices, [source])),
            ),
        ),
        Step(
            f"one output: {at('y', index)}",
            (
                f"{at('indices', source)} = {int(indices[source])} = {index[2]}·{shape[3]} + {index[3]}: row "
                f"{index[2]}, column {index[3]}; where nothing is put back, y is 0",
                sources.output(index),
            ),
        ),
        output_step(sources, index),
    )
    return Explanation(
        "max_unpool2d: maxima back in their places, zeros elsewhere",
        "y[n,c,h,w] = x[n,c,i,j] where indices[n,c,i,j] = h·W + w, else 0",
        "Zeiler and Fergus, Visualizing and understanding convolutional networks, ECCV 2014, section 2.1",
        (
            sizes,
            *forward,
            *backward_steps(sources, index, "grad_x: each entry reads the gradient at its place"),
        ),
        max_unpool2d_cost(x.shape, kernel_size, stride, padding),
    )
