"""Listening in on kernel calls: a version of every operation that sees each call first and hands it on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import kernels
from kernels import registry

LISTENER = "listener"


class Listener:
    """Hands every call on to the version that would have run; subclasses do more in `call`.

    Calls that a kernel makes itself are part of its own and are not heard.
    """

    def __init__(self) -> None:
        self.is_listening = True

    def call(self, contract: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Answer a call."""
        return registry.dispatch(contract, *arguments)

    def fits(self, *arguments: Any) -> bool:
        """Whether a call is to be heard."""
        return self.is_listening

    def hear(self, contract: Callable[..., Any], *arguments: Any) -> Any:
        """Answer a call that the registry hands over."""
        self.is_listening = False
        try:
            return self.call(contract, arguments)
        finally:
            self.is_listening = True


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Let every kernel call go by the listener while the context lasts."""
    for operation in kernels.operations():
        kernels.versions(operation)  # loads the backends first: what registers last is asked first
        contract = registry.contract(operation)
        announce = registry.implements(
            contract, LISTENER, "hears the call and hands it on", backend="cpu", fits=listener.fits
        )
        announce(partial(listener.hear, contract))
    try:
        yield
    finally:
        for operation in kernels.operations():
            registry.withdraw(operation, "cpu", LISTENER)
