"""Make preprocessing.npz: `python -m tests.minidnn.data.make_preprocessing` (torch, torchvision and Pillow).

Nothing else ever writes it. The answers are torchvision's 8-bit pixels, before they are normalised.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np
from PIL import Image

from tests.minidnn.data.preprocessing_cases import STORED, STORED_CASES, pixels
from tests.torchvision_bridge import torchvision_ops


def crops(image: Image.Image, resize: int, crop: int, interpolation: str) -> np.ndarray:
    """The centre and the ten crops, as torchvision makes them: uint8 (11, C, H, W)."""
    torchvision_ops()
    from torchvision.transforms import InterpolationMode, functional

    resized = functional.resize(image, [resize], InterpolationMode(interpolation), antialias=True)
    squares = [functional.center_crop(resized, [crop]), *functional.ten_crop(resized, [crop])]
    return np.stack([functional.pil_to_tensor(square).numpy() for square in squares])


def main() -> None:
    answers: dict[str, Any] = {
        f"case{index}": crops(Image.fromarray(pixels(*shape)), *setting)
        for index, (shape, setting) in enumerate(STORED_CASES)
    }
    versions = {package: version(package) for package in ("torch", "torchvision", "pillow")}
    np.savez_compressed(STORED, **answers, versions=np.array([f"{k} {v}" for k, v in versions.items()]))


if __name__ == "__main__":
    main()
