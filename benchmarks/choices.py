"""Does the default run the fastest version? The table of choices and the rules' numbers, from stored results.

The default goes by short rules (`pays` of a version) rather than by a table that only knows the shapes that
were measured. The rules' numbers come from here: every candidate for a number is put in, the rules choose
for every call that `python -m benchmarks kernels` has timed, and the times of what they choose are compared.
"""

from __future__ import annotations

import csv
import importlib
import io
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import geometric_mean
from typing import Any

import numpy as np

from benchmarks.arguments import ArraySpec, decode
from benchmarks.cases import BACKWARD
from benchmarks.figures import Results
from benchmarks.kernel_benchmark import OURS, PREPARED
from benchmarks.results import Row
from kernels import registry
from kernels.conv2d import conv2d_prepare_weight

TABLE, PAGE = "choices.csv", "choices.md"
# Within this share of the fastest time a choice counts as right: repeated measurements differ by as much.
CLOSE = 0.05
# Choices that cost more than this are listed one by one.
LISTED = 0.15


@dataclass(frozen=True)
class Choice:
    """A measured call and what its versions took.

    Attributes:
        key: the row's key: operation and arguments.
        operation: the contract.
        label: the arguments for people.
        seconds: median time by version; only versions of the default's backend.
        default: the version that ran by default when it was measured.
    """

    key: str
    operation: str
    label: str
    seconds: dict[str, float]
    default: str

    @property
    def fastest(self) -> str:
        return min(self.seconds, key=self.seconds.__getitem__)

    def slowdown(self, version: str) -> float:
        """The version's time divided by the fastest's; infinite where it was too slow to be timed."""
        return self.seconds.get(version, math.inf) / self.seconds[self.fastest]


@dataclass(frozen=True)
class Number:
    """A number in the rules.

    Attributes:
        module: where it stands.
        name: the constant.
        operations: whose choice it takes part in.
        candidates: values to compare.
    """

    module: str
    name: str
    operations: tuple[str, ...]
    candidates: tuple[int, ...]

    @property
    def current(self) -> int:
        return int(getattr(importlib.import_module(self.module), self.name))


NUMBERS = (
    Number(
        "kernels.conv2d.cpu_winograd",
        "FEWEST_CHANNELS",
        ("conv2d_forward", "conv2d_backward_input", "conv2d_backward_weight"),
        (1, 4, 8, 16, 32, 64, 128),
    ),
    Number(
        "kernels.conv2d.cpu_winograd",
        "FEWEST_COLD",
        ("conv2d_backward_input",),
        (1, 64, 128, 256, 512, 1024, 4096),
    ),
    Number(
        "kernels.conv2d.cpu_winograd",
        "SMALLEST_LAYER",
        ("conv2d_backward_input",),
        (1, 2**16, 2**18, 2**20, 2**22, 2**24),
    ),
    Number(
        "kernels.conv2d.cpu_winograd_weight",
        "SMALLEST_LAYER",
        ("conv2d_backward_weight",),
        (1, 2**16, 2**18, 2**20, 2**22, 2**24, 2**26),
    ),
)


def choices(results: Results) -> list[Choice]:
    """The measured calls for which more than one version was timed; a convolution on prepared weights."""
    found = [_choice(key, row) for key, row in results.rows("kernels").items()]
    return [choice for choice in found if len(choice.seconds) > 1]


def _choice(key: str, row: Row) -> Choice:
    contenders = row["contenders"]
    ending = " prepared" if PREPARED in contenders else ""
    default = contenders[PREPARED if ending else OURS]
    seconds = {default["version"]: default["median"]}
    for name, contender in contenders.items():
        if name.startswith(f"{OURS} ") and name.endswith(ending) and name != PREPARED:
            seconds[contender["version"]] = contender["median"]
    return Choice(key, row["operation"], row["label"], seconds, default["version"])


# --- what the rules would choose


def chosen_now(choice: Choice) -> str:
    """The version that today's rules choose for the call."""
    contract, arguments = _question(choice.key)
    version = registry.choose(contract, *arguments)
    return f"{version.backend} {version.name}"


@cache
def _question(key: str) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """What the registry is asked for a convolution's call; the arrays are never read."""
    operation, _, text = key.partition(" ")
    x, weight, bias, window, groups = (_empty(argument) for argument in decode(text))
    if operation == "conv2d_forward":
        return conv2d_prepare_weight, (weight, x.shape, window, groups)
    grad_output = np.empty((x.shape[0], weight.shape[0], *window.output_size(x.shape[2:])), x.dtype)
    backward = BACKWARD["conv2d_forward"][operation]
    return registry.contract(operation), backward((x, weight, bias, window, groups), [], grad_output)


