"""What a model's layers give out, for tests that hold a paper's table against it."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidnn import Tensor, no_grad
from minidnn.nn import Module


def output_shapes(model: Module, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Run zeros of `shape` through the model and return every module's output shape, without the batch."""
    found: dict[str, tuple[int, ...]] = {}
    handles = []
    for name, module in model.named_modules():

        def note(_: Any, __: Any, output: Any, name: str = name) -> None:
            found[name] = output.shape[1:]

        handles.append(module.register_forward_hook(note))
    with no_grad():
        model.eval()(Tensor(np.zeros(shape, np.float32)))
    for handle in handles:
        handle.remove()
    return found
