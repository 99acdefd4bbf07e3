"""Dropout, worked out."""

from __future__ import annotations

import numpy as np

import kernels
from kernels.dropout import dropout_forward
from minidnn.costs.elementwise import activation_cost
from minidnn.explanation.arithmetic import at, constant, size_text
from minidnn.explanation.content import Explanation, Step
from minidnn.explanation.example import Draws, arguments_shape, planes, work_out
from minidnn.explanation.selection import Source, Sources, backward_steps, output_step
from minidnn.explanation.settings import Size
from minidnn.functional.dropout import Dropout, check_probability
from minidnn.tensor import apply


def explain_dropout(
    *, p: float = 0.5, training: bool = True, size: Size = (3, 4), seed: int = 0
) -> Explanation:
    """Dropout of a small matrix; in evaluation mode it passes everything."""
    shape = arguments_shape(size)
    check_probability(p)
    x = Draws(seed).whole(shape)
    probability = p if training else 0.0
    with kernels.use(backend="reference"):
        kept = dropout_forward(np.ones(shape), probability, seed) != 0
    worked = work_out(lambda t: apply(Dropout(probability, seed), t), {"x": x}, Draws(seed + 1).tenths)
    scale = f"1/(1 - {constant(probability)})" if probability else ""
    of = {index: [Source(index, scale)] if kept[index] else [] for index in np.ndindex(shape)}
    sources = Sources(x, worked, of)
    places = [index for index in np.ndindex(shape) if kept[index]]
    index = places[0] if places else (0, 0)
    note = "In evaluation mode nothing is dropped, and nothing scaled: that was done in training."
    if training:
        note = "The mask is a function of seed and place, so that backward draws the same one again."
    forward = (
        Step(
            f"the input x, {size_text(shape)}, and the mask",
            (
                f"{note} {len(places)} of {kept.size} elements are kept.",
                (*planes("x", x, [index]), *planes("mask", kept.astype(float), [index])),
            ),
        ),
        Step(f"one output: {at('y', index)}", (sources.output(index),)),
        output_step(sources, index),
    )
    return Explanation(
        f"dropout ({'training' if training else 'evaluation'}): elements dropped at random, others scaled",
        "y[i] = 0 with probability p, else x[i] · 1/(1 - p), so that the mean stays",
        "Srivastava et al., Dropout, JMLR 15, 2014",
        forward + backward_steps(sources, index, "grad_x: the same mask and the same scale on the gradient"),
        activation_cost("dropout", shape),
    )
