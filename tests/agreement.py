"""The agreement matrix: every operation, backend and version against `loops` in float64 and against PyTorch.

    python -m tests.agreement            measure, and write docs/agreement.md
    python -m tests.agreement --check    measure, and fail where the committed page says something else

The rows are the registry's, the arguments those of the sample tables: a new version or backend appears by
being registered. The gpu backend's run on the emulator of kernels/cuda. Where a column cannot be measured
(PyTorch is not installed, a backend does not run on this machine) the committed page's word stands.
"""

from __future__ import annotations

import argparse
import inspect
import math
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import kernels
from kernels import registry
from kernels.registry import Version
from tests.kernels import tables
from tests.kernels.cuda import transfer
from tests.kernels.sample import Draw, Sample

PAGE = Path(__file__).parent.parent / "docs" / "agreement.md"
SEED = 1
COLUMNS = ("float32", "float64", "PyTorch")
NOT_MEASURED = "not measured"
# The unit roundoff's order of magnitude. Smaller errors, and none, count as this one when pages are compared.
ROUNDOFF_ORDER = {"float32": -8, "float64": -16, "PyTorch": -16}

INTRODUCTION = """\
# Agreement

Every version of every operation, on every backend, run on the sample tables of tests/kernels (odd shapes,
unequal kernels and strides, groups, dilation, ragged windows, single pixels, empty batches) and compared
with:

- **float32**, **float64**: the `loops` reference in float64 on the same numbers, computed in that dtype;
- **PyTorch**: PyTorch's result (torchvision's for ROI operations) in float64, computed in float64.

An error is the largest difference over all samples and outputs, relative to the largest magnitude of the
output, as the nearest power of ten; *exact* means no difference at all. Integer outputs (indices, masks) and
the places of infinities and NaN must be equal. Versions of the gpu backend ran on the emulator of
kernels/cuda. Below each table stands what the operations promise at
the edges.

Written by `python -m tests.agreement`; `--check` fails when it no longer holds.
"""


@dataclass
class Row:
    """A version's line: its idea in words, and its errors as printed."""

    idea: str
    errors: dict[str, str]


@dataclass
class Page:
    """What the page says.

    Attributes:
        rows: by folder, operation, backend and version.
        edges: the edge contracts, by operation.
    """

    rows: dict[tuple[str, str, str, str], Row] = field(default_factory=dict)
    edges: dict[str, str] = field(default_factory=dict)


# ---- measuring -------------------------------------------------------------------------------------


def measure(operations: Sequence[str]) -> Page:
    """Run all versions of the given operations over their samples."""
    page = Page()
    by_operation: dict[str, list[Sample]] = {}
    for sample in tables.samples():
        by_operation.setdefault(sample.operation, []).append(sample)
    for operation in operations:
        contract = registry.contract(operation)
        page.edges[operation] = edge_contract(contract)
        versions = [row for row in registry.table() if row.operation == operation]
        worst = measure_operation(versions, by_operation.get(operation, []))
        folder = contract.__module__.split(".")[1]
        for version, errors in zip(versions, worst, strict=True):
            printed = {column: in_words(errors.get(column)) for column in COLUMNS}
            page.rows[folder, operation, version.backend, version.name] = Row(version.idea, printed)
    return page


def measure_operation(versions: Sequence[Version], samples: Sequence[Sample]) -> list[dict[str, float]]:
    """Each version's worst error by column; a column without any comparison is left out."""
    worst: list[dict[str, float]] = [{} for _ in versions]
    for sample in samples:
        truth = tables.truth(sample, SEED)
        wanted = {"float32": (np.float32, truth), "float64": (np.float64, truth)}
        oracle = torch_answer(sample)
        if oracle is not None:
            wanted["PyTorch"] = (np.float64, oracle)
        for version, errors in zip(versions, worst, strict=True):
            for column, (dtype, want) in wanted.items():
                got = run(version, sample, dtype)
                if got is not None:
                    error = difference(version, sample, got, want)
                    errors[column] = max(errors.get(column, 0.0), error)
    return worst


def run(version: Version, sample: Sample, dtype: Any) -> list[Any] | None:
    """What a version gives through the public contract, or None where the sample does not fit it."""
    arguments = list(sample.make(Draw(SEED, dtype)))
    if version.backend == "gpu":
        return transfer.run(version, sample, arguments) if shutil.which("g++") else None
    if not version.fits(*arguments):
        return None
    with kernels.use(backend=version.backend, **{version.operation: version.name}):
        return tables.outcome(registry.contract(version.operation), arguments, sample.writes)


def torch_answer(sample: Sample) -> list[Any] | None:
    """PyTorch's answer in float64, or None where it (or torchvision) is not installed."""
    try:
        oracle = tables.oracles()[sample.operation]
        return tables.outcome(oracle, sample.make(Draw(SEED, np.float64)), sample.writes)
    except ImportError:
        return None


def difference(version: Version, sample: Sample, got: list[Any], want: list[Any]) -> float:
    try:
        return tables.worst_error(got, want)
    except AssertionError as error:
        raise SystemExit(f"{sample}: {version.backend} {version.name} is wrong: {error}") from None


