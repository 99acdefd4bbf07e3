"""The arguments of explanations and of the cost calculator: their types, and how they are read from text."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, get_type_hints

Size: TypeAlias = int | tuple[int, ...]  # one number for all axes, or one for each
Padding: TypeAlias = int | tuple[int, ...] | str  # also "same" or "valid"
_NUMBERS = re.compile(r"-?\d+(?:[x,]-?\d+)*")


def parse(name: str, function: Callable[..., Any], words: Sequence[str]) -> dict[str, Any]:
    """Return the keyword arguments of `function` that the words `--kernel-size 3 --no-bias` stand for.

    Raises:
        ValueError: an argument that the function does not have (with one that is near), a value that is no
            such value, or one that is missing.
    """
    hints = get_type_hints(function)
    known = list(inspect.signature(function).parameters)
    given: dict[str, Any] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        option, _, attached = word.partition("=")
        argument = _argument(name, option, known, hints)
        if hints[argument] is bool:
            given[argument] = not option.startswith("--no-")
            continue
        if not attached and not rest:
            raise ValueError(f"{option} of {name} needs a value, such as {_sample(hints[argument])}")
        given[argument] = _value(option, attached or rest.pop(0), hints[argument])
    return given


def shown(arguments: Mapping[str, Any]) -> dict[str, str]:
    """Arguments as they are typed: {"--kernel-size": "3x3"}; a flag that is off is "--no-bias": ""."""
    texts: dict[str, str] = {}
    for name, value in arguments.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            texts[f"--{option}" if value else f"--no-{option}"] = ""
        else:
            texts[f"--{option}"] = "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return texts


def suggestion(name: str, known: Mapping[str, str]) -> str:
    """Those of the known whose keys are near the name, as the end of a sentence, or nothing."""
    near = dict.fromkeys(known[key] for key in difflib.get_close_matches(name, known, n=3, cutoff=0.5))
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _argument(name: str, option: str, known: Sequence[str], hints: Mapping[str, Any]) -> str:
    """The parameter that an option names."""
    plain = option.removeprefix("--").replace("-", "_")
    if option.startswith("--") and plain in known:
        return plain
    without = plain.removeprefix("no_")
    if option.startswith("--no-") and without in known and hints[without] is bool:
        return without
    options = {f"--{parameter.replace('_', '-')}": f"--{parameter.replace('_', '-')}" for parameter in known}
    near = suggestion(option, options) or f"; it has {' '.join(options)}"
    raise ValueError(f"{name} has no argument {option!r}{near}")


def _value(option: str, text: str, hint: Any) -> Any:
    """A text as a value of the hinted type."""
    wrong = ValueError(f"{option} must be {_wanted(hint)} like {_sample(hint)}, got {text!r}")
    if hint is str:
        return text
    if hint in (int, float):
        try:
            return hint(text)
        except ValueError:
            raise wrong from None
    if _NUMBERS.fullmatch(text):
        numbers = tuple(int(part) for part in re.split("[x,]", text))
        return numbers[0] if len(numbers) == 1 else numbers
    if hint == Padding and text.isalpha():
        return text
    raise wrong


def _wanted(hint: Any) -> str:
    if hint is int:
        return "an integer"
    return "a number" if hint is float else "an integer or one for each axis"


def _sample(hint: Any) -> str:
    samples = {int: "3", float: "0.5", str: "mean"}
    return samples.get(hint, "3 or 3x2")
