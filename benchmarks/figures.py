"""What stored results say: ratios to PyTorch, scratch memory; read by targets and report."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import cost
from benchmarks.arguments import ArraySpec
from benchmarks.cases import EXTRA
from benchmarks.kernel_benchmark import OURS, PREPARED
from benchmarks.peers import EAGER
from benchmarks.results import Row, Store
from benchmarks.shapes import Layer, layers


@dataclass(frozen=True)
class Figure:
    """One measured number and what it belongs to."""

    label: str
    value: float


@dataclass
class Results:
    """All stored results of one machine.

    Attributes:
        stores: the files by benchmark; ladders under "ladder-OPERATION".
    """

    stores: dict[str, Store] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Results:
        """Read a folder (ValueError where there are no results)."""
        found = {path.stem: Store.read(path) for path in sorted(folder.glob("*.json"))}
        if not found:
            raise ValueError(f"{folder} has no results; measure first, e.g. python -m benchmarks kernels")
        return cls(found)

    def rows(self, benchmark: str) -> dict[str, Row]:
        """A benchmark's rows by key; none where it was not run."""
        return self.stores[benchmark].rows if benchmark in self.stores else {}

    def kernels(self, *operations: str) -> list[Row]:
        """The kernel rows of these operations."""
        return [row for row in self.rows("kernels").values() if row["operation"] in operations]


def ours_of(row: Row, prepared: bool = True) -> str:
    """Whose time counts as ours: on prepared weights where there is that step."""
    return PREPARED if prepared and PREPARED in row["contenders"] else OURS


def ratio(row: Row, ours: str | None = None, theirs: str = EAGER) -> float | None:
    """Their time divided by ours, None where one is missing."""
    name, contenders = ours or ours_of(row), row["contenders"]
    if name not in contenders or theirs not in contenders:
        return None
    return float(contenders[theirs]["ratios"][name])


def title(row: Row) -> str:
    """A kernel row for people."""
    where = f" ({row['network']})" if row["network"] else ""
    return f"{row['operation']} {row['label']}{where}"


def ratios(rows: Iterable[Row], prepared: bool = True) -> list[Figure]:
    """The rows' ratios to PyTorch eager."""
    found = [(title(row), ratio(row, ours_of(row, prepared))) for row in rows]
    return [Figure(label, value) for label, value in found if value is not None]


def summed(results: Results, *operations: str) -> list[Figure]:
    """The ratios of calls that belong together, such as both gradients: their times added up.

    Calls belong together when they come from the same layer at the same batch size; only whole groups count.
    """
    groups: dict[tuple[str, int], list[Row]] = {}
    for row in results.kernels(*operations):
        groups.setdefault((row["layer"], row["batch"]), []).append(row)
    found = []
    for rows in groups.values():
        whole = len(rows) == len(operations) and all(EAGER in row["contenders"] for row in rows)
        if whole:
            theirs, ours = (sum(row["contenders"][name]["median"] for row in rows) for name in (EAGER, OURS))
            found.append(Figure(title(rows[0]), theirs / ours))
    return found


def scratch(results: Results) -> list[Figure]:
    """What convolutions take beyond their result and a prepared weight, in MiB, where the system tells."""
    rows = results.kernels("conv2d_forward", "conv2d_backward_input", "conv2d_backward_weight")
    known = {layer.key: layer for layer in (*layers(), *EXTRA)}
    found = []
    for row in rows:
        contender = row["contenders"][ours_of(row)]
        if contender["peak_bytes"] is not None and row["layer"] in known:
            kept = _kept_bytes(row, known[row["layer"]], contender["version"])
            found.append(Figure(title(row), max(contender["peak_bytes"] - kept, 0) / 2**20))
    return found


def _kept_bytes(row: Row, layer: Layer, version: str) -> int:
    """What is no scratch: a convolution's result, and the weight that the input's gradient prepares.

    A forward pass is measured on a weight prepared beforehand.
    """
    x, weight, _, window = layer.arguments_for(row["batch"])[:4]
    shapes = {
        "conv2d_forward": (x.shape[0], weight.shape[0], *window.output_size(x.shape[2:])),
        "conv2d_backward_input": x.shape,
        "conv2d_backward_weight": weight.shape,
    }
    result = cost.moved_bytes((), (ArraySpec(shapes[row["operation"]]),))
    if row["operation"] != "conv2d_backward_input":
        return result
    return result + cost.moved_bytes((), (ArraySpec((cost.prepared_elements(weight, version),)),))


def network_ratios(results: Results, benchmark: str, ours: str = OURS, theirs: str = EAGER) -> list[Figure]:
    """The ratios of whole networks, at inference or in training."""
    rows = [row for key, row in results.rows(benchmark).items() if not key.endswith("memory")]
    found = [(row.get("network", ""), ratio(row, ours, theirs)) for row in rows]
    return [Figure(network, value) for network, value in found if value is not None]


def geometric_mean(figures: Iterable[Figure]) -> float:
    """exp(mean(log value)); NaN of nothing."""
    logs = [math.log(figure.value) for figure in figures]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan
