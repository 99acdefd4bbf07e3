"""Make torchvision.npz: `python -m tests.minidnn.data.transforms.make_torchvision` (torch and torchvision).

Nothing else ever writes it.
"""

from __future__ import annotations

from importlib.metadata import version

import numpy as np

from tests.minidnn.data.transforms.cases import CASES, STORED, STORED_RUNS, STORED_SHAPES, image
from tests.torchvision_bridge import torchvision_ops


def answer(name: str, shape: tuple[int, int], dtype: str) -> np.ndarray:
    """What torchvision makes of the case's image."""
    torchvision_ops()
    import torch
    from torchvision.transforms import functional

    return CASES[name].theirs(functional, torch.from_numpy(image(shape, dtype).copy())).numpy()


def main() -> None:
    answers = {
        f"{name} {dtype} {shape}": answer(name, shape, dtype)
        for name, dtype in STORED_RUNS
        for shape in STORED_SHAPES
    }
    versions = {package: version(package) for package in ("torch", "torchvision")}
    np.savez_compressed(STORED, **answers, versions=np.array([f"{k} {v}" for k, v in versions.items()]))


if __name__ == "__main__":
    main()
