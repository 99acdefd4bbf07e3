"""Gradient flow: how large the gradients are from layer to layer, read off a trace.

Every layer multiplies the gradient that passes through it. In a plain stack the factors make a product, which
vanishes or grows with the depth; a shortcut adds 1 to each factor; an auxiliary head lets a second gradient
in half-way. The norms of a trace's gradients, drawn over the depth, show it.

Sources: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks",
AISTATS 2010, section 4.2; He et al., "Identity mappings in deep residual networks", ECCV 2016, section 2;
Szegedy et al., "Going deeper with convolutions", 2014, section 5 (the heads).
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kernels.array import Array
from minidnn.tracing import ArrayRecord, OperationRecord, Trace


@dataclass(frozen=True)
class GradientFlow:
    """The gradients of the layers with weights (convolutions and linear layers), in order of execution.

    Attributes:
        modules: the layers' paths.
        depths: how many layers with weights lead to each, itself included, on the longest way: (L,), int64.
        outputs: norm of the gradient of each layer's output: (L,), float64.
        weights: norm of the gradient of its weight: (L,), float64.
        relative: that, divided by the weight's own norm: how far a step would turn the weight: (L,), float64.
    """

    modules: tuple[str, ...]
    depths: Array
    outputs: Array
    weights: Array
    relative: Array


def gradient_flow(trace: Trace) -> GradientFlow:
    """Return the gradients of the layers with weights; Euclidean norms over all elements.

    Args:
        trace: with backward; with a loss where the norms shall mean something beyond their ratios.

    Raises:
        ValueError: no layer of the trace has a weight with a gradient.
    """
    depths = _depths(trace)
    layers = [(record, weight) for record in trace.operations if (weight := _weight(record)) is not None]
    if not layers:
        raise ValueError("trace must have layers whose weights have gradients, as with backward=True")
    weights = np.array([norm(record.parameter_gradients[str(weight.name)]) for record, weight in layers])
    own = np.array([norm(weight) for _, weight in layers])
    return GradientFlow(
        modules=tuple(record.module for record, _ in layers),
        depths=np.array([depths[record.index] for record, _ in layers]),
        outputs=np.array([norm(record.gradients[0]) for record, _ in layers]),
        weights=weights,
        relative=np.divide(weights, own, out=np.full(len(own), np.nan), where=own > 0),
    )


def norm(array: ArrayRecord | None) -> float:
    """Return an array's Euclidean norm: sqrt(n (mean^2 + standard deviation^2)); 0 for none."""
    if array is None or array.statistics is None:
        return 0.0
    found = array.statistics
    return math.sqrt(sum(found.counts) * (found.mean**2 + found.standard_deviation**2))


def _weight(record: OperationRecord) -> ArrayRecord | None:
    """The parameter that an operation multiplies with, where it has a gradient; no batch norm's scale."""
    if not record.multiply_adds:
        return None
    of_rank = [array for array in record.inputs if len(array.shape) > 1 and array.name is not None]
    return next((array for array in of_rank if array.name in record.parameter_gradients), None)


def _depths(trace: Trace) -> list[int]:
    """For each operation the layers with weights on the longest way to it, its own included."""
    depths: list[int] = []
    for record in trace.operations:
        before = max((depths[parent] for parent in record.parents), default=0)
        depths.append(before + (_weight(record) is not None))
    return depths


def plot_gradient_flow(flows: Mapping[str, GradientFlow], path: str | os.PathLike[str]) -> bool:
    """Draw the norms of several networks over the depth into a PNG file, on a logarithmic scale.

    Args:
        flows: by the names that the legend shows, such as "plain" and "residual".
        path: of the file.

    Returns:
        Whether it was drawn: False, and no file, without matplotlib.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    FigureCanvasAgg(figure)
    panels = {"outputs": "gradient of the output", "relative": "gradient of the weight / weight"}
    for axes, (attribute, title) in zip(figure.subplots(1, 2), panels.items(), strict=True):
        for name, flow in flows.items():
            axes.plot(flow.depths, getattr(flow, attribute), marker="o", markersize=3, label=name)
        axes.set_yscale("log")
        axes.set_xlabel("depth (layers with weights)")
        axes.set_ylabel(f"norm of the {title}")
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, format="png", dpi=120)
    return True
