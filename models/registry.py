"""The models by name: every builder announces itself with `register`, and `create` builds one."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from minidnn.nn import Module

# What a model does: a classifier takes a batch (N, C, H, W) and gives one score per class; a detector takes a
# list of images and gives what it finds in each.
KINDS = ("classification", "detection")

Builder = TypeVar("Builder", bound=Callable[..., Module])


@dataclass(frozen=True)
class Entry:
    """One row of the table.

    Attributes:
        name: the builder's name, e.g. "lenet5".
        builder: the function that builds the model.
        input_shape: the shape (C, H, W) of the images it was designed for.
        kind: one of `KINDS`.
    """

    name: str
    builder: Callable[..., Module]
    input_shape: tuple[int, int, int]
    kind: str = "classification"

    @property
    def summary(self) -> str:
        """The first line of the builder's docstring."""
        return (self.builder.__doc__ or "").strip().partition("\n")[0]


_entries: dict[str, Entry] = {}


def register(input_shape: tuple[int, int, int], kind: str = "classification") -> Callable[[Builder], Builder]:
    """Announce the decorated builder under its own name.

    Args:
        input_shape: the shape (C, H, W) of the images the model was designed for.
        kind: one of `KINDS`.
    """

    def announce(builder: Builder) -> Builder:
        name = builder.__name__
        _entries[name] = Entry(name, builder, input_shape, kind)
        return builder

    return announce


def names(kind: str = "classification") -> tuple[str, ...]:
    """Return the names of all models of a kind, sorted (ValueError for an unknown kind).

    Args:
        kind: "classification" or "detection".
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    return tuple(sorted(name for name, entry in _entries.items() if entry.kind == kind))


def entry(name: str) -> Entry:
    """Return what is known about a model (ValueError with near matches for an unknown name)."""
    if name not in _entries:
        near = difflib.get_close_matches(str(name), _entries, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(sorted(_entries))}"
        raise ValueError(f"unknown model {name!r}; {hint}")
    return _entries[name]


def entry_of_kind(name: str, kind: str) -> Entry:
    """Return what is known about a model of a kind (ValueError for an unknown model, or another kind's)."""
    found = entry(name)
    if found.kind != kind:
        raise ValueError(f"{name} is a model for {found.kind}, not for {kind}")
    return found


def bound_arguments(name: str, **arguments: Any) -> dict[str, Any]:
    """Return all arguments that `create` would hand to the builder, with its defaults filled in.

    Raises:
        ValueError: an unknown name.
        TypeError: an argument that the builder does not have.
    """
    signature = inspect.signature(entry(name).builder)
    unknown = [argument for argument in arguments if argument not in signature.parameters]
    if unknown:
        raise TypeError(f"{name} has no argument {unknown[0]!r}; it has: {', '.join(signature.parameters)}")
    bound = signature.bind(**arguments)
    bound.apply_defaults()
    return dict(bound.arguments)


def create(name: str, **arguments: Any) -> Module:
    """Build a model by its name: create("lenet5", num_classes=10).

    Args:
        name: one of `names()` or `names("detection")`.
        arguments: handed to the builder.

    Raises:
        ValueError: an unknown name, or a value that the builder refuses.
        TypeError: an argument that the builder does not have.
    """
    return entry(name).builder(**bound_arguments(name, **arguments))
