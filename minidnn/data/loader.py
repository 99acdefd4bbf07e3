"""Batches of a data set, in an order that depends on the seed and the epoch alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from kernels.array import Array, check_integer
from minidnn.data.dataset import Dataset
from minidnn.data.prefetch import sent_ahead
from minidnn.device import device as device_named
from minidnn.random import next_seed
from minidnn.tensor import Tensor

if TYPE_CHECKING:
    from concurrent.futures import Future

    from numpy.random import Generator

RandomChange: TypeAlias = "Callable[[Any, Generator], Any]"
# What the generators of items and of batches are told apart by.
_OF_ITEMS, _OF_BATCHES = 0, 1


class _Batch(NamedTuple):
    """What a worker is to fetch: the items of a batch of an epoch."""

    epoch: int
    number: int
    indices: Array


def collate(items: Sequence[Any]) -> Any:
    """Join a batch's items into Tensors with a new first axis: a tuple of them when the items are tuples.

    Arrays keep their dtype; Python's floats become float32 and integers int64.

    Raises:
        ValueError: items of different shapes, or tuples of different lengths.
    """
    if isinstance(items[0], tuple):
        if len({len(item) for item in items}) > 1:
            raise ValueError("items of a batch must be tuples of the same length")
        return tuple(_stack(column) for column in zip(*items, strict=True))
    return _stack(items)


def _stack(values: Sequence[Any]) -> Tensor:
    arrays = [value.data if isinstance(value, Tensor) else value for value in values]
    if not isinstance(arrays[0], np.ndarray | np.generic):
        return Tensor(list(arrays))
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        first, second = sorted(shapes)[:2]
        raise ValueError(f"items of a batch must have the same shape, got {first} and {second}; resize them")
    return Tensor(np.stack(arrays))


class DataLoader:
    """Batches of `dataset`, optionally shuffled, fetched ahead by threads.

    The order of an epoch's items is a function of `seed` and the epoch's number. The number of workers
    changes nothing but the speed, and a resumed run continues in the middle of an epoch with `set_epoch` and
    `batches(start)`. Every iteration is the next epoch. Random transforms obey this too: an item's generator
    is seeded by (seed, epoch, the item's index), a batch's by (seed, epoch, the batch's number).

        for images, labels in DataLoader(digits(32, "train"), batch_size=32, shuffle=True, seed=0):
            ...

    Args:
        dataset: anything with a length and items by index.
        batch_size: items per batch.
        shuffle: whether each epoch has an order of its own; otherwise items come as they stand.
        drop_last: whether to leave out a last batch that is not full.
        num_workers: threads that fetch batches ahead; 0 fetches in the caller's thread.
        prefetch_factor: batches fetched ahead per worker.
        seed: of the shuffling and the transforms, at least 0; None draws one from `minidnn.manual_seed`'s
            generator.
        collate: joins a list of items into a batch.
        transform: called by the workers with every item and its generator, see `data.transforms`.
        batch_transform: called by the workers with every batch and its generator, see `transforms.Mixup`.
        device: where the batches' tensors are to lie, see `minidnn.device`; host memory if it is not given. A
            batch is sent there while the one before it is computed with.

    Attributes:
        seed: the seed in use.
        epoch: the epoch that the next iteration goes through, from 0.

    Raises:
        ValueError: an empty data set, a batch size or prefetch factor below 1, a negative number of workers
            or seed, a device that there is not.
        TypeError: one of these is no integer.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int = 1,
        shuffle: bool = False,
        drop_last: bool = False,
        num_workers: int = 0,
        prefetch_factor: int = 2,
        seed: int | None = None,
        collate: Callable[[Sequence[Any]], Any] = collate,
        transform: RandomChange | None = None,
        batch_transform: RandomChange | None = None,
        device: Any = None,
    ) -> None:
        if len(dataset) == 0:
            raise ValueError("dataset must have at least 1 item, got an empty one")
        self.dataset = dataset
        self.batch_size = check_integer("batch_size", batch_size, minimum=1)
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.num_workers = check_integer("num_workers", num_workers, minimum=0)
        self.prefetch_factor = check_integer("prefetch_factor", prefetch_factor, minimum=1)
        self.seed = next_seed() if seed is None else check_integer("seed", seed, minimum=0)
        self.collate = collate
        self.transform = transform
        self.batch_transform = batch_transform
        self.device = None if device is None else device_named(device)
        self.epoch = 0

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Any]:
        batches = self.batches()
        self.epoch += 1
        return batches

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch the next iteration goes through (at least 0)."""
        self.epoch = check_integer("epoch", epoch, minimum=0)

    def batches(self, start: int = 0) -> Iterator[Any]:
        """Return the current epoch's batches from number `start` on; the loader stays at this epoch.

        Raises:
            ValueError: `start` is negative or above the number of batches.
        """
        check_integer("start", start, minimum=0)
        if start > len(self):
            raise ValueError(f"start must be at most the number of batches {len(self)}, got {start}")
        order = self.order()
        chosen = [
            _Batch(self.epoch, number, order[number * self.batch_size : (number + 1) * self.batch_size])
            for number in range(start, len(self))
        ]
        fetched = self._fetched_ahead(chosen) if self.num_workers else map(self._fetch, chosen)
        return fetched if self.device is None else sent_ahead(fetched, self.device)

    def order(self) -> Array:
        """Return the indices of the items in the current epoch's order, int64 (N,)."""
        if not self.shuffle:
            return np.arange(len(self.dataset))
        return self._generator(self.epoch).permutation(len(self.dataset))

    def _generator(self, epoch: int, *place: int) -> Generator:
        """The generator of a place in an epoch."""
        # A key of its own, since among the entropies a last 0 is the same as none.
        seeds = np.random.SeedSequence([self.seed, epoch], spawn_key=place)
        return np.random.Generator(np.random.Philox(seeds))

    def _fetch(self, chosen: _Batch) -> Any:
        batch = self.collate([self._item(chosen.epoch, int(index)) for index in chosen.indices])
        if self.batch_transform is None:
            return batch
        return self.batch_transform(batch, self._generator(chosen.epoch, _OF_BATCHES, chosen.number))

    def _item(self, epoch: int, index: int) -> Any:
        item = self.dataset[index]
        if self.transform is None:
            return item
        return self.transform(item, self._generator(epoch, _OF_ITEMS, index))

    def _fetched_ahead(self, chosen: Sequence[_Batch]) -> Iterator[Any]:
        """Batches in order, while threads fetch the next ones; leaving the iteration ends the threads."""
        from concurrent.futures import ThreadPoolExecutor  # a loader without workers does not need them

        executor = ThreadPoolExecutor(self.num_workers, thread_name_prefix="minidnn-loader")
        ahead = self.num_workers * self.prefetch_factor
        pending: deque[Future[Any]] = deque()
        try:
            for batch in chosen:
                pending.append(executor.submit(self._fetch, batch))
                if len(pending) > ahead:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            executor.shutdown(wait=True, cancel_futures=True)
