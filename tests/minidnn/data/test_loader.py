from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minidnn
from minidnn.data import ArrayDataset, DataLoader, collate


def numbers(count: int) -> ArrayDataset:
    return ArrayDataset(np.arange(2 * count, dtype=np.float32).reshape(count, 2), np.arange(count))


def labels(loader: DataLoader) -> list[list[int]]:
    return [batch.numpy().tolist() for _, batch in loader]


def workers() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("minidnn-loader")]


def test_batches_are_tensors_in_order() -> None:
    loader = DataLoader(numbers(7), batch_size=3)
    batches = list(loader)
    assert len(loader) == len(batches) == 3
    inputs, targets = batches[1]
    assert isinstance(inputs, minidnn.Tensor)
    assert inputs.shape == (3, 2)
    assert inputs.dtype == np.float32
    assert inputs.numpy().tolist() == [[6, 7], [8, 9], [10, 11]]
    assert targets.dtype == np.int64
    assert labels(loader) == [[0, 1, 2], [3, 4, 5], [6]]


def test_drop_last() -> None:
    assert labels(DataLoader(numbers(7), batch_size=3, drop_last=True)) == [[0, 1, 2], [3, 4, 5]]
    assert labels(DataLoader(numbers(6), batch_size=3, drop_last=True)) == [[0, 1, 2], [3, 4, 5]]
    assert len(DataLoader(numbers(2), batch_size=3, drop_last=True)) == 0


@pytest.mark.parametrize("num_workers", [0, 1, 4])
def test_order_depends_on_seed_and_epoch_alone(num_workers: int) -> None:
    def epochs(seed: int) -> list[list[list[int]]]:
        loader = DataLoader(numbers(50), 8, shuffle=True, seed=seed, num_workers=num_workers)
        return [labels(loader) for _ in range(2)]

    first, second = epochs(3)
    for epoch in (first, second):
        assert sorted(label for batch in epoch for label in batch) == list(range(50))
    assert first != second
    reference = DataLoader(numbers(50), 8, shuffle=True, seed=3)
    assert [labels(reference), labels(reference)] == [first, second]
    assert epochs(4)[0] != first


def test_the_order_is_the_same_for_ever() -> None:
    """Checkpoints rely on it: a changed order would break every interrupted run."""
    loader = DataLoader(numbers(10), shuffle=True, seed=0)
    assert loader.order().tolist() == [8, 0, 3, 7, 6, 4, 1, 5, 2, 9]
    loader.set_epoch(1)
    assert loader.order().tolist() == [1, 5, 6, 4, 8, 7, 9, 3, 2, 0]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_resuming_in_the_middle_of_an_epoch(num_workers: int) -> None:
    whole = DataLoader(numbers(20), 3, shuffle=True, seed=1)
    labels(whole)
    second = labels(whole)
    resumed = DataLoader(numbers(20), 3, shuffle=True, seed=1, num_workers=num_workers)
    resumed.set_epoch(1)
    rest = [batch.numpy().tolist() for _, batch in resumed.batches(start=4)]
    assert rest == second[4:]
    assert resumed.epoch == 1
    assert list(resumed.batches(start=len(resumed))) == []


def test_iterating_moves_to_the_next_epoch_and_batches_does_not() -> None:
    loader = DataLoader(numbers(9), shuffle=True, seed=5)
    list(loader.batches())
    assert loader.epoch == 0
    list(loader)
    assert loader.epoch == 1
    loader.set_epoch(0)
    assert loader.epoch == 0


def test_seed_comes_from_manual_seed() -> None:
    def order() -> list[int]:
        minidnn.manual_seed(8)
        return DataLoader(numbers(30), shuffle=True).order().tolist()

    assert order() == order()
    minidnn.manual_seed(9)
    assert DataLoader(numbers(30), shuffle=True).order().tolist() != order()


class Failing:
    """Item 5 cannot be read."""

    def __len__(self) -> int:
        return 9

    def __getitem__(self, index: int) -> Any:
        if index == 5:
            raise ValueError("item 5 is broken")
        return np.float32(index)


@pytest.mark.parametrize("num_workers", [0, 1, 3])
def test_errors_reach_the_caller_after_the_good_batches(num_workers: int) -> None:
    batches = iter(DataLoader(Failing(), 2, num_workers=num_workers))
    assert next(batches).numpy().tolist() == [0, 1]
    assert next(batches).numpy().tolist() == [2, 3]
    with pytest.raises(ValueError, match="item 5 is broken"):
        next(batches)
    assert workers() == []


def test_threads_end_with_the_iteration() -> None:
    loader = DataLoader(numbers(100), 2, num_workers=3)
    labels(loader)
    assert workers() == []
    for _ in loader:
        assert workers() != []
        break
    del _
    assert workers() == []


class Counting:
    """Remembers which items were asked for, and by which thread."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.threads: set[str] = set()

    def __len__(self) -> int:
        return 1000

    def __getitem__(self, index: int) -> int:
        self.asked.append(index)
        self.threads.add(threading.current_thread().name)
        return index


def test_workers_fetch_a_bounded_number_ahead() -> None:
    dataset = Counting()
    batches = DataLoader(dataset, 2, num_workers=2, prefetch_factor=3).batches()
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert len(dataset.asked) <= 2 * (1 + 2 * 3)
    assert all(name.startswith("minidnn-loader") for name in dataset.threads)


def test_collate() -> None:
    pairs = collate([(np.zeros(2, np.float64), 1, 0.5), (np.ones(2, np.float64), 2, 1.5)])
    assert [tensor.dtype for tensor in pairs] == [np.float64, np.int64, np.float32]
    assert pairs[0].shape == (2, 2)
    tensors = collate([minidnn.tensor([1.0, 2.0]), minidnn.tensor([3.0, 4.0])])
    assert tensors.numpy().tolist() == [[1, 2], [3, 4]]
    with pytest.raises(ValueError, match=r"must have the same shape, got \(2,\) and \(3,\); resize them"):
        collate([np.zeros(3), np.zeros(2)])
    with pytest.raises(ValueError, match="must be tuples of the same length"):
        collate([(np.zeros(2), 1), (np.zeros(2),)])


def test_a_collate_of_ones_own() -> None:
    loader = DataLoader(numbers(4), 2, collate=lambda items: sum(int(target) for _, target in items))
    assert list(loader) == [1, 5]


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: DataLoader(numbers(0)), ValueError, "dataset must have at least 1 item, got an empty one"),
        (lambda: DataLoader(numbers(3), 0), ValueError, "batch_size must be at least 1, got 0"),
        (lambda: DataLoader(numbers(3), 2.0), TypeError, "batch_size must be an integer, got 2.0"),
        (
            lambda: DataLoader(numbers(3), num_workers=-1),
            ValueError,
            "num_workers must be at least 0, got -1",
        ),
        (lambda: DataLoader(numbers(3), prefetch_factor=0), ValueError, "prefetch_factor must be at least 1"),
        (lambda: DataLoader(numbers(3), seed=-2), ValueError, "seed must be at least 0, got -2"),
        (lambda: DataLoader(numbers(3)).set_epoch(-1), ValueError, "epoch must be at least 0, got -1"),
        (lambda: DataLoader(numbers(3)).batches(-1), ValueError, "start must be at least 0, got -1"),
        (
            lambda: DataLoader(numbers(3)).batches(4),
            ValueError,
            "start must be at most the number of batches 3, got 4",
        ),
    ],
)
def test_bad_arguments(make: Callable[[], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        make()
