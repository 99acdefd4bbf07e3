"""Pictures and maps as a figure, where matplotlib is there: `pip install "minidnn[plot]"`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.array import Array, check_integer, check_rank
from minidnn.data.resize import resize

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INCHES = 1.7  # a panel's width
HEAT_SHOWS = 0.5  # how opaque a map is over its picture


def plot(
    pictures: Sequence[Any] | Array,
    titles: Sequence[str] = (),
    columns: int | None = None,
    heat: Sequence[Any] | Array | None = None,
    title: str = "",
) -> Figure:
    """Return a figure with a panel per picture or map.

    A picture (C, H, W) of 1 or 3 channels is shown as it is, 0 black and 1 white, and cut off beyond. A map
    (H, W) is shown in colours from its lowest value to its highest. A map in `heat` is brought to its
    picture's size and laid over it.

        plot(images, titles=names, heat=grad_cam(model, images, "features")).savefig("seen.png")

    Args:
        pictures: an array (N, C, H, W) or (N, H, W), or a list of pictures and maps of any sizes.
        titles: one per panel, or none.
        columns: panels in a row; all if not given.
        heat: a map per picture, or none.
        title: over the whole figure.

    Raises:
        ValueError: no picture, another rank or number of channels, or not one title or map per picture.
        TypeError: columns is no integer.
        ImportError: matplotlib is not installed.
    """
    shown = [_as_shown(picture) for picture in pictures]
    if not shown:
        raise ValueError("pictures must hold at least one, got none")
    for name, values in (("titles", titles or None), ("heat", heat)):
        if values is not None and len(values) != len(shown):
            raise ValueError(f"{name} must hold one for each of {len(shown)} pictures, got {len(values)}")
    columns = len(shown) if columns is None else check_integer("columns", columns, minimum=1)
    figure, panels = _panels(len(shown), min(columns, len(shown)), bool(titles), bool(title))
    for place, (panel, picture) in enumerate(zip(panels, shown, strict=True)):
        if picture.ndim == 2 and heat is None:
            panel.imshow(picture, cmap="viridis", interpolation="nearest")
        else:
            panel.imshow(np.clip(picture, 0, 1), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        if heat is not None:
            panel.imshow(resize(np.asarray(heat[place]), picture.shape[:2]), cmap="jet", alpha=HEAT_SHOWS)
        if titles:
            panel.set_title(titles[place], fontsize=8)
    figure.suptitle(title, fontsize=9)
    return figure


def _as_shown(picture: Any) -> Array:
    """A map (H, W), a grey picture (H, W, 1) or a coloured one (H, W, 3), as `imshow` takes them."""
    picture = np.asarray(picture)
    check_rank("a picture", picture, 2, 3)
    if picture.ndim == 3 and picture.shape[0] not in (1, 3):
        raise ValueError(f"a picture must have 1 or 3 channels, got shape {picture.shape}")
    planes: Array = picture if picture.ndim == 2 else picture.transpose(1, 2, 0)
    return planes


def _panels(count: int, columns: int, titles: bool, title: bool) -> tuple[Figure, Array]:
    """A figure without a window, and its first `count` panels, without axes."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError('figures need matplotlib; install it by: pip install "minidnn[plot]"') from None
    rows = -(-count // columns)
    height = INCHES * rows * (1.15 if titles else 1) + (0.3 if title else 0)
    figure = Figure(figsize=(INCHES * columns, height), layout="constrained")
    FigureCanvasAgg(figure)
    panels: Array = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels:
        panel.set_axis_off()
    return figure, panels[:count]
