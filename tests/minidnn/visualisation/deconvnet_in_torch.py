"""Zeiler and Fergus's way up and down once more, in PyTorch, over a list of its modules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

torch = pytest.importorskip("torch")
layers, functional = torch.nn, torch.nn.functional


def projection(
    modules: Sequence[Any], x: Any, channel: int, positions: Sequence[Sequence[int]] | None
) -> Any:
    """What one unit per image of the last module's map responds to."""
    inputs, switches = [], {}
    for place, module in enumerate(modules):
        inputs.append(x)
        if isinstance(module, layers.MaxPool2d):
            x, switches[place] = functional.max_pool2d(
                x, module.kernel_size, module.stride, ceil_mode=module.ceil_mode, return_indices=True
            )
        else:
            x = module(x)
    signal = torch.zeros_like(x)
    for image, plane in enumerate(x[:, channel]):
        row, column = divmod(int(plane.argmax()), plane.shape[1]) if positions is None else positions[image]
        signal[image, channel, row, column] = plane[row, column].clamp(min=0)
    for place in reversed(range(len(modules))):
        signal = _down(modules[place], inputs[place], signal, switches.get(place))
    return signal


def _down(module: Any, x: Any, signal: Any, switches: Any) -> Any:
    if isinstance(module, layers.MaxPool2d):
        planes = torch.zeros_like(x).flatten(2)
        return planes.scatter_add(2, switches.flatten(2), signal.flatten(2)).reshape(x.shape)
    if isinstance(module, layers.ReLU):
        return functional.relu(signal)
    if isinstance(module, layers.Conv2d):
        options = module.stride, module.padding, module.dilation, module.groups
        return torch.nn.grad.conv2d_input(x.shape, module.weight, signal, *options)
    assert isinstance(module, layers.LocalResponseNorm)
    return signal
