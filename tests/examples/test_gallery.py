"""examples/gallery.py and style_transfer.py run, and the gallery shows what they draw and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tests.examples.script import EXAMPLES, load_example

DOCS = EXAMPLES.parent / "docs"


def size_of(path: Path) -> tuple[int, int]:
    """A PNG file's width and height."""
    head = path.read_bytes()[:24]
    assert head.startswith(b"\x89PNG")
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


def test_the_page_shows_every_picture() -> None:
    text = (DOCS / "gallery.md").read_text()
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert all((DOCS / path).is_file() for path in shown)
    drawn = {f"gallery/{path.name}" for path in (DOCS / "gallery").iterdir()}
    assert drawn == {path for path in shown if path.startswith("gallery/")}


def test_the_digits_lie_on_their_canvases() -> None:
    gallery = load_example("gallery")
    dataset = gallery.scattered("test", np.random.default_rng(3))
    assert dataset.inputs.shape == (359, 1, gallery.CANVAS, gallery.CANVAS)
    assert dataset.inputs.max() <= 1
    images, digits = gallery.pairs(1, np.random.default_rng(4))
    assert digits.shape == (1, 2)
    pair, half = images[0, 0], gallery.CANVAS // 2
    corners = [
        pair[rows, columns].max()
        for rows in (slice(half), slice(half, None))
        for columns in (slice(half), slice(half, None))
    ]
    assert min(corners[0], corners[3]) > 0.7 > max(corners[1], corners[2])


@pytest.mark.slow
def test_the_gallery_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    load_example("gallery").main(["--epochs", "1", "--out", str(tmp_path)])
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {path.name for path in (DOCS / "gallery").iterdir()} - {"style_transfer.png"}
    for name in names:
        assert size_of(tmp_path / name) == size_of(DOCS / "gallery" / name)


@pytest.mark.slow
def test_a_picture_is_repainted(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("skimage")
    load_example("style_transfer").main(["--steps", "2", "--size", "80", "--out", str(tmp_path)])
    width, height = size_of(tmp_path / "style_transfer.png")
    assert (width, height) == size_of(DOCS / "gallery" / "style_transfer.png")
