"""The networks that detectors look through: ResNet with a feature pyramid, and VGG-16 without its end.

Papers: Lin, Dollar, Girshick, He, Hariharan, Belongie, "Feature pyramid networks for object detection",
arXiv:1612.03144 (CVPR 2017), sections 3 and 4; Girshick, "Fast R-CNN", arXiv:1504.08083 (ICCV 2015), section
2.2.
"""

from __future__ import annotations

from minidnn.detection import FeaturePyramidNetwork, LastLevelMaxPool, TwoMLPHead, freeze_batch_norms
from minidnn.nn import Module, Sequential
from minidnn.tensor import Tensor
from models.resnet import ResNet
from models.vgg import COLUMNS, stacked

CONV5_CHANNELS = 512  # of VGG-16's last maps, which are a sixteenth of the image in height and width
CONV5_SCALE = 1 / 16
CONV5_BINS = 7


class ResNetStages(Module):
    """A ResNet without its classifier: the maps that its four stages give.

    Args:
        resnet: the network, of which the layers are taken over.

    Shapes: x (N, 3, H, W); result {"0": (N, 256, H/4, W/4), "1": (N, 512, H/8, W/8),
        "2": (N, 1024, H/16, W/16), "3": (N, 2048, H/32, W/32)} for bottlenecks.
    """

    def __init__(self, resnet: ResNet) -> None:
        super().__init__()
        self.conv1 = resnet.conv1
        self.bn1 = resnet.bn1
        self.relu = resnet.relu
        self.maxpool = resnet.maxpool
        self.layer1 = resnet.layer1
        self.layer2 = resnet.layer2
        self.layer3 = resnet.layer3
        self.layer4 = resnet.layer4

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return the stages' maps, finest first."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))  # (N, 64, H/4, W/4)
        maps = {}
        for position, stage in enumerate((self.layer1, self.layer2, self.layer3, self.layer4)):
            x = maps[str(position)] = stage(x)
        return maps


class ResNet50FPN(Module):
    """ResNet-50 under a feature pyramid; its batch norms are frozen.

    Args:
        eps: of the batch norms.

    Shapes: x (N, 3, H, W); result {"0", "1", "2", "3", "pool"}: (N, 256, H/4, W/4) down to
        (N, 256, H/64, W/64).
    """

    out_channels = 256

    def __init__(self, eps: float) -> None:
        super().__init__()
        self.body = ResNetStages(ResNet((3, 4, 6, 3), bottleneck=True))
        freeze_batch_norms(self.body, eps)
        self.fpn = FeaturePyramidNetwork([256, 512, 1024, 2048], self.out_channels, LastLevelMaxPool())

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return the pyramid, finest level first."""
        pyramid: dict[str, Tensor] = self.fpn(self.body(x))
        return pyramid


class VGG16Conv5(Sequential):
    """VGG-16's convolutions without the last pooling; `state_dict` has the names of its `features`.

    Shapes: x (N, 3, H, W); result {"0": (N, 512, H // 16, W // 16)}.
    """

    out_channels = CONV5_CHANNELS

    def __init__(self) -> None:
        super().__init__(*list(stacked(COLUMNS["D"], in_channels=3, batch_norm=False))[:-1])

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return the maps of conv5_3."""
        return {"0": super().forward(x)}


def vgg16_head(dropout: float) -> TwoMLPHead:
    """Return VGG-16's first two fully connected layers, as the head of regions of 7x7 bins."""
    return TwoMLPHead(CONV5_CHANNELS * CONV5_BINS**2, 4096, dropout)
