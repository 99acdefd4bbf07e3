"""The handwritten digits that come with the package: small, real, and enough to train LeNet-5."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from minidnn.data.dataset import ArrayDataset, Transform, stratified_indices
from minidnn.data.resize import resize

SIZES = (8, 28, 32)
_FILE = Path(__file__).with_name("digits") / "digits.npz"


def digits(size: int = 8, split: str | None = None, transform: Transform | None = None) -> ArrayDataset:
    """Return the Optical Recognition of Handwritten Digits set (E. Alpaydin and C. Kaynak, UCI, CC BY 4.0).

    1,797 images of the digits 0 to 9 by 13 writers, 8 by 8 pixels of 17 grey levels (digits/ATTRIBUTION.txt
    has the details). Images are float32 (N, 1, size, size) in [0, 1], labels int64 (N,).

    Args:
        size: 8, or 28 or 32, to which the images are enlarged by bilinear interpolation.
        split: "train" (1,438 images) or "test" (359), a fixed stratified split; None for all.
        transform: applied to every image when it is fetched.

    Raises:
        ValueError: another size or split.
    """
    if size not in SIZES:
        raise ValueError(f"size must be 8, 28 or 32, got {size!r}")
    with np.load(_FILE, allow_pickle=False) as archive:
        images = archive["images"][:, None].astype(np.float32) / np.float32(16)  # (N, 1, 8, 8)
        labels = archive["labels"].astype(np.int64)
    if split is not None:
        chosen = stratified_indices(labels, split)
        images, labels = images[chosen], labels[chosen]
    return ArrayDataset(resize(images, size), labels, transform, classes=[str(d) for d in range(10)])
