"""Cases of the activations, softmax and log-softmax."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.minidnn.case import Case

KINKS = [-7.5, -6.0, -3.0, -2.0, -0.0, 0.0, 1.0, 3.0, 5.0, 6.0, 7.0]
# 1 gives the gradients a scale: far out, those of the squashing functions are rounding.
LARGE = [-1e4, -100.0, -20.0, 1.0, 20.0, 100.0, 1e4]


def activation(name: str, *arguments: Any, torch: str | None = None, **keywords: Any) -> list[Case]:
    """An activation over all ranks, on its kinks and far out."""
    label = "-".join(map(str, [*arguments, *keywords.values()]))

    def case(what: str, values: Any) -> Case:
        where = f"{what}-{label}" if label else what
        return Case(name, where, lambda draw: (values(draw), *arguments), keywords, torch=torch)

    return [
        case("ragged", lambda draw: draw.normal(2, 3, 5) * 3),
        case("scalar", lambda draw: draw.normal()),
        case("image", lambda draw: draw.normal(1, 2, 3, 4) * 2),
        case("empty", lambda draw: draw.normal(0, 3)),
        case("kinks", lambda draw: np.array(KINKS).astype(draw.dtype)),
        case("large", lambda draw: np.array(LARGE).astype(draw.dtype)),
    ]


def softmax(label: str, shape: tuple[int, ...], dim: int, scale: float = 3) -> list[Case]:
    """Both functions along an axis, which is given by position and by name."""
    return [
        Case("softmax", label, lambda draw: (np.asarray(draw.normal(*shape) * scale), dim)),
        Case("log_softmax", label, lambda draw: (np.asarray(draw.normal(*shape) * scale),), {"dim": dim}),
    ]


CASES = [
    *activation("relu"),
    *activation("relu6"),
    *activation("leaky_relu"),
    *activation("leaky_relu", 0.2),
    *activation("leaky_relu", negative_slope=-1),
    *activation("sigmoid"),
    *activation("tanh"),
    *activation("hardsigmoid", torch="tests.torch_bridge.hardsigmoid"),
    *activation("hardswish"),
    *activation("silu"),
    *activation("gelu"),
    *activation("gelu", approximate="none"),
    *activation("gelu", approximate="tanh"),
    *softmax("rows", (4, 7), 1),
    *softmax("columns", (5, 3), 0),
    *softmax("channels", (2, 3, 4, 2), 1),
    *softmax("from-the-end", (2, 3, 4), -2),
    *softmax("one-element", (3, 1), 1),
    *softmax("scalar", (), 0),
    *softmax("empty", (0, 3), 1),
    *softmax("large", (3, 4), 1, scale=1e4),
]
