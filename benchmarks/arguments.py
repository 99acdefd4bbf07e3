"""A kernel call's arguments as text, for the table of shapes and the keys of results.

Arrays are known by shape and type only; numbers, windows and the rest by their values. Every argument is a
word of JSON, arrays are {"array": [1, 3, 224, 224]} with a "dtype" where it is not float32.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.window import Window


@dataclass(frozen=True)
class ArraySpec:
    """An array argument without its values."""

    shape: tuple[int, ...]
    dtype: str = "float32"

    def with_batch(self, batch: int) -> ArraySpec:
        """The same for another length of the first axis."""
        return ArraySpec((batch, *self.shape[1:]), self.dtype)

    def __str__(self) -> str:
        return "x".join(map(str, self.shape)) or "scalar"


def describe(argument: Any) -> Any:
    """Replace the arrays in an argument by their specifications."""
    if isinstance(argument, np.ndarray):
        return ArraySpec(tuple(int(length) for length in argument.shape), str(argument.dtype))
    if isinstance(argument, list | tuple):
        return tuple(describe(item) for item in argument)
    if isinstance(argument, np.generic):
        return argument.item()
    return argument


def encode(arguments: Sequence[Any]) -> str:
    """Write specifications and plain values as one line of JSON."""
    return json.dumps([_to_json(argument) for argument in arguments], separators=(",", ":"))


def decode(text: str) -> tuple[Any, ...]:
    """Read what `encode` wrote."""
    return tuple(_from_json(argument) for argument in json.loads(text))


def _to_json(value: Any) -> Any:
    if isinstance(value, ArraySpec):
        dtype = {} if value.dtype == "float32" else {"dtype": value.dtype}
        return {"array": list(value.shape), **dtype}
    if isinstance(value, Window):
        return {
            "kernel": value.kernel,
            "stride": value.stride,
            "padding": value.padding,
            "dilation": value.dilation,
            "ceil_mode": value.ceil_mode,
        }
    if isinstance(value, tuple):
        return [_to_json(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"arguments must be arrays, windows, numbers or strings, got {type(value).__name__}")


def _from_json(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_from_json(item) for item in value)
    if isinstance(value, dict) and "array" in value:
        return ArraySpec(tuple(value["array"]), value.get("dtype", "float32"))
    if isinstance(value, dict):
        return Window.of(
            value["kernel"], value["stride"], value["padding"], value["dilation"], value["ceil_mode"]
        )
    return value


def label(arguments: Sequence[Any]) -> str:
    """Say the arguments briefly for people, e.g. "1x64x56x56, 64x64x3x3, pad 1"."""
    words = [_word(argument) for argument in arguments]
    return ", ".join(word for word in words if word)


def _word(value: Any) -> str:
    if isinstance(value, Window):
        return _window_word(value)
    if isinstance(value, tuple):
        return "(" + ", ".join(_word(item) or str(item) for item in value) + ")"
    if value is None or isinstance(value, bool):
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _window_word(window: Window) -> str:
    def sizes(values: Sequence[int]) -> str:
        return str(values[0]) if values[0] == values[1] else "x".join(map(str, values))

    words = ["k" + sizes(window.kernel)]
    if window.stride != (1, 1):
        words.append("stride " + sizes(window.stride))
    (top, bottom), (left, right) = window.padding
    if (top, left) == (bottom, right):
        words += ["pad " + sizes((top, left))] if top or left else []
    else:
        words.append(f"pad {top}+{bottom} x {left}+{right}")
    if window.dilation != (1, 1):
        words.append("dilation " + sizes(window.dilation))
    return " ".join(words)
