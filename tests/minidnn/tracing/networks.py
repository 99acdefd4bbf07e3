"""Networks to trace, small but with everything that makes traces hard, and what hooks see of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

import minidnn
import models
from minidnn import Tensor, nn
from minidnn.functional import cat, relu
from minidnn.tracing import Trace
from models.resnet import BasicBlock


class InPlace(nn.Module):
    """A residual block whose activations overwrite, with one layer for two places."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.norm(self.conv(x)))
        y = self.norm(self.conv(y))
        y += x
        return self.relu(y)


class Several(nn.Module):
    """Two inputs, and outputs by name; one of them is an integer, one nobody computes."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Linear(3, 4)
        self.right = nn.Linear(2, 4, bias=False)

    def forward(self, a: Tensor, b: Tensor) -> dict[str, Any]:
        joined = cat([self.left(a), relu(self.right(b))], dim=1)
        return {
            "joined": joined,
            "best": joined.argmax(dim=1),
            "halves": joined.split(4, dim=1),
            "none": None,
        }


def residual_block() -> BasicBlock:
    """One with a projection as its shortcut."""
    shortcut = nn.Sequential(nn.Conv2d(4, 6, 1, stride=2, bias=False), nn.BatchNorm2d(6))
    return BasicBlock(4, 6, stride=2, downsample=shortcut)


Case = tuple[Callable[[], nn.Module], tuple[tuple[int, ...], ...]]
CASES: dict[str, Case] = {
    "lenet5": (models.lenet5, ((2, 1, 32, 32),)),
    "lenet5_paper": (models.lenet5_paper, ((1, 1, 32, 32),)),
    "residual block": (residual_block, ((2, 4, 7, 5),)),
    "in place": (InPlace, ((2, 3, 5, 4),)),
    "googlenet": (partial(models.googlenet_bn, num_classes=3), ((2, 3, 32, 32),)),
    "several": (Several, ((5, 3), (5, 2))),
}


def build(name: str) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """The network with fresh weights, in training mode, and inputs for it."""
    minidnn.manual_seed(7)
    builder, shapes = CASES[name]
    generator = np.random.default_rng(11)
    inputs = tuple(Tensor(generator.standard_normal(shape).astype(np.float32)) for shape in shapes)
    return builder(), inputs


@cache
def traced(name: str) -> Trace:
    """Its trace, with all arrays."""
    model, inputs = build(name)
    return minidnn.trace(model, inputs, keep_arrays=True)


class Hooks:
    """What forward hooks see: by module, the output of every call, copied."""

    def __init__(self, model: nn.Module) -> None:
        self.outputs: dict[nn.Module, list[np.ndarray]] = {}
        self.handles = [module.register_forward_hook(self.see) for module in model.modules()]

    def see(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if isinstance(output, Tensor):
            self.outputs.setdefault(module, []).append(output.numpy().copy())

    def remove(self) -> None:
        for handle in self.handles:
            handle.remove()


def recorded_outputs(trace: Trace, path: str) -> list[np.ndarray]:
    """The arrays that the operations of a module made."""
    return [record.arrays.outputs[0] for record in trace.within(path) if record.arrays is not None]