def edge_contract(contract: Callable[..., Any]) -> str:
    """The docstring's section "Edge contract:" as one line; empty where there is none."""
    text = inspect.getdoc(contract) or ""
    found = re.search(r"^Edge contract:(.*(?:\n[ \t]+\S.*)*)", text, re.MULTILINE)
    return " ".join(found[1].split()) if found else ""


def in_words(error: float | None) -> str:
    """The nearest power of ten, e.g. "1e-16"; "exact" for 0."""
    if error is None:
        return NOT_MEASURED
    return "exact" if error == 0 else f"1e{round(math.log10(error)):+03d}"


# ---- the page --------------------------------------------------------------------------------------


def render(page: Page) -> str:
    parts = [INTRODUCTION]
    for folder in dict.fromkeys(key[0] for key in page.rows):
        rows = {key: row for key, row in page.rows.items() if key[0] == folder}
        lines = [f"## {folder}", "", f"| operation | backend | version | idea | {' | '.join(COLUMNS)} |"]
        lines.append("| --- " * 4 + "| ---: " * len(COLUMNS) + "|")
        for (_, operation, backend, version), row in rows.items():
            errors = " | ".join(row.errors[column] for column in COLUMNS)
            idea = row.idea.replace("|", "\\|")
            lines.append(f"| `{operation}` | {backend} | `{version}` | {idea} | {errors} |")
        lines.append("")
        lines += [f"- `{name}`: {page.edges[name]}" for name in dict.fromkeys(key[1] for key in rows)]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def parse(text: str) -> Page:
    """Read a rendered page back."""
    page, folder = Page(), ""
    for line in text.splitlines():
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if line.startswith("## "):
            folder = line[3:]
        elif len(cells) == 4 + len(COLUMNS) and cells[0].startswith("`"):
            operation, backend, version, idea = cells[0].strip("`"), cells[1], cells[2].strip("`"), cells[3]
            errors = dict(zip(COLUMNS, cells[4:], strict=True))
            page.rows[folder, operation, backend, version] = Row(idea, errors)
        elif folder and (edge := re.fullmatch(r"- `(\w+)`: (.*)", line)):
            page.edges[edge[1]] = edge[2]
    return page


def keep_unmeasured(measured: Page, committed: Page) -> None:
    """Let the committed page's word stand for what could not be measured here."""
    for key, row in measured.rows.items():
        if key in committed.rows:
            for column, error in row.errors.items():
                if error == NOT_MEASURED:
                    row.errors[column] = committed.rows[key].errors[column]


def differences(measured: Page, committed: Page) -> list[str]:
    """What a reader of the committed page would be told wrongly, a line each."""
    found = [f"{' '.join(key)}: not on the page" for key in measured.rows if key not in committed.rows]
    found += [f"{' '.join(key)}: no longer registered" for key in committed.rows if key not in measured.rows]
    for key in measured.rows.keys() & committed.rows.keys():
        now, then = measured.rows[key], committed.rows[key]
        if now.idea != then.idea:
            found.append(f"{' '.join(key)}: the idea is {now.idea!r}, the page says {then.idea!r}")
        for column in COLUMNS:
            if not alike(column, now.errors[column], then.errors[column]):
                errors = f"{now.errors[column]}, the page says {then.errors[column]}"
                found.append(f"{' '.join(key)}: {column} error {errors}")
    for name, edge in measured.edges.items():
        if edge != committed.edges.get(name, edge):
            found.append(f"{name}: the edge contract is {edge!r}, the page says {committed.edges[name]!r}")
    return sorted(found)


def alike(column: str, now: str, then: str) -> bool:
    """Whether two printed errors say the same, to within one order of magnitude.

    The last bits depend on the processor: NumPy and BLAS choose their code (vector length, fused
    multiply-add) by what it can do. So 3.1e-16 on one machine is 3.2e-16 on the next, and prints as the next
    power of ten; a sum that is exact on one is off by a rounding on the other. A wrong formula or a lost
    digit shows as more than that.
    """
    if NOT_MEASURED in (now, then):
        return now == then
    least = ROUNDOFF_ORDER[column]
    orders = [least if error == "exact" else max(int(error[2:]), least) for error in (now, then)]
    return abs(orders[0] - orders[1]) <= 1


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.agreement", description="The agreement matrix.")
    parser.add_argument("--check", action="store_true", help="compare with the committed page, write nothing")
    check = parser.parse_args(arguments).check
    text = PAGE.read_text() if PAGE.is_file() else ""
    committed = parse(text)
    measured = measure(kernels.operations())
    keep_unmeasured(measured, committed)
    if not check:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(render(measured))
        print(f"{len(measured.rows)} rows written to {PAGE.relative_to(PAGE.parent.parent)}")
        return 0
    found = differences(measured, committed)
    if not found and render(committed) != text:
        found = ["the page was edited by hand or its form has changed"]
    for line in found:
        print(line)
    if found:
        print(f"{len(found)} differences from docs/agreement.md; `python -m tests.agreement` writes it anew")
        return 1
    print(f"docs/agreement.md holds: {len(measured.rows)} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
