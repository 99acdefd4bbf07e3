"""The applications at digit scale: what their committed tables say, and that a short run makes one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.examples.script import EXAMPLES, load_example, rows


def column(name: str, key: str, value: str) -> dict[str, float]:
    """A column of a committed table by another one; empty cells left out."""
    return {row[key]: float(row[value]) for row in rows(EXAMPLES / f"{name}.csv") if row[value]}


def test_super_resolution_is_better_than_interpolation() -> None:
    psnr = column("super_resolution", "method", "psnr")
    recognised = column("super_resolution", "method", "recognised")
    assert psnr["network"] > psnr["bilinear"] + 2
    assert recognised["truth"] > recognised["network"] > recognised["bilinear"]


def test_colours_are_right_for_most_digits() -> None:
    psnr, right = (column("colourisation", "method", value) for value in ("psnr", "right_ink"))
    assert right["network"] > 0.9
    assert right["truth"] == 1
    assert psnr["network"] > max(psnr["grey"], psnr["mean colour"]) + 6


def test_sounds_are_told_apart_under_noise() -> None:
    table = rows(EXAMPLES / "spectrograms.csv")
    assert {row["noise"] for row in table} == {"1", "2", "4"}
    for noise, least in (("1", 0.95), ("2", 0.75)):
        reached = {row["classifier"]: float(row["accuracy"]) for row in table if row["noise"] == noise}
        assert reached["convolutional"] > reached["linear"] + 0.3
        assert reached["convolutional"] > least


def test_every_pixel_is_told_its_digit() -> None:
    """Transposed convolutions are better at where the ink is."""
    columns = ("mean_iou", "background", "pixel_accuracy")
    overlap, paper, right = (column("segmentation", "method", value) for value in columns)
    assert min(overlap["transposed"], overlap["interpolated"]) > overlap["background"] + 0.3
    assert paper["transposed"] > paper["interpolated"] + 0.01
    assert right["transposed"] > right["interpolated"] > right["background"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("segmentation", ["--epochs", "1", "--scenes", "32", "--test-scenes", "16"]),
        ("super_resolution", ["--epochs", "2"]),
        ("colourisation", ["--epochs", "1"]),
        ("spectrograms", ["--epochs", "1", "--count", "64"]),
    ],
)
def test_they_run(name: str, arguments: list[str], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    load_example(name).main([*arguments, "--out", str(tmp_path)])
    assert len(rows(tmp_path / f"{name}.csv")) == len(rows(EXAMPLES / f"{name}.csv"))
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
