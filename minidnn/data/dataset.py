"""What a data set is, and the two that others are made of: arrays in memory, and a choice of items."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np

from kernels.array import Array, check_integer

Transform: TypeAlias = Callable[[Array], Array]


class Dataset(Protocol):
    """A fixed number of items, each found by its index in [0, len)."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


class ArrayDataset:
    """Inputs and targets held in memory; item i is (transform(inputs[i]), targets[i]).

    Inputs of dtype uint8 are pixels: an item's are float32 in [0, 1], divided by 255.

    Args:
        inputs: an array (N, ...), for images (N, C, H, W).
        targets: an array (N, ...), for labels int64 (N,).
        transform: applied to every item's input when it is fetched.
        classes: the labels' names, if they have any.

    Raises:
        TypeError: inputs or targets that are not arrays.
        ValueError: different numbers of inputs and targets.
    """

    def __init__(
        self,
        inputs: Array,
        targets: Array,
        transform: Transform | None = None,
        classes: Sequence[str] = (),
    ) -> None:
        for name, array in (("inputs", inputs), ("targets", targets)):
            if not isinstance(array, np.ndarray):
                raise TypeError(f"{name} must be an array, got {type(array).__name__}")
            if array.ndim == 0:
                raise ValueError(f"{name} must have at least 1 dimension, got a single number")
        if len(inputs) != len(targets):
            raise ValueError(f"targets must be as many as inputs ({len(inputs)}), got {len(targets)}")
        self.inputs = inputs
        self.targets = targets
        self.transform = transform
        self.classes = tuple(classes)

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int) -> tuple[Array, Any]:
        item = self.inputs[index]
        if item.dtype == np.uint8:
            item = item.astype(np.float32) / np.float32(255)
        return (item if self.transform is None else self.transform(item)), self.targets[index]


class Subset:
    """The items of `dataset` at `indices`, in that order.

    Raises:
        ValueError: an index outside the data set.
    """

    def __init__(self, dataset: Dataset, indices: Sequence[int] | Array) -> None:
        self.dataset = dataset
        self.indices = [check_integer("indices", index) for index in indices]
        wrong = [index for index in self.indices if not 0 <= index < len(dataset)]
        if wrong:
            raise ValueError(f"indices must be in [0, {len(dataset)}), got {wrong[0]}")

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[self.indices[index]]


def stratified_indices(labels: Array, split: str) -> Array:
    """Return the indices of a fixed 80/20 split in which every class has its share.

    Within each class the third of every five items, in the order given, is a test item and the others are
    training items. No random numbers are involved: the split is the same everywhere and for ever.

    Args:
        labels: int64 (N,).
        split: "train" or "test".
    """
    check_split(split)
    place = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        place[members] = np.arange(len(members))
    held_out = place % 5 == 2
    return np.flatnonzero(held_out if split == "test" else ~held_out)


def check_split(split: str) -> None:
    """Require "train" or "test" (ValueError otherwise)."""
    if split not in ("train", "test"):
        raise ValueError(f"split must be 'train' or 'test', got {split!r}")
