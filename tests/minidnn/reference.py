"""PyTorch's answers to cases of the tables, stored for machines that do not have it.

    python -m tests.minidnn.reference        (with torch and torchvision)

writes tests/minidnn/references/TABLE_FAMILY.safetensors. A file holds, for each of its cases, the inputs,
upstream gradients, outputs, gradients and (of modules) the state before and after, and says which versions
made it. Inputs and upstream gradients are stored rather than drawn again, for NumPy may change its random
streams. Of every function and module the smallest cases are kept, as many as fit into a few kilobytes.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from tests.kernels.sample import Draw
from tests.minidnn.case import Answer, Case, ModuleCase, leaves, map_arrays, upstreams

FOLDER = Path(__file__).parent / "references"
TABLES = ("functional", "nn")
# Bytes per function or module; its smallest case is kept in any case.
BUDGET = 12_000
MAKERS = ("torch", "torchvision", "numpy")


@dataclass
class Reference:
    """A case's arrays.

    Attributes:
        inputs: all arrays among the case's inputs, in order.
        upstreams: the gradients sent into the outputs, by the output's number.
        outputs: PyTorch's, in float64.
        gradients: of inputs and parameters, by name; those that PyTorch leaves out are missing.
        before, after: a module's state around the call.
    """

    inputs: list[np.ndarray] = field(default_factory=list)
    upstreams: dict[int, np.ndarray] = field(default_factory=dict)
    outputs: list[np.ndarray] = field(default_factory=list)
    gradients: dict[str, np.ndarray] = field(default_factory=dict)
    before: dict[str, np.ndarray] = field(default_factory=dict)
    after: dict[str, np.ndarray] = field(default_factory=dict)

    def arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        """All arrays, named as in a file."""
        for kind, named in vars(self).items():
            items = named.items() if isinstance(named, dict) else enumerate(named)
            for name, array in items:
                yield f"{kind} {name}", array

    def add(self, name: str, array: np.ndarray) -> None:
        """Take an array by its name in a file; those of a list come in order."""
        kind, _, key = name.partition(" ")
        if kind in ("inputs", "outputs"):
            getattr(self, kind).append(array)
        else:
            getattr(self, kind)[int(key) if kind == "upstreams" else key] = array

    def size(self) -> int:
        return sum(array.nbytes for _, array in self.arrays())

    def fill(self, case: Case | ModuleCase, dtype: Any) -> Sequence[Any]:
        """The case's inputs with the stored arrays in place of drawn ones, floating ones as `dtype`."""
        stored = iter(self.inputs)

        def next_array(_: np.ndarray) -> np.ndarray:
            array = next(stored)
            return array.astype(dtype) if array.dtype.kind == "f" else array

        return map_arrays(next_array, list(case.inputs(Draw(5, np.float64))))

    def draw_upstreams(self, outputs: Sequence[np.ndarray]) -> list[np.ndarray | None]:
        """The stored upstream gradients in place of random ones."""
        return [
            self.upstreams[number].astype(output.dtype) if number in self.upstreams else None
            for number, output in enumerate(outputs)
        ]

    def answer(self, names: Sequence[str]) -> Answer:
        """PyTorch's answer with a gradient, or None, under each of the names."""
        return Answer(self.outputs, {name: self.gradients.get(name) for name in names})


def tables() -> dict[str, list[Any]]:
    """The cases by file name, e.g. "functional_pooling"."""
    found = {}
    for table in TABLES:
        package = f"tests.minidnn.{table}.cases"
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
            found[f"{table}_{module.name}"] = importlib.import_module(f"{package}.{module.name}").CASES
    return found


def subject(case: Case | ModuleCase) -> str:
    """The function or module that a case is about."""
    return case.function if isinstance(case, Case) else case.module


# ---- reading ---------------------------------------------------------------------------------------


def read(name: str) -> dict[str, Reference]:
    """The references in a file, by case; none if the file is missing."""
    references: dict[str, Reference] = {}
    path = FOLDER / f"{name}.safetensors"
    if path.is_file():
        with safe_open(path, "np") as file:
            for key in sorted(file.keys(), key=_in_order):
                case, _, what = key.rpartition("/")
                references.setdefault(case, Reference()).add(what, file.get_tensor(key))
    return references


def _in_order(key: str) -> tuple[int, str]:
    return len(key), key


def made_by(name: str) -> str:
    """The command and the versions that wrote a file."""
    with safe_open(FOLDER / f"{name}.safetensors", "np") as file:
        return str(file.metadata()["made by"])


# ---- making ----------------------------------------------------------------------------------------


def make(case: Case | ModuleCase) -> Reference:
    """Ask PyTorch. ImportError where it, or torchvision, is not to be had."""
    from tests.minidnn import torch_answers

    inputs = case.inputs(Draw(5, np.float64))
    before: Mapping[str, np.ndarray] = {}
    after: Mapping[str, np.ndarray] = {}
    if isinstance(case, Case):
        answer = torch_answers.function_answer(case, inputs)
    else:
        answer, before, after = torch_answers.module_answer(case, inputs)
    sent = {n: u for n, u in enumerate(upstreams(answer.outputs)) if u is not None}
    return Reference(
        inputs=[_smallest(array) for array in leaves(list(inputs), np.ndarray)],
        upstreams={number: _smallest(upstream) for number, upstream in sent.items()},
        outputs=answer.outputs,
        gradients={name: gradient for name, gradient in answer.gradients.items() if gradient is not None},
        before={name: _smallest(value) for name, value in before.items()},
        after={name: value for name, value in after.items() if not np.array_equal(value, before[name])},
    )


def _smallest(array: np.ndarray) -> np.ndarray:
    """Drawn numbers are exact in float32; others keep their dtype."""
    if array.dtype == np.float64 and np.array_equal(array.astype(np.float32), array, equal_nan=True):
        return array.astype(np.float32)
    return array


def choose(made: Mapping[str, tuple[str, Reference]]) -> dict[str, Reference]:
    """Of the references by case, each with its subject: each subject's smallest, within the budget."""
    spent: dict[str, int] = {}
    chosen = {}
    for case, (about, reference) in sorted(made.items(), key=lambda item: item[1][1].size()):
        size = reference.size()
        if about not in spent or spent[about] + size <= BUDGET:
            spent[about] = spent.get(about, 0) + size
            chosen[case] = reference
    return {case: chosen[case] for case in made if case in chosen}


def write(name: str, references: Mapping[str, Reference]) -> int:
    """Write a file and return its size."""
    arrays = {
        f"{case}/{what}": np.ascontiguousarray(array).reshape(array.shape)
        for case, reference in references.items()
        for what, array in reference.arrays()
    }
    versions = ", ".join(f"{package} {version(package)}" for package in MAKERS)
    path = FOLDER / f"{name}.safetensors"
    # One entry only: the order of several differs from run to run.
    save_file(arrays, path, metadata={"made by": f"python -m tests.minidnn.reference with {versions}"})
    return path.stat().st_size


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    total = 0
    for path in FOLDER.glob("*.safetensors"):
        path.unlink()
    for name, cases in tables().items():
        made = {str(case): (subject(case), make(case)) for case in cases}
        if len(made) != len(cases):
            raise SystemExit(f"{name}: two cases have the same name")
        chosen = choose(made)
        size = write(name, chosen) if chosen else 0
        total += size
        print(f"{name}: {len(chosen)} of {len(cases)} cases, {size / 1000:.0f} kB")
    print(f"{total / 1000:.0f} kB in all")


if __name__ == "__main__":
    main()
