"""Who is announced as a peer, and how a call is handed to PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.threads import has_torch
from kernels.array import Array

if TYPE_CHECKING:
    pass

EAGER, CHANNELS_LAST, UNFOLD = "pytorch", "pytorch channels_last", "pytorch unfold"
# The mask comes from another generator: there is nothing to compare.
RANDOM = ("dropout_forward", "dropout_backward")

Run = Callable[[], Any]
Builder = Callable[..., Run | None]
BUILDERS: dict[str, dict[str, Builder]] = {}


@dataclass(frozen=True)
class Peer:
    """One way to make a call in PyTorch.

    Attributes:
        name: how it is called in results.
        run: makes the call, and returns a tensor or several.
        comparable: whether its values are ours.
    """

    name: str
    run: Run
    comparable: bool = True

    def outputs(self) -> list[Array]:
        """What a call gives, as arrays in the order of the contract's results."""
        result = self.run()
        tensors = result if isinstance(result, tuple | list) else (result,)
        return [tensor.detach().numpy() for tensor in tensors]


def peers(operation: str, arguments: Sequence[Any]) -> list[Peer]:
    """The contenders for a call, to be run under `without_graph`; none where PyTorch has no such operation.

    Raises:
        ImportError: torch is missing.
    """
    import torch

    tensors = [_tensor(argument) for argument in arguments]
    found = []
    for name, build in BUILDERS.get(operation, {}).items():
        run = build(torch, *tensors)
        if run is not None:
            found.append(Peer(name, run, operation not in RANDOM))
    return found


def without_graph() -> AbstractContextManager[Any]:
    """The mode in which peers run: nothing is recorded for a backward pass. Without torch it does nothing."""
    if not has_torch():
        return nullcontext()
    import torch

    quiet: AbstractContextManager[Any] = torch.no_grad()
    return quiet


def _tensor(argument: Any) -> Any:
    import torch

    if isinstance(argument, tuple | list):
        return tuple(_tensor(item) for item in argument)
    if isinstance(argument, np.ndarray):
        return torch.from_numpy(np.ascontiguousarray(argument)).reshape(argument.shape)
    return argument


def peer(operation: str, name: str = EAGER) -> Callable[[Builder], Builder]:
    """Announce a builder: build(torch, *tensors) returns the call without arguments, or None."""

    def announce(build: Builder) -> Builder:
        BUILDERS.setdefault(operation, {})[name] = build
        return build

    return announce


def simple(operation: str, call: Callable[..., Any]) -> None:
    """Announce a peer that is one expression."""
    peer(operation)(lambda torch, *tensors: lambda: call(torch, *tensors))


def is_channels_last(torch: Any, tensor: Any) -> bool:
    return bool(tensor.is_contiguous(memory_format=torch.channels_last) and not tensor.is_contiguous())


def in_channels_last(build: Builder) -> Builder:
    """The same call on tensors whose memory runs through the channels first."""

    def convert(torch: Any, argument: Any) -> Any:
        is_image = isinstance(argument, torch.Tensor) and argument.ndim == 4
        return argument.to(memory_format=torch.channels_last) if is_image else argument

    return lambda torch, *tensors: build(torch, *(convert(torch, tensor) for tensor in tensors))
