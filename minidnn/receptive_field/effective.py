"""The effective receptive field: how much each pixel really moves a unit."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.array import Array
from kernels.device import to_device, to_host
from minidnn.modes import enable_grad
from minidnn.nn import Module
from minidnn.tensor import Tensor, as_tensor
from minidnn.tracing.preserving import preserved


def effective_receptive_field(
    model: Module, x: Any, layer: str = "", unit: tuple[int, int] | None = None
) -> Array:
    """Return how strongly the unit of a layer depends on each pixel, on average over images.

        field[h, w] = mean over n of | sum over c of  d(sum over o of y[n, o, i, j]) / dx[n, c, h, w] |

    In deep networks with random weights it falls off like a Gaussian from its middle, and fills only a part
    of the theoretical field.

    Args:
        model: what to run, in the mode that it is in; it is left as it was.
        x: images (N, C, H, W); several random ones smooth the field.
        layer: path of the module whose output is asked about; "" is the model. Where it is called several
            times, its last output.
        unit: its place (i, j) in the output; by default the middle.

    Returns:
        (H, W), float64.

    Raises:
        ValueError: x or the layer's output is no batch of images, no such layer, the layer did not run, its
            output does not depend on x, or the unit lies outside of it.

    Source: Luo et al., "Understanding the effective receptive field in deep convolutional neural networks",
    NIPS 2016, section 2.
    """
    images = as_tensor(x)
    if images.ndim != 4:
        raise ValueError(f"x must be images (N, C, H, W), got shape {images.shape}")
    given = Tensor(images._array.copy(), requires_grad=True)
    outputs: list[Any] = []
    hook = model.get_submodule(layer).register_forward_hook(lambda _, inputs, output: outputs.append(output))
    with preserved(model), hook, enable_grad():
        # A layer that overwrites its input must not do so to the leaf.
        model(given.clone())
        output = _feature_map(outputs, layer)
        output.backward(_one_hot(output, _place(unit, output.shape)))
    gradient = to_host(given.grad._array) if given.grad is not None else np.zeros(given.shape)
    field: Array = abs(gradient.astype(np.float64).sum(axis=1)).mean(axis=0)  # (H, W)
    return field


def _feature_map(outputs: list[Any], layer: str) -> Tensor:
    if not outputs:
        raise ValueError(f"layer must run when the model does, {layer!r} did not")
    output = outputs[-1]
    if not isinstance(output, Tensor) or output.ndim != 4:
        found = f"shape {output.shape}" if isinstance(output, Tensor) else type(output).__name__
        raise ValueError(f"layer must return maps (N, C, H, W), {layer!r} returned {found}")
    if not output.requires_grad:
        raise ValueError(f"layer must depend on x, {layer!r} does not")
    return output


def _place(unit: tuple[int, int] | None, shape: tuple[int, ...]) -> tuple[int, int]:
    """Where the unit is; the middle if that was not said."""
    _, _, height, width = shape
    row, column = (height // 2, width // 2) if unit is None else unit
    if not (0 <= row < height and 0 <= column < width):
        raise ValueError(f"unit must lie in a map of {height} x {width}, got {unit}")
    return row, column


def _one_hot(output: Tensor, place: tuple[int, int]) -> Tensor:
    """The gradient of the sum over images and channels of what stands at a place: (N, C, H, W)."""
    upstream = np.zeros(output.shape, output.dtype)
    upstream[:, :, place[0], place[1]] = 1
    return Tensor(to_device(upstream, output.device))
