"""What an explorer page is about: a model with its weights, and the image that it looks at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kernels.array import Array
from minidnn.nn import Module

SEED = 0  # of the weights where no file of weights is given


@dataclass(frozen=True)
class Subject:
    """A network and what it is shown.

    Attributes:
        name: the model's name.
        summary: what its builder says of it.
        network: the model, in the mode in which it is traced.
        x: the images (1, C, H, W), as the network takes them.
        picture: the same as uint8: (H, W), or (H, W, 3) for colours.
        notes: where weights and image come from, in sentences.
    """

    name: str
    summary: str
    network: Module
    x: Array
    picture: Array
    notes: tuple[str, ...]


def choose_subject(
    name: str, image: Path | None = None, weights: Path | None = None, training: bool = False
) -> Subject:
    """Build a model, load its weights, and prepare the image.

    Without an image a model for one channel is shown one of the package's handwritten digits, others a scene
    composed of them. Without weights the network is untrained, drawn with a fixed seed.

    Args:
        name: of a classifier.
        image: a file; it is prepared as `minidnn predict` does it.
        weights: a file, see `models.weights.load_model`.
        training: trace the network in training mode, in which dropout drops and batch norm takes the batch's
            statistics.

    Raises:
        ValueError: an unknown model, one that takes no images, a broken image, weights that do not fit.
        OSError: a file that cannot be read.
        ImportError: an image, but no Pillow.
    """
    import minidnn
    from minidnn.data import open_image
    from models.preprocessing import as_trained, preprocessing
    from models.registry import create, entry
    from models.weights import load_model

    prepare = preprocessing(name)
    opened = None if image is None else open_image(image, len(prepare.mean))
    trained_here = False
    if weights is None:
        minidnn.manual_seed(SEED)
        network = create(name)
        weights_note = f"Weights: untrained, drawn with seed {SEED}; --weights gives trained ones."
    else:
        loaded = load_model(name, weights)
        network, trained_here = loaded.network, loaded.trained_here
        weights_note = f"Weights: {weights.name}."
    if trained_here:
        prepare = as_trained(prepare, {})
    if opened is None:
        plain, image_note = bundled_image(len(prepare.mean), prepare.crop)
        x = (plain - _column(prepare.mean)) / _column(prepare.std)  # (C, H, W)
    else:
        x, image_note = prepare(opened), f"Image: {image.name}." if image is not None else ""
    mode = "in training mode, one step on one image" if training else "in evaluation mode"
    picture = (x * _column(prepare.std) + _column(prepare.mean)).clip(0, 1) * 255  # (C, H, W)
    pixels = np.rint(picture).astype(np.uint8)
    return Subject(
        name,
        entry(name).summary,
        network.train(training),
        np.ascontiguousarray(x[None], np.float32),
        pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0),
        (image_note, weights_note, f"Traced {mode}."),
    )


def bundled_image(channels: int, size: int) -> tuple[Array, str]:
    """Return an image that comes with the package, float32 (C, size, size) in [0, 1], and what it is."""
    from minidnn.data import DigitScenes, digits
    from minidnn.data.resize import resize

    if channels == 1:
        item = digits(32, "test")
        image, label = item[0]
        return resize(image, size), f"Image: a handwritten {label} of the package's test digits."
    scene, _ = DigitScenes("test", size=max(size, 64))[0]
    note = "Image: a scene composed of the package's handwritten digits; --image gives another."
    return resize(scene, size), note


def _column(numbers: tuple[float, ...]) -> Array:
    """One number per channel, (C, 1, 1)."""
    return np.array(numbers, np.float32)[:, None, None]
