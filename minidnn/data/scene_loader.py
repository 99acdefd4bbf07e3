"""Batches for detectors: images of any size with their targets, also from data sets without an end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kernels.array import Array
from minidnn.data.annotations import DetectionItem, Target
from minidnn.data.loader import DataLoader


def collate_scenes(items: Sequence[DetectionItem]) -> tuple[list[Array], list[Target]]:
    """Return the images and the targets of a batch as detectors take them: two lists, nothing stacked."""
    return [image for image, _ in items], [target for _, target in items]


class SceneLoader(DataLoader):
    """Batches of a data set that goes on beyond its length: every epoch brings items that none had before.

    Epoch e takes the items from e L to (e + 1) L - 1 in this order, L being the data set's length.

        SceneLoader(DigitScenes("train", seed=0, length=1600), batch_size=16, collate=collate_scenes)
    """

    def order(self) -> Array:
        """Return the indices of the items of the current epoch, int64 (L,)."""
        return np.arange(len(self.dataset)) + self.epoch * len(self.dataset)
