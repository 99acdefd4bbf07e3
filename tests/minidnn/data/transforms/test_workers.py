"""In the loader: what an item becomes depends on seed, epoch and index, not on who fetches it or when."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minidnn
from minidnn import data, functional
from minidnn.data import DataLoader, transforms

AUGMENT = transforms.Compose(
    [
        transforms.RandomResizedCrop((13, 11)),
        transforms.RandomHorizontalFlip(),
        transforms.RandomRotation(20),
        transforms.ColorJitter(0.3, 0.3, 0.3, 0.1),
        transforms.Normalize([0.5] * 3, [0.25] * 3),
    ]
)


class Pictures:
    """Twenty pictures and their numbers."""

    def __len__(self) -> int:
        return 20

    def __getitem__(self, index: int) -> Any:
        return np.random.default_rng(index).integers(0, 256, (3, 17, 19), np.uint8), np.int64(index)


def by_index(loader: DataLoader) -> dict[int, np.ndarray]:
    """Every item of the next epoch, by its number."""
    return {
        int(label): image
        for images, labels in loader
        for image, label in zip(images.numpy(), labels.numpy(), strict=True)
    }


def same(one: dict[int, np.ndarray], other: dict[int, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[i], other[i]) for i in one)


@pytest.mark.parametrize("workers", [0, 1, 2, 5])
def test_any_number_of_workers_batches_and_orders(workers: int) -> None:
    reference = DataLoader(Pictures(), 4, seed=3, transform=AUGMENT)
    first, second = by_index(reference), by_index(reference)
    assert len(first) == 20
    assert not any(np.array_equal(first[i], second[i]) for i in first)
    loader = DataLoader(Pictures(), 3, shuffle=True, seed=3, num_workers=workers, transform=AUGMENT)
    assert same(by_index(loader), first)
    assert same(by_index(loader), second)
    loader.set_epoch(0)
    assert same(by_index(loader), first)
    other = DataLoader(Pictures(), 3, seed=4, num_workers=workers, transform=AUGMENT)
    assert not same(by_index(other), first)


def test_two_epochs_at_once_do_not_mix() -> None:
    loader = DataLoader(Pictures(), 4, seed=3, num_workers=2, transform=AUGMENT)
    first, second = iter(loader), iter(loader)
    pairs = list(zip(first, second, strict=True))
    reference = DataLoader(Pictures(), 4, seed=3, transform=AUGMENT)
    for epoch in (0, 1):
        for got, want in zip((pair[epoch] for pair in pairs), reference, strict=True):
            assert np.array_equal(got[0].numpy(), want[0].numpy())


def test_resuming_in_the_middle_of_an_epoch() -> None:
    mixup = transforms.Mixup(20)
    settings: dict[str, Any] = {"shuffle": True, "seed": 1, "transform": AUGMENT, "batch_transform": mixup}
    whole = [images.numpy() for images, _ in DataLoader(Pictures(), 6, **settings)]
    rest = DataLoader(Pictures(), 6, num_workers=2, **settings).batches(start=2)
    assert all(
        np.array_equal(images.numpy(), want) for (images, _), want in zip(rest, whole[2:], strict=True)
    )


def test_items_that_are_equal_are_changed_differently() -> None:
    same_items = data.ArrayDataset(np.full((30, 3, 9, 9), 99, np.uint8), np.arange(30))
    loader = DataLoader(same_items, 30, seed=0, transform=transforms.ColorJitter(brightness=0.5))
    (images, _) = next(iter(loader))
    assert len({float(image.mean()) for image in images.numpy()}) > 25


def test_errors_of_a_transform_reach_the_caller() -> None:
    loader = DataLoader(Pictures(), 2, num_workers=2, transform=transforms.RandomCrop(40))
    with pytest.raises(ValueError, match="size must be at most"):
        list(loader)


def test_mixup_in_the_loader() -> None:
    """Shares of Beta(alpha, alpha), one to the batch; the labels tell how inputs were mixed."""
    loader = DataLoader(
        data.ArrayDataset(np.eye(6, dtype=np.float32)[np.arange(3000) % 6], np.arange(3000) % 6),
        batch_size=6,
        seed=2,
        num_workers=2,
        batch_transform=transforms.Mixup(6, alpha=0.5),
    )
    shares = []
    partners = np.zeros((6, 6))
    for inputs, targets in loader:
        assert targets.dtype == np.float32
        assert targets.shape == (6, 6)
        assert np.allclose(inputs.numpy(), targets.numpy(), atol=1e-6)
        assert np.allclose(targets.numpy().sum(axis=1), 1, atol=1e-6)
        diagonal = np.diag(targets.numpy())
        if diagonal.min() < 1:
            shares.append(diagonal.min())
            rows, columns = np.nonzero(targets.numpy() * (1 - np.eye(6)))
            partners[rows, columns] += 1
    # Beta(a, a) has mean 1/2 and variance 1 / (4 (2 a + 1)).
    assert np.mean(shares) == pytest.approx(0.5, abs=0.07)
    assert np.var(shares) == pytest.approx(1 / 8, rel=0.2)
    assert partners[~np.eye(6, dtype=bool)].min() > 40


def test_mixed_labels_train() -> None:
    loader = DataLoader(data.digits(8), 16, seed=0, batch_transform=transforms.Mixup(10))
    images, targets = next(iter(loader))
    scores = minidnn.Tensor(np.random.default_rng(0).normal(size=(16, 10)).astype(np.float32))
    loss = functional.cross_entropy(scores, targets)
    logits = scores.numpy().astype(np.float64)
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    assert images.shape == (16, 1, 8, 8)
    assert loss.item() == pytest.approx(-(targets.numpy() * logs).sum() / 16, rel=1e-5)
