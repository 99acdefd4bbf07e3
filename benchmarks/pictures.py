"""The report's pictures: the roofline, ratios per network, and the ladder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from benchmarks.figures import Results, ours_of, ratio
from benchmarks.kernel_benchmark import OURS
from benchmarks.machine import Peak
from benchmarks.network_benchmark import FUSED, ONNX
from benchmarks.peers import CHANNELS_LAST, EAGER
from benchmarks.results import Row, Store

# Colours that people who see no red or green tell apart.
BLUE, ORANGE, GREY, GREEN, PURPLE = "#0072b2", "#e69f00", "#8c8c8c", "#009e73", "#cc79a7"
COLOURS = {OURS: BLUE, FUSED: GREEN, EAGER: GREY, CHANNELS_LAST: ORANGE, ONNX: PURPLE}
DPI = 110


def draw(results: Results, folder: Path) -> list[Path]:
    """Draw what the results allow into `folder`, and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures: dict[str, Picture] = {}
    if results.rows("kernels"):
        pictures["roofline"] = roofline(results.stores["kernels"])
    if results.rows("networks"):
        pictures["networks"] = network_bars(list(results.rows("networks").values()))
    for name, store in results.stores.items():
        if name.startswith("ladder-") and store.rows:
            pictures[name] = ladder_chart(list(store.rows.values()))
    paths = []
    for name, picture in pictures.items():
        path = folder / f"{name}.png"
        picture.savefig(path, dpi=DPI)
        plt.close(picture)
        paths.append(path)
    return paths


def roofline(store: Store) -> Picture:
    """A dot per layer and direction: operations performed per byte against operations per second."""
    peak = Peak.from_json(store.header["peak"])
    picture, axes = plt.subplots(figsize=(9, 5.5), layout="constrained")
    marks = {"forward": "o", "backward_input": "^", "backward_weight": "s"}
    greatest = 1.0
    for name, colour in ((EAGER, GREY), (OURS, BLUE)):
        for direction, mark in marks.items():
            dots = [_dot(row, name) for row in store.rows.values() if row["operation"].endswith(direction)]
            found = [dot for dot in dots if dot is not None]
            if found:
                intensity, rate = np.array(found).T
                greatest = max(greatest, float(intensity.max()))
                label = f"{name}, {direction.replace('_', ' ')}"
                axes.scatter(
                    intensity, rate / 1e9, s=16, c=colour, marker=mark, alpha=0.55, lw=0, label=label
                )
    _roofs(axes, peak, greatest)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("operations performed per byte moved")
    axes.set_ylabel("GFLOP/s")
    axes.set_title(f"Layers under the measured roof ({peak.threads} threads)")
    axes.grid(alpha=0.25, which="both", lw=0.5)
    axes.legend(fontsize=8, loc="lower right")
    return picture


def _dot(row: Row, contender: str) -> tuple[float, float] | None:
    """(operations per byte, operations per second) of a row that has operations."""
    name = ours_of(row) if contender == OURS else contender
    found = row["contenders"].get(name)
    if found is None or not row["direct_operations"]:
        return None
    return found["performed_operations"] / row["bytes"], found["flops"]


def _roofs(axes: Axes, peak: Peak, greatest: float) -> None:
    """The line for data in memory, and the one for data in the fastest cache, both up to the peak."""
    intensity = np.geomspace(0.2, 2 * greatest, 200)
    for size, style, label in (
        (max(peak.bandwidth), "-", "memory"),
        (min(peak.bandwidth), "--", "first-level cache"),
    ):
        rate = np.minimum(peak.flops, intensity * peak.bandwidth[size])
        axes.plot(intensity, rate / 1e9, "k" + style, lw=1, label=f"roof, data in {label}")


def network_bars(rows: Sequence[Row]) -> Picture:
    """PyTorch eager's time divided by each contender's, network by network."""
    names = [OURS, FUSED, CHANNELS_LAST, ONNX]
    shown = [name for name in names if any(name in row["contenders"] for row in rows)]
    picture, axes = plt.subplots(figsize=(10, 4.8), layout="constrained")
    width = 0.8 / len(shown)
    for i, name in enumerate(shown):
        # contenders[EAGER].ratios[name] is eager's time over name's.
        values = [ratio(row, name) or math.nan for row in rows]
        places = np.arange(len(rows)) + (i - (len(shown) - 1) / 2) * width
        bars = axes.bar(places, values, width, color=COLOURS[name], label=name)
        axes.bar_label(bars, [f"{v:.1f}" for v in values], fontsize=7, padding=1)
    axes.axhline(1, color=GREY, lw=1)
    axes.set_xticks(range(len(rows)), [row["network"] for row in rows], rotation=25, ha="right")
    axes.set_ylabel("times as fast as PyTorch eager")
    axes.set_title(f"Inference, batch {rows[0]['batch']}")
    axes.legend(fontsize=8, ncols=len(shown), loc="upper left")
    axes.margins(y=0.18)
    return picture


def ladder_chart(rows: Sequence[Row]) -> Picture:
    """Speed of every version on every forward layer, PyTorch's beside it; the axis is logarithmic."""
    forward = [row for row in rows if row["operation"] == row["forward"]]
    names = list(dict.fromkeys(_rung(name, c) for row in forward for name, c in row["contenders"].items()))
    ours = sorted((name for name in names if name.startswith(("reference", "cpu"))), key=_rank(forward))
    names = [*ours, *(name for name in names if name not in ours)]
    shades = plt.get_cmap("Blues")(np.linspace(0.3, 0.95, len(ours)))
    colours = [*shades, *(COLOURS.get(name, PURPLE) for name in names[len(ours) :])]
    picture, axes = plt.subplots(figsize=(10, 5), layout="constrained")
    width = 0.8 / len(names)
    unit = "GFLOP/s" if any(row["direct_operations"] for row in forward) else "GB/s"
    for i, (name, colour) in enumerate(zip(names, colours, strict=True)):
        values = [_speed(row, name, unit) for row in forward]
        places = np.arange(len(forward)) + (i - (len(names) - 1) / 2) * width
        axes.bar(places, values, width, color=colour, label=name)
    axes.set_yscale("log")
    axes.set_xticks(range(len(forward)), [_short(row["label"]) for row in forward], fontsize=8)
    axes.set_ylabel(f"{unit}, counting the direct algorithm")
    axes.set_title(f"The ladder of {forward[0]['forward']}")
    picture.legend(fontsize=8, ncols=4, loc="outside lower center")
    return picture


def _rung(name: str, contender: dict[str, Any]) -> str:
    """Ours by version: the default does not stand apart from its rung. Prepared ones by themselves."""
    version = contender["version"]
    return f"{version} prepared" if version and name.endswith("prepared") else str(version or name)


def _rank(rows: Sequence[Row]) -> Any:
    """Orders versions from slow to fast, by their median over the layers."""

    def speed(name: str) -> float:
        values = [_speed(row, name, "GFLOP/s" if row["direct_operations"] else "GB/s") for row in rows]
        return float(np.nanmedian(values)) if not all(map(math.isnan, values)) else math.inf

    return speed


def _speed(row: Row, rung: str, unit: str) -> float:
    work = row["direct_operations"] if unit == "GFLOP/s" else row["bytes"]
    medians = [c["median"] for name, c in row["contenders"].items() if _rung(name, c) == rung]
    return work / min(medians) / 1e9 if medians else math.nan


def _short(label: str) -> str:
    """A layer's label, a line for each argument."""
    return label.replace(", ", "\n")
