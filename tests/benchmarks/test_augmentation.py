"""The augmentation benchmark's row, on a step that does nothing."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from benchmarks import augmentation_benchmark
from benchmarks.measuring import QUICK
from benchmarks.results import FOLDER, Store

pytest.importorskip("PIL")


@pytest.mark.parametrize(
    "file", sorted(FOLDER.glob("*/augmentation.json")), ids=lambda file: file.parent.name
)
def test_in_the_committed_results_augmentation_is_no_bottleneck(file) -> None:
    (row,) = Store.read(file).rows.values()
    assert row["loader, images/s"] > 5 * row["step on a batch in memory, images/s"]
    assert row["fed / in memory"] > 0.85


def test_the_row_has_everybodys_speed(monkeypatch) -> None:
    seen = []

    def step(images, labels) -> None:
        seen.append((images.shape, images.dtype.name, labels.shape))
        time.sleep(0.02)

    monkeypatch.setattr(augmentation_benchmark, "_step", lambda: step)
    monkeypatch.setattr(augmentation_benchmark, "DELIVERED", 1)
    monkeypatch.setattr(augmentation_benchmark, "CALLS", 1)
    row = augmentation_benchmark.measure(replace(QUICK, seconds=0.001))
    assert set(seen) == {((8, 3, 224, 224), "float32", (8,))}
    assert row["loader, images/s"] > 0
    in_memory = row["step on a batch in memory, images/s"]
    assert 0 < in_memory < 8 / 0.02
    assert 0 < row["fed / in memory"] < 1.5
    assert {"decoding", "RandomResizedCrop", "ColorJitter of hue", "Normalize"} <= row["ms per image"].keys()
    assert all(milliseconds > 0 for milliseconds in row["ms per image"].values())
