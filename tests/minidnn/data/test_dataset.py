from __future__ import annotations

import numpy as np
import pytest

from minidnn.data import ArrayDataset, Subset, stratified_indices
from tests.minidnn.data.files import pixels


def test_items_are_inputs_and_targets() -> None:
    dataset = ArrayDataset(np.arange(6.0).reshape(3, 2), np.array([5, 6, 7]), classes=["a", "b"])
    assert len(dataset) == 3
    item, target = dataset[1]
    assert item.tolist() == [2.0, 3.0]
    assert target == 6
    assert dataset.classes == ("a", "b")
    assert [target for _, target in dataset] == [5, 6, 7]


def test_bytes_are_pixels() -> None:
    images = pixels(2, 1, 3, 4)
    image, _ = ArrayDataset(images, np.zeros(2, np.int64))[1]
    assert image.dtype == np.float32
    assert np.array_equal(image, np.float32(images[1]) / np.float32(255))


def test_transform_is_applied_when_an_item_is_fetched() -> None:
    dataset = ArrayDataset(np.ones((2, 3)), np.zeros(2), transform=lambda image: image * 4)
    assert dataset[0][0].tolist() == [4, 4, 4]
    assert dataset.inputs.max() == 1


@pytest.mark.parametrize(
    ("inputs", "targets", "kind", "message"),
    [
        (np.ones((3, 2)), np.ones(2), ValueError, r"targets must be as many as inputs \(3\), got 2"),
        ([1, 2], np.ones(2), TypeError, "inputs must be an array, got list"),
        (np.ones(2), (1, 2), TypeError, "targets must be an array, got tuple"),
        (np.array(1.0), np.ones(1), ValueError, "inputs must have at least 1 dimension"),
    ],
)
def test_bad_arrays(inputs: object, targets: object, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        ArrayDataset(inputs, targets)


def test_subset() -> None:
    whole = ArrayDataset(np.arange(5.0), np.arange(5))
    part = Subset(whole, np.array([4, 0, 4]))
    assert [target for _, target in part] == [4, 0, 4]
    assert len(part) == 3
    with pytest.raises(ValueError, match=r"indices must be in \[0, 5\), got -1"):
        Subset(whole, [1, -1])
    with pytest.raises(TypeError, match=r"indices must be an integer, got 1.5"):
        Subset(whole, [1.5])


def test_stratified_split_gives_every_class_its_share() -> None:
    labels = np.random.default_rng(0).integers(0, 4, 203)
    train, test = stratified_indices(labels, "train"), stratified_indices(labels, "test")
    assert sorted([*train, *test]) == list(range(203))
    for label in range(4):
        count, held_out = np.sum(labels == label), np.sum(labels[test] == label)
        assert abs(held_out - count / 5) < 1
    with pytest.raises(ValueError, match="split must be 'train' or 'test', got 'val'"):
        stratified_indices(labels, "val")
