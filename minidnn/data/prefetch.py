"""Batches on their way to a device: the next one travels while the one before it is computed with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from kernels.device import Device, send
from minidnn.tensor import Tensor


def sent_ahead(batches: Iterable[Any], device: Device) -> Iterator[Any]:
    """Yield the batches with their tensors on a device; each is sent before the one in front is handed out.

    To a GPU they go through page-locked memory, on a stream of their own.
    """
    under_way: Callable[[], Any] | None = None
    for batch in batches:
        following = _send(batch, device)
        if under_way is not None:
            yield under_way()
        under_way = following
    if under_way is not None:
        yield under_way()


def _send(batch: Any, device: Device) -> Callable[[], Any]:
    """Send the tensors in a nest of tuples, lists and dictionaries; return what waits for them to arrive."""
    if isinstance(batch, Tensor):
        arrival = send(batch.data, device)
        return lambda: Tensor(arrival())
    if isinstance(batch, dict):
        by_name = {name: _send(item, device) for name, item in batch.items()}
        return lambda: {name: item() for name, item in by_name.items()}
    if isinstance(batch, list | tuple):
        items = [_send(item, device) for item in batch]
        if hasattr(batch, "_fields"):
            return lambda: type(batch)(*(item() for item in items))
        return lambda: type(batch)(item() for item in items)
    return lambda: batch
