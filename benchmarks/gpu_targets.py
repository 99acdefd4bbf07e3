"""What is to be reached on a GPU, as data. Ratios are PyTorch's time divided by ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.figures import Figure, Results, ratio, title
from benchmarks.gpu_benchmark import LARGE, NETWORKS, SUMS
from benchmarks.kernel_benchmark import OURS
from benchmarks.peers import EAGER
from benchmarks.results import Row
from benchmarks.targets import EACH, MEAN, Target

BENCHMARK, TRAINING = "gpu", "gpu_training"


def _memory_bound(results: Results) -> list[Row]:
    rows = results.rows(BENCHMARK).values()
    return [row for row in rows if row["operation"] not in SUMS and row["bytes"] >= LARGE]


def _copy_shares(results: Results) -> list[Figure]:
    return [Figure(title(row), row["contenders"][OURS]["copy_share"]) for row in _memory_bound(results)]


def _against_pytorch(results: Results) -> list[Figure]:
    found = [(title(row), ratio(row, OURS, EAGER)) for row in _memory_bound(results)]
    return [Figure(label, value) for label, value in found if value is not None]


def _convolutions(ours: str, way: str) -> Callable[[Results], list[Figure]]:
    """Forward convolutions of the networks."""

    def found(results: Results) -> list[Figure]:
        rows = results.rows(BENCHMARK).values()
        chosen = [row for row in rows if row["operation"] == "conv2d_forward" and row["network"] in NETWORKS]
        return _against_the_better(chosen, title, ours, way)

    return found


def _training(ours: str, way: str) -> Callable[[Results], list[Figure]]:
    """Training steps of whole networks."""

    def found(results: Results) -> list[Figure]:
        rows = list(results.rows(TRAINING).values())
        return _against_the_better(rows, lambda row: f"{row['network']} batch {row['batch']}", ours, way)

    return found


def _against_the_better(
    rows: Sequence[Row], label: Callable[[Row], str], ours: str, way: str
) -> list[Figure]:
    """Ours against the better of PyTorch's two: as it is, and autotuned."""
    found = []
    for row in rows:
        values = [ratio(row, ours, theirs) for theirs in (way, f"{way} autotuned")]
        known = [value for value in values if value is not None]
        found += [Figure(label(row), min(known))] if known else []
    return found


TARGETS = (
    Target("bound by memory, 64 MB and more: share of the copy bandwidth", EACH, 0.85, _copy_shares),
    Target("bound by memory, 64 MB and more: against PyTorch", EACH, 1.0, _against_pytorch),
    Target("conv2d of ResNet-50 and VGG-16, float32", MEAN, 0.8, _convolutions(OURS, EAGER)),
    Target("conv2d of ResNet-50 and VGG-16, TF32", MEAN, 0.6, _convolutions(f"{OURS} tf32", f"{EAGER} tf32")),
    Target("training step, float32", EACH, 0.7, _training(OURS, EAGER)),
    Target("training step, TF32", EACH, 0.7, _training(f"{OURS} tf32", f"{EAGER} tf32")),
)
