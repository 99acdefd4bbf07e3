"""How large gradients are along the depth: of the page's network, and of networks that differ in one thing.

The comparisons are measured once by `python -m models.explorer.flow`, which writes comparisons.json beside
this file: small networks, but too slow for every page.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import minidnn
from kernels.array import Array
from minidnn.data import DigitScenes
from minidnn.data.resize import resize
from minidnn.functional import cross_entropy
from minidnn.gradient_flow import gradient_flow, norm
from minidnn.tensor import Tensor
from minidnn.tracing import Trace, trace
from minidnn.whole_file import write_whole
from models.auxiliary import auxiliary_loss
from models.explorer.schema import to_json
from models.registry import create

FILE = Path(__file__).with_name("comparisons.json")
SEED = 0
CLASSES = 10
# A name, and points: place in the depth from 0 to 1, norm, name of the layer.
Curve = Mapping[str, Any]


def flow(traced: Trace) -> tuple[Curve, ...]:
    """Return the norms of the gradients of all layers with weights: of their outputs and of their weights."""
    try:
        found = gradient_flow(traced)
    except ValueError:  # no layer has weights
        return ()
    deepest = max(int(found.depths.max()) - 1, 1)
    order = np.argsort(found.depths, kind="stable")
    return tuple(
        {
            "name": name,
            "points": [
                ((int(found.depths[layer]) - 1) / deepest, float(norms[layer]), found.modules[layer])
                for layer in order
            ],
        }
        for name, norms in (
            ("gradient of the outputs", found.outputs),
            ("gradient of the weights", found.weights),
        )
    )


def comparisons() -> tuple[Mapping[str, Any], ...]:
    """Return what was measured: a title, a text and curves for each comparison."""
    return tuple(json.loads(FILE.read_text("utf-8")))


# ---- measuring -------------------------------------------------------------------------------------


def measure(names: Sequence[str] = ("plain56", "resnet56"), heads: bool = True) -> list[Mapping[str, Any]]:
    """Measure the comparisons: plain against residual networks, and GoogLeNet with and without its heads.

    Args:
        names: of networks for images of 32x32 whose stages hold blocks.
        heads: whether to measure GoogLeNet, too.
    """
    found: list[Mapping[str, Any]] = [
        {
            "title": "Plain against residual",
            "text": "The same convolutions and batch norms, without and with shortcuts, at their first step.",
            "curves": [_curve(name, name, 32, 8, depth=2, heads=0.0) for name in names],
        }
    ]
    if heads:
        found.append(
            {
                "title": "With and without auxiliary heads",
                "text": "GoogLeNet at its first step; the losses of its heads count 0.3 each, or nothing.",
                "curves": [
                    _curve(name, "googlenet", 224, 2, depth=1, heads=weight)
                    for name, weight in (("with heads", 0.3), ("without heads", 0.0))
                ],
            }
        )
    return found


def _curve(name: str, model: str, size: int, batch: int, depth: int, heads: float) -> Curve:
    """The gradient of every stage's weights, relative to the weights: how far a step would turn them."""
    minidnn.manual_seed(SEED)
    network = create(model, num_classes=CLASSES).train()
    images = np.stack([resize(DigitScenes("train")[index][0], size) for index in range(batch)])
    loss = partial(_loss, labels=np.arange(batch) % CLASSES, weight=heads)
    squares: dict[str, tuple[float, float]] = {}
    for record in trace(network, images, loss=loss).operations:
        stage = ".".join(record.module.split(".")[:depth])
        for given, gradient in zip(record.inputs, record.input_gradients, strict=False):
            is_weight = given.role == "weight" and given.name and len(given.shape) > 1  # no batch norm's
            if is_weight and gradient and not stage.startswith("aux"):
                total = squares.get(stage, (0.0, 0.0))
                squares[stage] = total[0] + norm(gradient) ** 2, total[1] + norm(given) ** 2
    last = len(squares) - 1
    points = [
        (place / last, math.sqrt(of_gradient / of_weight), stage)
        for place, (stage, (of_gradient, of_weight)) in enumerate(squares.items())
    ]
    return {"name": name, "points": points}


def _loss(output: Any, labels: Array, weight: float) -> Tensor:
    """The cross-entropy of the scores, and `weight` times that of every auxiliary head."""
    if isinstance(output, tuple) and not weight:
        return cross_entropy(output[0], labels)
    return auxiliary_loss(output, labels, weight)


if __name__ == "__main__":
    write_whole(FILE, f"{to_json(measure())}\n".encode())
