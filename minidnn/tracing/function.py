"""What can be read off a Function: its arguments, what it calls its inputs, where its methods stand."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from kernels.window import Window
from minidnn.autograd import Function
from minidnn.tracing.records import SourceLine

_PROJECT = Path(__file__).parent.parent.parent


def plain_arguments(function: Function) -> dict[str, Any]:
    """Return the constructor's arguments as plain values by name; a window is taken apart.

    They are read from the attributes of the constructor's names. A tuple under another name holds, in order,
    those arguments that have no attribute of their own.
    """
    attributes = vars(function)
    names = tuple(inspect.signature(type(function)).parameters)
    given = {name: attributes[name] for name in names if name in attributes}
    others = [value for name, value in attributes.items() if name not in {*names, "needs"}]
    left_over = [name for name in names if name not in given]
    for packed in others:
        if isinstance(packed, tuple) and len(packed) == len(left_over):
            given.update(zip(left_over, packed, strict=True))
            break
    return dict(_plain_items(given))


def _plain_items(arguments: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in arguments.items():
        if isinstance(value, Window):
            yield from _plain_items(_sizes(value))
        elif not callable(value) and not hasattr(value, "shape"):
            yield name, _plain(value)


def _sizes(window: Window) -> dict[str, Any]:
    return {
        "kernel": window.kernel,
        "stride": window.stride,
        "padding": window.padding,
        "dilation": window.dilation,
        "ceil_mode": window.ceil_mode,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, bool | int | float | str) or value is None:
        return value
    if isinstance(value, tuple | list):
        return tuple(_plain(item) for item in value)
    if hasattr(value, "shape"):
        return f"{value.dtype} array of shape {tuple(value.shape)}"
    return str(value)


def input_roles(function: Function, count: int) -> list[str]:
    """Return what forward calls its `count` inputs; those of `*arrays` are "arrays[0]", "arrays[1]", ..."""
    parameters = inspect.signature(function.forward).parameters.values()
    roles = [parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_POSITIONAL]
    rest = next((parameter.name for parameter in parameters if parameter.name not in roles), "input")
    return roles[:count] + [f"{rest}[{place}]" for place in range(count - len(roles))]


def output_roles(count: int) -> list[str]:
    """Return names for outputs, which Functions give none."""
    return ["output"] if count == 1 else [f"output[{place}]" for place in range(count)]


def source_of(method: Callable[..., Any]) -> SourceLine:
    """Return where a function's `def` stands."""
    code = inspect.unwrap(method).__code__
    path = Path(code.co_filename)
    is_ours = path.is_relative_to(_PROJECT) and "site-packages" not in path.relative_to(_PROJECT).parts
    return SourceLine((path.relative_to(_PROJECT) if is_ours else path).as_posix(), code.co_firstlineno)
