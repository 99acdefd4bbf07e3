"""examples/augmentation.py runs, and every panel it draws is another picture with boxes around its masks."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.program import ENVIRONMENT

SCRIPT = Path(__file__).parents[2] / "examples" / "augmentation.py"


def test_panels_differ_and_boxes_surround_their_masks() -> None:
    specification = importlib.util.spec_from_file_location("augmentation_example", SCRIPT)
    example = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(example)
    drawn = example.panels()
    images = [image for image, _ in drawn.values()]
    assert len(images) == 12
    for place, image in enumerate(images):
        assert image.shape == (3, example.SIZE, example.SIZE)
        assert not any(np.array_equal(image, other) for other in images[:place])
    for _, target in drawn.values():
        for (x1, y1, x2, y2), mask in zip(target["boxes"], target["masks"], strict=True):
            rows, columns = np.nonzero(mask)
            assert x1 - 1.5 <= columns.min() <= columns.max() + 1 <= x2 + 1.5
            assert y1 - 1.5 <= rows.min() <= rows.max() + 1 <= y2 + 1.5


@pytest.mark.slow
def test_it_draws(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    subprocess.run([sys.executable, SCRIPT, "--out", tmp_path], env=ENVIRONMENT, check=True)
    assert (tmp_path / "augmentation.png").read_bytes().startswith(b"\x89PNG")
