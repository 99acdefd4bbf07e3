"""Occlusion: what a model still believes when a square of the image is covered."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.array import Array, check_integer, check_number
from kernels.device import device_of, to_device, to_host
from kernels.window import Window
from minidnn.functional import softmax
from minidnn.modes import no_grad
from minidnn.nn import Module
from minidnn.tensor import Tensor
from minidnn.visualisation.observing import as_batch, chosen_classes, class_scores, frozen


def occlusion(
    model: Module,
    image: Any,
    target: int | None = None,
    size: int | tuple[int, int] = 8,
    stride: int | tuple[int, int] = 4,
    value: float = 0.0,
    batch_size: int = 64,
) -> Array:
    """Return the probability of a class for every place of a covering square.

        map[p, q] = softmax(model(image with [p SH, p SH + KH) x [q SW, q SW + KW) set to `value`))[target]

    Where the map is low, the model needs what is there.

    Args:
        model: gives scores (N, K) for images; runs in inference mode and is left as it is.
        image: (C, H, W), float32 or float64, as the model's weights.
        target: the class; the one predicted for the whole image if not given.
        size: of the square, an integer or (KH, KW), in pixels.
        stride: distance between its places, an integer or (SH, SW). Places beyond the edge are left out.
        value: what covered pixels become; 0 is the mean of normalised images.
        batch_size: how many covered images go through the model at a time.

    Returns:
        (OH, OW), OH = floor((H - KH) / SH) + 1, in host memory, of the image's dtype.

    Raises:
        ValueError: another shape, a square larger than the image, a class that the model does not have.
        TypeError: not a Module, another dtype, or sizes that are no integers.

    Source: Zeiler and Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, section 4.2.
    """
    whole, single = as_batch(image, "image")
    if not single:
        raise ValueError(f"image must have shape (C, H, W), got {whole.shape}")
    window = Window.of(size, stride)
    if any(side > length for side, length in zip(window.kernel, whole.shape[2:], strict=True)):
        raise ValueError(f"size must fit the image {tuple(whole.shape[2:])}, got {window.kernel}")
    rows, columns = window.output_size(whole.shape[2:])
    check_number("value", value)
    check_integer("batch_size", batch_size, minimum=1)
    pixels = to_host(whole.data)[0]  # (C, H, W)
    places = np.array([(p, q) for p in range(rows) for q in range(columns)])  # (OH OW, 2)
    probabilities = []
    with frozen(model), no_grad():
        (wanted,) = chosen_classes(target, class_scores(model, whole), "target")
        for start in range(0, len(places), batch_size):
            covered = _covered(pixels, places[start : start + batch_size], window, value)
            batch = Tensor(to_device(covered, device_of(whole.data)))
            probabilities.append(to_host(softmax(class_scores(model, batch), 1).data)[:, wanted])
    return np.concatenate(probabilities).reshape(rows, columns)


def _covered(image: Array, places: Array, window: Window, value: float) -> Array:
    """Copies of the image (C, H, W), one per place (p, q), each with its square set to `value`."""
    copies = np.repeat(image[None], len(places), axis=0)  # (places, C, H, W)
    for copy, (top, left) in zip(copies, places * window.stride, strict=True):
        copy[:, top : top + window.kernel[0], left : left + window.kernel[1]] = value
    return copies
