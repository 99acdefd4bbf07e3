"""The table (operation, backend, version) -> function, and the choice between its rows.

An operation's folder is its package: `kernels/conv2d/__init__.py` holds the contracts (one typed function
per direction, listed in `__all__`), and `reference.py`, `cpu.py`, `gpu.py` beside it hold the backends'
versions, each announced by the `implements` decorator. The table is derived from those folders; a
backend's file is imported on first use.

A backend's versions form a ladder in the order of their definition, from the one that reads best to the
one that runs best. Unless `use` says otherwise the last version that fits the arguments and pays for them
runs, of the first backend that has one. Which backends are asked depends on where the arrays lie: those of
host memory are for "cpu" and "reference", those of a device's memory for "gpu".
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import pkgutil
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, ParamSpec, TypeAlias, TypeVar

import numpy as np

from kernels.device import DEVICE_TYPES, mixed

P = ParamSpec("P")
R = TypeVar("R")

BACKENDS = ("reference", "cpu", "gpu")
# Backends for arrays in host memory, the preferred one first.
HOST_BACKENDS = ("cpu", "reference")
# Those for arrays in a device's memory.
DEVICE_BACKENDS = ("gpu",)


class UnavailableError(ImportError):
    """Raised while a backend's file is imported that cannot run in this process: it then has no versions."""


@dataclass(frozen=True)
class Version:
    """One row of the table.

    Attributes:
        operation: the contract's name, e.g. "conv2d_forward".
        backend: the file that holds it: "reference", "cpu" or "gpu".
        name: its name on the ladder, e.g. "im2col".
        idea: one line that says what it does differently.
        function: the implementation, with the contract's signature.
        fits: whether it can take these arguments (called with the contract's arguments).
        pays: whether it is the best of those that fit; the default passes by a version that does not pay.
        run: the function as `dispatch` calls it: without NumPy's warnings.
    """

    operation: str
    backend: str
    name: str
    idea: str
    function: Callable[..., Any]
    fits: Callable[..., bool]
    pays: Callable[..., bool]
    run: Callable[..., Any] = field(repr=False)


@dataclass(frozen=True)
class Selection:
    """What `use` asked for: a backend (None: any) and versions by operation."""

    backend: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)


_EVERYTHING = Selection()
_versions: dict[tuple[str, str], list[Version]] = {}
_folders: dict[str, str] = {}
_loaded: set[tuple[str, str]] = set()
_remembered: dict[tuple[str, str | None, str | None, bool], tuple[Version, ...]] = {}
# The same for arrays in host memory where nobody asked for anything: by contract, which is quicker to ask.
_usual: dict[Callable[..., Any], tuple[Version, ...]] = {}
_selection: ContextVar[Selection] = ContextVar("kernels_selection", default=_EVERYTHING)
# Runs a chosen version on arguments, in its place.
Listener: TypeAlias = Callable[..., Any]
_listener: ContextVar[Listener | None] = ContextVar("kernels_listener", default=None)
_listening = threading.Lock()


