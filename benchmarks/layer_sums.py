"""Do the layers add up to the network? Sums of stored results, for the report."""

from __future__ import annotations

import math
from dataclasses import dataclass

from benchmarks.cases import Case
from benchmarks.figures import Results, ours_of
from benchmarks.kernel_benchmark import OURS
from benchmarks.peers import EAGER
from benchmarks.results import Row
from benchmarks.shapes import layers

# By this share of a network's time its parts, kernels in place and engine, may be off in sum.
SUM_MARGIN = 0.15
HEAD = (
    "network",
    "whose",
    "layers by themselves, ms",
    "layers in place, ms",
    "engine, ms",
    "network, ms",
    "in place + engine",
    "by themselves",
)


@dataclass(frozen=True)
class LayerSum:
    """A network's time, and its layers' times added up, in seconds.

    Attributes:
        network: the model.
        contender: whose times they are.
        layers: the sum over its kernel calls, each measured by itself, weighted by how often it is made.
        whole: the network measured as a whole.
        missing: calls that were not measured.
        parts: ours within the network, where that was measured.
    """

    network: str
    contender: str
    layers: float
    whole: float
    missing: int
    parts: Parts | None = None


@dataclass(frozen=True)
class Parts:
    """A pass of a network and what it consists of, measured in turn, in seconds.

    Attributes:
        kernels: all kernel calls in place.
        engine: the pass without them.
        whole: the pass.
    """

    kernels: float
    engine: float
    whole: float

    @property
    def difference(self) -> float:
        """By which share of the whole the parts' sum is off."""
        return (self.kernels + self.engine) / self.whole - 1

    @property
    def add_up(self) -> bool:
        """Whether they do, within the margin."""
        return abs(self.difference) <= SUM_MARGIN


def layer_sums(results: Results) -> list[LayerSum]:
    """Every measured network's sum of layers at batch 1, for us and PyTorch eager."""
    found = []
    for row in results.rows("networks").values():
        if row["batch"] == 1 and results.rows("kernels"):
            for contender in (OURS, EAGER):
                total, missing = _sum_of_layers(results, row["network"], contender)
                whole = row["contenders"][contender]["median"]
                parts = _parts(row) if contender == OURS else None
                found.append(LayerSum(row["network"], contender, total, whole, missing, parts))
    return found


def _parts(row: Row) -> Parts | None:
    measured = row.get("in_place")
    return Parts(measured["kernels"], measured["engine"], measured["whole"]) if measured else None


@dataclass(frozen=True)
class OperationSum:
    """An operation's calls in all measured networks, in seconds: by themselves, and in place."""

    operation: str
    calls: int
    alone: float
    in_place: float


def operation_sums(results: Results) -> list[OperationSum]:
    """What becomes of every operation's time within the networks at batch 1; the longest first."""
    sums: dict[str, OperationSum] = {}
    for row in results.rows("networks").values():
        if row["batch"] == 1 and "in_place" in row:
            for operation, measured in row["in_place"]["operations"].items():
                alone, missing = _sum_of_layers(results, row["network"], OURS, operation)
                before = sums.get(operation, OperationSum(operation, 0, 0.0, 0.0))
                sums[operation] = OperationSum(
                    operation,
                    before.calls + measured["calls"],
                    before.alone + (math.nan if missing else alone),
                    before.in_place + measured["seconds"],
                )
    return sorted(sums.values(), key=lambda each: -each.in_place)


def _sum_of_layers(
    results: Results, network: str, contender: str, operation: str | None = None
) -> tuple[float, int]:
    """Seconds of a network's calls, or of one operation's, each measured by itself; how many were not."""
    kernel_rows, total, missing = results.rows("kernels"), 0.0, 0
    for layer in layers():
        wanted = operation in (None, layer.operation)
        if layer.network == network and layer.mode == "inference" and wanted:
            row = kernel_rows.get(Case(layer, layer.operation, 1).key)
            name = ours_of(row) if row and contender == OURS else contender
            if row is None or name not in row["contenders"]:
                missing += layer.multiplicity
            else:
                total += layer.multiplicity * row["contenders"][name]["median"]
    return total, missing


def cells(each: LayerSum) -> tuple[str, ...]:
    """A row under `HEAD`; the last two cells are differences to the network's time."""
    parts = each.parts
    return (
        each.network,
        each.contender,
        f"{1e3 * each.layers:.2f}" + (f" ({each.missing} calls not measured)" if each.missing else ""),
        f"{1e3 * parts.kernels:.2f}" if parts else "",
        f"{1e3 * parts.engine:.2f}" if parts else "",
        f"{1e3 * (parts.whole if parts else each.whole):.2f}",
        f"{parts.difference:+.0%}{'' if parts.add_up else ' does not add up'}" if parts else "",
        f"{each.layers / each.whole - 1:+.0%}",
    )
