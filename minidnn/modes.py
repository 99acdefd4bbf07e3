"""The modes of a context (a thread or a task): whether operations are recorded, checked, run in float16."""

from __future__ import annotations

from contextlib import ContextDecorator
from contextvars import ContextVar, Token
from dataclasses import dataclass, replace
from typing import Any, Protocol


class Observer(Protocol):
    """What is told of every operation while it is watching."""

    def run(self, function: Any, arrays: list[Any]) -> Any:
        """Run a Function's forward on arrays and return its result."""

    def assign(self, target: Any, source: Any) -> None:
        """An array's elements are about to be overwritten with those of another."""


@dataclass(frozen=True)
class Modes:
    """What holds at one point of the program.

    Attributes:
        recording: operations on tensors that require gradients become part of the graph.
        anomaly: every result and gradient is searched for NaN and infinities.
        observer: runs all operations, to note what they are; None: nobody does.
        autocast: convolutions and linear layers run in float16, see `minidnn.amp`.
    """

    recording: bool = True
    anomaly: bool = False
    observer: Observer | None = None
    autocast: bool = False


_DEFAULT = Modes()
# One variable for all modes, since every operation asks.
MODES: ContextVar[Modes] = ContextVar("minidnn_modes", default=_DEFAULT)


class _Switch(ContextDecorator):
    """A context manager and decorator that changes modes and restores them; may be nested."""

    def __init__(self, **change: Any) -> None:
        self._change = change
        self._tokens: list[Token[Modes]] = []

    def __enter__(self) -> None:
        self._tokens.append(MODES.set(replace(MODES.get(), **self._change)))

    def __exit__(self, *exception: object) -> None:
        MODES.reset(self._tokens.pop())


class no_grad(_Switch):  # noqa: N801 - PyTorch's name
    """Do not record operations while the context (or the decorated function) runs."""

    def __init__(self) -> None:
        super().__init__(recording=False)


class enable_grad(_Switch):  # noqa: N801 - PyTorch's name
    """Record operations again inside a `no_grad` context."""

    def __init__(self) -> None:
        super().__init__(recording=True)


class anomaly_mode(_Switch):  # noqa: N801 - a context manager beside no_grad
    """Name the operation whose output or gradient first becomes NaN or infinite (slow: every array is read).

    with minidnn.anomaly_mode():
        loss = model(x)
        loss.backward()    # ValueError: Log produced -inf (shape (2,), flat index 1) in its output; ...
    """

    def __init__(self) -> None:
        super().__init__(anomaly=True)


class autocast(_Switch):  # noqa: N801 - PyTorch's name
    """Run convolutions and linear layers on float32 tensors in float16; see `minidnn.amp`.

    Args:
        enabled: False keeps float32, also inside another one.
    """

    def __init__(self, enabled: bool = True) -> None:
        super().__init__(autocast=enabled)


class observed_by(_Switch):  # noqa: N801 - a context manager beside no_grad
    """Let an observer run all operations; whether they become part of the graph is as it was."""

    def __init__(self, observer: Observer) -> None:
        super().__init__(observer=observer)


def is_grad_enabled() -> bool:
    """Whether operations are recorded at this point."""
    return MODES.get().recording
