"""Results made by hand, as small as the report takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.cases import Case
from benchmarks.machine import SIZES, Peak
from benchmarks.results import Store
from benchmarks.shapes import of_network

PEAK = Peak(2, 200e9, dict.fromkeys(SIZES, 50e9), dict.fromkeys(SIZES, 40e9))


def header(benchmark: str) -> dict[str, Any]:
    return {
        "benchmark": benchmark,
        "machine": {"cpu": "A <CPU>", "vector_bits": 256, "python": "3.11", "packages": {"numpy": "2.4"}},
        "threads": 2,
        "quick": True,
        "sources": "abc",
        "date": "2026-01-01",
        "peak": PEAK.to_json(),
    }


def contender(median: float, version: str = "") -> dict[str, Any]:
    return {
        "median": median,
        "p20": median,
        "p80": median,
        "rounds": 5,
        "first_call": 0.1,
        "version": version,
        "performed_operations": 1000,
        "flops": 1000 / median,
        "bytes_per_second": 100 / median,
        "roofline": 0.5,
        "error_before": 1e-7,
        "error_after": 1e-7,
        "peak_bytes": 2**20,
    }


def with_ratios(contenders: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    for own in contenders.values():
        own["ratios"] = {name: own["median"] / other["median"] for name, other in contenders.items()}
    return contenders


def kernel_row(case: Case, ours: float, theirs: float) -> dict[str, Any]:
    return {
        "operation": case.operation,
        "forward": case.layer.operation,
        "network": case.layer.network,
        "layer": case.layer.key,
        "label": case.label,
        "batch": case.batch,
        "version": "cpu fast",
        "direct_operations": 1000,
        "bytes": 100,
        "intensity": 10.0,
        "bound": 1e-5,
        "contenders": with_ratios(
            {
                "minidnn": contender(ours, "cpu fast"),
                "minidnn reference loops": contender(50 * ours, "reference loops"),
                "pytorch": contender(theirs),
            }
        ),
    }


def network_row(network: str, ours: float, theirs: float, batch: int = 1) -> dict[str, Any]:
    times = {"minidnn": ours, "pytorch": theirs, "onnxruntime": theirs / 2}
    contenders = with_ratios({name: contender(median) for name, median in times.items()})
    return {"network": network, "batch": batch, "bound": 1e-4, "contenders": contenders}


def write(folder: Path, benchmark: str, rows: dict[str, Any]) -> Store:
    store = Store(folder / f"{benchmark}.json", header(benchmark), rows)
    store.write()
    return store


def inference_cases(network: str) -> list[Case]:
    """Every call of a network at batch 1, once."""
    layers = [layer for layer in of_network(network) if layer.mode == "inference"]
    return [Case(layer, layer.operation, 1) for layer in layers]
