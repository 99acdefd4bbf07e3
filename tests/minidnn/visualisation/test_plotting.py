"""Figures, and what is said where matplotlib is missing."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from minidnn.visualisation import plot


def test_panels_hold_what_they_are_given(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    generator = np.random.default_rng(2)
    picture, grey, wide = generator.random((3, 4, 5)), generator.random((1, 4, 5)), generator.random((6, 9))
    figure = plot([picture, grey, wide], titles=["a", "b", "c"], columns=2, title="all")
    panels = figure.axes
    assert [panel.get_title() for panel in panels] == ["a", "b", "c", ""]
    np.testing.assert_allclose(panels[0].images[0].get_array(), picture.transpose(1, 2, 0))
    np.testing.assert_allclose(np.squeeze(panels[1].images[0].get_array()), grey[0])
    assert panels[1].images[0].get_clim() == (0, 1)
    assert panels[2].images[0].get_clim() == (wide.min(), wide.max())
    figure.savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_heat_lies_over_pictures() -> None:
    pytest.importorskip("matplotlib")
    pictures = np.random.default_rng(3).random((2, 1, 8, 6))
    heat = np.zeros((2, 4, 3))
    heat[0, 0, 0] = heat[1, 3, 2] = 1
    first, second = (panel.images[1].get_array() for panel in plot(pictures, heat=heat).axes)
    assert first.shape == (8, 6)
    assert np.unravel_index(first.argmax(), first.shape) == (0, 0)
    assert np.unravel_index(second.argmax(), second.shape)[0] >= 6
    assert plot(list(pictures[:, 0]), heat=heat).axes[0].images[0].get_clim() == (0, 1)


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(ValueError, match="pictures must hold at least one, got none"):
        plot([])
    with pytest.raises(ValueError, match=r"a picture must have 1 or 3 channels, got shape \(2, 4, 4\)"):
        plot(np.zeros((1, 2, 4, 4)))
    with pytest.raises(ValueError, match="titles must hold one for each of 1 pictures, got 2"):
        plot(np.zeros((1, 4, 4)), titles=["a", "b"])
    with pytest.raises(ValueError, match="heat must hold one for each of 2 pictures, got 0"):
        plot(np.zeros((2, 4, 4)), heat=[])
    with pytest.raises(ValueError, match="heat must hold one for each of 2 pictures, got 1"):
        plot(np.zeros((2, 4, 4)), heat=np.zeros((1, 4, 4)))


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    with pytest.raises(
        ImportError, match=r'figures need matplotlib; install it by: pip install "minidnn\[plot\]"'
    ):
        plot(np.zeros((1, 4, 4)))
