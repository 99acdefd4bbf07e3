"""Telling whether two data sets are the same, so that a run is resumed on the data it began with."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from minidnn.data.dataset import Dataset


def fingerprint(dataset: Dataset) -> str:
    """Return 12 hexadecimal digits that depend on a data set's items, their order and their labels.

    Arrays in memory are read in full; of image files only the paths below their common folder and the sizes.
    """
    digest = hashlib.sha256()
    _add(digest, dataset)
    return digest.hexdigest()[:12]


def _add(digest: Any, dataset: Any) -> None:
    digest.update(f"{type(dataset).__name__} {len(dataset)}".encode())
    for name in ("inputs", "targets", "indices"):
        if hasattr(dataset, name):
            array = np.ascontiguousarray(getattr(dataset, name))
            digest.update(f"{name} {array.dtype} {array.shape}".encode())
            digest.update(array.tobytes())
    for path in getattr(dataset, "files", ()):
        digest.update(f"{Path(path).parent.name}/{Path(path).name} {Path(path).stat().st_size}".encode())
    if hasattr(dataset, "dataset"):
        _add(digest, dataset.dataset)