def implements(
    contract: Callable[P, R],
    version: str,
    idea: str,
    *,
    backend: str | None = None,
    fits: Callable[..., bool] | None = None,
    pays: Callable[..., bool] | None = None,
    compiled: bool = False,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Announce the decorated function as a version of `contract`'s operation.

    Args:
        contract: the public function of the operation's package, e.g. `kernels.conv2d.conv2d_forward`.
        version: its name on the ladder; a repeated name replaces the earlier function.
        idea: one line that says what this version does differently.
        backend: "reference", "cpu" or "gpu"; by default the name of the file the function stands in.
        fits: called with the operation's arguments; false when this version cannot take them. Of the gpu
            backend it is asked only about arrays in device memory; others do not fit.
        pays: called with the operation's arguments; false when an earlier version is the better choice
            for them, such as one without threads for a small array. It still runs when asked for by name.
        compiled: NumPy computes nothing in it, so that there are no warnings of NumPy's to switch off.
    """

    def announce(function: Callable[P, R]) -> Callable[P, R]:
        home = backend or function.__module__.rpartition(".")[2]
        if home not in BACKENDS:
            raise ValueError(f"backend must be one of {', '.join(BACKENDS)}, got {home!r}")
        takes = fits or _always
        if home in DEVICE_BACKENDS:
            takes = _only_on_device(takes)
        run = function if compiled else _without_warnings(function)
        row = Version(contract.__name__, home, version, idea, function, takes, pays or _always, run)
        ladder = _versions.setdefault((row.operation, home), [])
        ladder[:] = [other for other in ladder if other.name != version] + [row]
        _forget()
        return function

    return announce


def withdraw(operation: str, backend: str, version: str) -> None:
    """Take a version off the table again, such as a user's own after a race."""
    ladder = _versions[operation, backend]
    ladder[:] = [row for row in ladder if row.name != version]
    _forget()


def _forget() -> None:
    """The table has changed, and with it the answers."""
    _remembered.clear()
    _usual.clear()


def _without_warnings(function: Callable[..., Any]) -> Callable[..., Any]:
    """Overflow and invalid operations give infinity and NaN in silence, as on every backend."""
    return np.errstate(all="ignore")(function)  # as a decorator it costs half of what it does as a context


def on_device(arguments: tuple[Any, ...]) -> bool:
    """Return whether the arrays among the arguments, or in lists among them, lie in a device's memory.

    Raises:
        ValueError: they lie in several places.
    """
    if not DEVICE_TYPES:
        return False
    places = set()
    for argument in arguments:
        for item in argument if isinstance(argument, list | tuple) else (argument,):
            if isinstance(item, np.ndarray):
                places.add("cpu")
            elif type(item) in DEVICE_TYPES:
                places.add(DEVICE_TYPES[type(item)].name)
    if len(places) > 1:
        raise ValueError(mixed(places))
    return bool(places) and "cpu" not in places


def _only_on_device(fits: Callable[..., bool]) -> Callable[..., bool]:
    def takes(*arguments: Any, **keywords: Any) -> bool:
        return on_device(arguments) and fits(*arguments, **keywords)

    return takes


def dispatch(contract: Callable[P, R], *arguments: P.args, **keywords: P.kwargs) -> R:
    """Run the selected version of `contract`'s operation on checked arguments, without NumPy's warnings."""
    run: Callable[P, R] = _to_run(contract, arguments, keywords).run
    return run(*arguments, **keywords)


def choose(contract: Callable[P, R], *arguments: P.args, **keywords: P.kwargs) -> Version:
    """Return the version that `dispatch` would run on these arguments.

    Raises:
        ValueError: no version of the selected backend (or the version asked for) takes the arguments.
    """
    return _chosen(contract, arguments, keywords)


def _chosen(contract: Callable[..., Any], arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> Version:
    asked = _selection.get()
    usual = asked is _EVERYTHING and not DEVICE_TYPES
    candidates = _usual.get(contract, ()) if usual else ()
    if not candidates:
        candidates = _asked_for(contract, asked, arguments)
        if usual:
            _usual[contract] = candidates
    for version in candidates:
        if (version.pays is _always or version.pays(*arguments, **keywords)) and (
            version.fits is _always or version.fits(*arguments, **keywords)
        ):
            return version
    for version in candidates:
        if version.fits(*arguments, **keywords):
            return version
    raise ValueError(_no_version(contract.__name__, asked, on_device(arguments)))


def _asked_for(
    contract: Callable[..., Any], asked: Selection, arguments: tuple[Any, ...]
) -> tuple[Version, ...]:
    """The versions in question, best first."""
    operation = contract.__name__
    # Every operation on every array asks, so the answer to the same question is remembered.
    question = operation, asked.backend, asked.versions.get(operation), on_device(arguments)
    candidates = _remembered.get(question)
    if candidates is None:
        candidates = _remembered[question] = _candidates(*question)
    return candidates


def _candidates(operation: str, backend: str | None, wanted: str | None, device: bool) -> tuple[Version, ...]:
    backends = [name for name in (DEVICE_BACKENDS if device else HOST_BACKENDS) if backend in (None, name)]
    ladders = [row for name in backends for row in reversed(_ladder(operation, name))]
    return tuple(row for row in ladders if wanted is None or row.name == wanted)


def _no_version(operation: str, asked: Selection, device: bool) -> str:
    rows = [f"{row.backend} {row.name}" for row in table() if row.operation == operation]
    words = " ".join(word for word in (asked.backend, asked.versions.get(operation)) if word) or "any"
    place = " in device memory" if device else ""
    return (
        f"{operation} has no version for {words} that takes these arguments{place}; it has: {', '.join(rows)}"
    )


class _Told(NamedTuple):
    """Stands for a version that a listener runs."""

    run: Callable[..., Any]


def _told(
    contract: Callable[..., Any], arguments: tuple[Any, ...], keywords: Mapping[str, Any]
) -> Version | _Told:
    """The chosen version, to be run by the listener of this context if it has one."""
    version = _chosen(contract, arguments, keywords)
    listener = _listener.get()
    return version if listener is None else _Told(_without_warnings(partial(listener, version)))


# What `dispatch` asks; another function only while somebody listens, so that else nobody pays for it.
_to_run: Callable[..., Version | _Told] = _chosen
_listeners = 0


@contextmanager
def listen(listener: Listener) -> Iterator[None]:
    """Let `listener(version, *arguments, **keywords)` run every kernel while the context lasts.

    It is to call `version.function(*arguments, **keywords)` and to return what that returns. Calls from other
    threads are not its own.
    """
    _count_listeners(1)
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
        _count_listeners(-1)


def _count_listeners(more: int) -> None:
    global _listeners, _to_run
    with _listening:
        _listeners += more
        _to_run = _told if _listeners else _chosen


def selection() -> Selection:
    """Return what `use` asked for, as it holds here."""
    return _selection.get()


@contextmanager
def use(backend: str | None = None, **versions: str) -> Iterator[None]:
    """Select a backend and versions by operation while the context lasts.

        with kernels.use(backend="reference", conv2d_forward="loops"):
            ...

    Raises:
        ValueError: an unknown backend, operation or version.
    """
    if backend is not None and backend not in BACKENDS:
        raise ValueError(f"backend must be one of {', '.join(BACKENDS)}, got {backend!r}")
    outer = _selection.get()
    chosen = backend or outer.backend
    for operation, name in versions.items():
        known = [row.name for row in _rows(operation, chosen)]
        if name not in known:
            raise ValueError(f"{operation} has no version {name!r}; it has: {', '.join(known) or 'none'}")
    token = _selection.set(Selection(chosen, {**outer.versions, **versions}))
    try:
        yield
    finally:
        _selection.reset(token)


def operations() -> tuple[str, ...]:
    """Return the names of all operations, folder by folder."""
    if not _folders:
        _list_folders()
    return tuple(_folders)


def versions(operation: str, backend: str | None = None) -> tuple[str, ...]:
    """Return the names of an operation's versions, in ladder order.

    Raises:
        ValueError: an unknown operation.
    """
    return tuple(dict.fromkeys(row.name for row in _rows(operation, backend)))


def table() -> tuple[Version, ...]:
    """Return every row: all operations, backends and versions. Loads every backend's file."""
    return tuple(row for operation in operations() for row in _rows(operation, None))


def ladders(operation: str) -> tuple[Version, ...]:
    """Return an operation's rows, backend by backend, each in ladder order.

    Raises:
        ValueError: an unknown operation.
    """
    return tuple(_rows(operation, None))


def contract(operation: str) -> Callable[..., Any]:
    """Return the public function of an operation by its name (ValueError if unknown)."""
    function: Callable[..., Any] = getattr(sys.modules[f"kernels.{_folder(operation)}"], operation)
    return function


def _rows(operation: str, backend: str | None) -> list[Version]:
    _folder(operation)
    backends = BACKENDS if backend is None else (backend,)
    return [row for name in backends for row in _ladder(operation, name)]


def _ladder(operation: str, backend: str) -> list[Version]:
    if (operation, backend) not in _loaded:
        _load(operation, backend)
    return _versions.get((operation, backend), [])


def _load(operation: str, backend: str) -> None:
    module = f"kernels.{_folder(operation)}.{backend}"
    if importlib.util.find_spec(module) is not None:
        with suppress(UnavailableError):
            importlib.import_module(module)
    _loaded.add((operation, backend))


def _folder(operation: str) -> str:
    if operation not in operations():
        near = difflib.get_close_matches(operation, _folders, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "; kernels.operations() lists them"
        raise ValueError(f"unknown operation {operation!r}{hint}")
    return _folders[operation]


def _list_folders() -> None:
    package = importlib.import_module("kernels")
    for module in pkgutil.iter_modules(package.__path__):
        if module.ispkg:
            names = getattr(importlib.import_module(f"kernels.{module.name}"), "__all__", ())
            _folders.update(dict.fromkeys(names, module.name))


def _always(*arguments: Any, **keywords: Any) -> bool:
    return True
