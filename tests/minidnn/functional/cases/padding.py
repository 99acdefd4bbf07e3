"""Cases of padding."""

from __future__ import annotations

from typing import Any

from tests.minidnn.case import Case


def pad(label: str, *shape: int, pad: Any, **keywords: Any) -> Case:
    return Case("pad", label, lambda draw: (draw.normal(*shape), pad), keywords)


CASES = [
    pad("last-axis", 2, 3, pad=(1, 2)),
    pad("two-axes", 2, 3, 4, pad=(1, 2, 3, 0)),
    pad("every-axis", 2, 3, 4, pad=(0, 1, 2, 0, 1, 1)),
    pad("four-axes-of-five", 1, 2, 3, 2, 1, pad=(0, 1, 2, 0, 1, 1, 0, 2)),
    pad("value", 2, 3, 4, pad=(2, 1), mode="constant", value=-1.5),
    pad("infinity", 2, 3, pad=(2, 1), value=float("-inf")),
    pad("list", 2, 3, pad=[1, 0]),
    pad("nothing", 2, 3, pad=()),
    pad("vector", 4, pad=(1, 3)),
    pad("scalar", pad=()),
    pad("crop", 2, 5, 6, pad=(-1, -2, -3, 0)),
    pad("crop-and-pad", 2, 5, 6, pad=(-1, 2, 3, -4), value=0.5),
    pad("empty-batch", 0, 3, 4, pad=(1, 1)),
    pad("reflect-2", 3, 5, pad=(4, 2), mode="reflect"),
    pad("reflect-3", 2, 3, 5, pad=(1, 3), mode="reflect"),
    pad("reflect-3-plane", 2, 4, 5, pad=(1, 3, 2, 0), mode="reflect"),
    pad("reflect-4-plane", 2, 3, 4, 5, pad=(1, 3, 2, 0), mode="reflect"),
    pad("reflect-4-volume", 3, 2, 4, 3, pad=(1, 2, 3, 0, 1, 1), mode="reflect"),
    pad("reflect-5-volume", 1, 3, 2, 4, 3, pad=(1, 2, 3, 0, 1, 1), mode="reflect"),
    pad("reflect-crop", 2, 3, 5, 4, pad=(-2, 3, 2, -1), mode="reflect"),
    pad("reflect-empty-batch", 0, 3, 4, pad=(1, 2), mode="reflect"),
    pad("replicate-2", 3, 5, pad=(4, 7), mode="replicate"),
    pad("replicate-3", 2, 3, 5, pad=(1, 3), mode="replicate"),
    pad("replicate-3-plane", 2, 4, 5, pad=(1, 3, 6, 0), mode="replicate"),
    pad("replicate-4-plane", 2, 3, 4, 5, pad=(1, 3, 6, 0), mode="replicate"),
    pad("replicate-5-volume", 1, 3, 2, 4, 3, pad=(1, 2, 3, 0, 4, 1), mode="replicate"),
    pad("replicate-crop", 2, 3, 5, 4, pad=(-2, 3, 2, -1), mode="replicate"),
    pad("replicate-single-pixel", 2, 3, 1, 1, pad=(2, 1, 0, 3), mode="replicate"),
    pad("replicate-empty-batch", 0, 3, 4, pad=(1, 2), mode="replicate"),
]
