"""The feature pyramid: every level as meaningful as the deepest, as fine as its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from minidnn import init, nn
from minidnn.functional import interpolate, max_pool2d
from minidnn.tensor import Tensor

Features = Mapping[str, Tensor]


class ExtraBlock(Protocol):
    """What adds levels to a finished pyramid."""

    def __call__(self, pyramid: Features, backbone: Features) -> dict[str, Tensor]:
        """Return the pyramid and the added levels, given the maps that the pyramid was made of too."""


class FeaturePyramidNetwork(nn.Module):
    """A pyramid of maps with equal channels, from a backbone's maps C_1 (finest) .. C_L (deepest).

        P'_L = inner_L(C_L)
        P'_l = inner_l(C_l) + enlarge(P'_(l+1))     nearest neighbour, to C_l's size
        P_l  = layer_l(P'_l)

    inner is a 1x1 convolution, layer a 3x3 one that smooths what enlarging has left.

    Args:
        in_channels_list: the backbone's channels, finest level first.
        out_channels: the pyramid's.
        extra_blocks: what adds levels, such as `LastLevelMaxPool`.

    Shapes: a mapping of L maps (N, C_l, H_l, W_l), finest first -> the same names (and the added ones) with
        (N, out_channels, H_l, W_l).

    Source: Lin et al., "Feature pyramid networks for object detection", 2017, section 3.
    """

    def __init__(
        self, in_channels_list: Sequence[int], out_channels: int, extra_blocks: ExtraBlock | None = None
    ) -> None:
        super().__init__()
        # Each within a Sequential, as torchvision has it: the weights are inner_blocks.0.0.weight and so on.
        self.inner_blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, out_channels, 1)) for channels in in_channels_list
        )
        self.layer_blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(out_channels, out_channels, 3, padding=1)) for _ in in_channels_list
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                init.kaiming_uniform_(module.weight, a=1)
                if module.bias is not None:
                    init.zeros_(module.bias)
        self.extra_blocks = extra_blocks

    def forward(self, x: Features) -> dict[str, Tensor]:
        """Return the pyramid, finest level first.

        Raises:
            ValueError: another number of maps than `in_channels_list` has.
        """
        if len(x) != len(self.inner_blocks):
            raise ValueError(f"x must have {len(self.inner_blocks)} feature maps, got {len(x)}")
        levels = list(zip(x.items(), self.inner_blocks, self.layer_blocks, strict=True))
        pyramid: dict[str, Tensor] = {}
        inner: Tensor | None = None
        for (name, maps), inner_block, layer_block in reversed(levels):
            lateral = inner_block(maps)  # (N, C, H_l, W_l)
            inner = lateral if inner is None else lateral + interpolate(inner, size=lateral.shape[2:])
            pyramid[name] = layer_block(inner)
        result = dict(reversed(pyramid.items()))
        return result if self.extra_blocks is None else self.extra_blocks(result, x)


class LastLevelMaxPool(nn.Module):
    """Adds a level "pool" with every second pixel of the deepest one, for anchors larger than all.

    Source: Lin et al., "Feature pyramid networks for object detection", 2017, section 4.1 (P6).
    """

    def forward(self, pyramid: Features, backbone: Features) -> dict[str, Tensor]:
        """Return the pyramid and the added level."""
        deepest = list(pyramid.values())[-1]
        return {**pyramid, "pool": max_pool2d(deepest, 1, stride=2)}