def _empty(argument: Any) -> Any:
    return np.empty(argument.shape, argument.dtype) if isinstance(argument, ArraySpec) else argument


@contextmanager
def with_number(number: Number, value: int) -> Iterator[None]:
    """The rules with another number."""
    module, before = importlib.import_module(number.module), number.current
    setattr(module, number.name, value)
    try:
        yield
    finally:
        setattr(module, number.name, before)


def trial(number: Number, measured: Sequence[Choice]) -> dict[int, float]:
    """For every candidate: how many times longer than the fastest versions what the rules choose takes.

    The geometric mean over the calls of the number's operations; the current value is among the candidates.
    """
    concerned = [choice for choice in measured if choice.operation in number.operations]
    if not concerned:
        return {}
    costs = {}
    for value in sorted({*number.candidates, number.current}):
        with with_number(number, value):
            costs[value] = geometric_mean([c.slowdown(chosen_now(c)) for c in concerned])
    return costs


# --- the files


def write(folder: Path) -> list[Path]:
    """Write the table and the page beside the results (ValueError where no kernels were measured)."""
    measured = choices(Results.read(folder))
    if not measured:
        raise ValueError(f"{folder} has no kernels with several versions; run python -m benchmarks kernels")
    table, page = folder / TABLE, folder / PAGE
    table.write_text(_table(measured))
    page.write_text(_page(measured))
    return [table, page]


def _table(measured: Sequence[Choice]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("operation", "arguments", "default", "fastest", "slowdown", "microseconds by version"))
    for choice in measured:
        times = "; ".join(f"{version} {1e6 * taken:.0f}" for version, taken in choice.seconds.items())
        slowdown = f"{choice.slowdown(choice.default):.2f}"
        writer.writerow(
            (choice.operation, choice.label, choice.default, choice.fastest, slowdown, times),
        )
    return text.getvalue()


def _page(measured: Sequence[Choice]) -> str:
    lines = [
        "# What the default chooses, and what that costs",
        "",
        f"Made by `python -m benchmarks choices` from kernels.json; every call is in {TABLE}. A slowdown is",
        "the default's time divided by that of the fastest version; convolutions run on prepared weights.",
        "",
        f"| operation | calls | fastest within {CLOSE:.0%} | mean slowdown | worst |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [_operation_line(name, group) for name, group in _by_operation(measured).items()]
    lines += ["", "## The rules' numbers", ""]
    lines += [f"- {_trial_line(number, measured)}" for number in NUMBERS]
    lines += ["", f"## Choices that cost more than {LISTED:.0%}", ""]
    lines += [_costly_line(choice) for choice in _costly(measured)] or ["None."]
    return "\n".join(lines) + "\n"


def _by_operation(measured: Sequence[Choice]) -> dict[str, list[Choice]]:
    groups: dict[str, list[Choice]] = {}
    for choice in measured:
        groups.setdefault(choice.operation, []).append(choice)
    return dict(sorted(groups.items()))


def _operation_line(name: str, group: Sequence[Choice]) -> str:
    slowdowns = [choice.slowdown(choice.default) for choice in group]
    right = sum(slowdown <= 1 + CLOSE for slowdown in slowdowns)
    cells = (name, len(group), right, f"{geometric_mean(slowdowns):.3f}", f"{max(slowdowns):.2f}")
    return "| " + " | ".join(map(str, cells)) + " |"


def _trial_line(number: Number, measured: Sequence[Choice]) -> str:
    costs = trial(number, measured)
    said = ", ".join(
        f"**{value}: {cost:.3f}**" if value == number.current else f"{value}: {cost:.3f}"
        for value, cost in costs.items()
    )
    return f"`{number.name}` in {number.module} (mean slowdown by its value; bold: in force): {said}"


def _costly(measured: Sequence[Choice]) -> list[Choice]:
    costly = [choice for choice in measured if choice.slowdown(choice.default) > 1 + LISTED]
    return sorted(costly, key=lambda choice: -choice.slowdown(choice.default))


def _costly_line(choice: Choice) -> str:
    return (
        f"- {choice.operation} {choice.label}: {choice.default} takes {choice.slowdown(choice.default):.2f} "
        f"times as long as {choice.fastest}"
    )
