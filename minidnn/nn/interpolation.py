"""Resizing as a layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minidnn.functional.interpolation import interpolate
from minidnn.nn.module import Module
from minidnn.tensor import Tensor


class Upsample(Module):
    """Resizes the spatial axes; see `minidnn.functional.interpolate` for arguments, shapes and errors.

    Args:
        size: output size, one number for all spatial axes or one for each.
        scale_factor: output size per input size, likewise; exactly one of the two must be given.
        mode: "nearest" or "bilinear".
        align_corners: bilinear only: whether the corners of input and output coincide.
        recompute_scale_factor: use scale_factor for the output size only.
    """

    def __init__(
        self,
        size: int | Sequence[int] | None = None,
        scale_factor: float | Sequence[float] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.size = size
        self.scale_factor = scale_factor
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, x: Any) -> Tensor:
        """Resize (N, C, *spatial)."""
        return interpolate(
            x, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor
        )

    def extra_repr(self) -> str:
        """Size or scale factor, and the mode."""
        name = "size" if self.scale_factor is None else "scale_factor"
        return f"{name}={getattr(self, name)}, mode={self.mode!r}"
