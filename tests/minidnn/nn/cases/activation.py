"""Cases of the activation layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.minidnn.case import ModuleCase


def layer(
    name: str, *arguments: Any, label: str = "default", torch: str | None = None, **keywords: Any
) -> ModuleCase:
    return ModuleCase(name, label, arguments, keywords, lambda draw: (draw.normal(2, 3, 5) * 4,), torch=torch)


CASES = [
    layer("ReLU"),
    layer("ReLU6"),
    layer("LeakyReLU"),
    layer("LeakyReLU", 0.2, label="slope"),
    layer("Sigmoid"),
    layer("Tanh"),
    layer("Hardsigmoid", torch="tests.torch_bridge.Hardsigmoid"),
    layer("Hardswish"),
    layer("SiLU"),
    layer("GELU"),
    layer("GELU", approximate="tanh", label="tanh"),
    layer("Softmax", 1, label="channels"),
    layer("Softmax", dim=-1, label="last"),
    layer("LogSoftmax", 1, label="channels"),
    layer("LogSoftmax", dim=-3, label="first"),
    ModuleCase("ReLU", "scalar", (), {}, lambda draw: (np.asarray(draw.normal()),)),
]
