"""ZFNet (2013): AlexNet after a look at what its layers see, with a finer first layer.

Paper: Zeiler and Fergus, "Visualizing and understanding convolutional networks", arXiv:1311.2901 (ECCV 2014),
figure 3.

Deviations, those of the usual implementations (pytorchcv's is the one it is compared with):
- Response normalisation with k = 2 and a mean of squares times 1e-4 stands between ReLU and pooling, as in
  AlexNet; the paper normalises contrast after pooling and does not say how.
- Pooling counts windows that overhang the end, which gives the paper's 55x55, 13x13 and 6x6 maps.

pytorchcv's files are converted (see models/conversion.py).
"""

from __future__ import annotations

from minidnn.nn import Conv2d, LocalResponseNorm, MaxPool2d
from models.alexnet import EightLayers
from models.blocks import initialize_convolutions, zero_biases
from models.registry import register


class ZFNet(EightLayers):
    """ZFNet, layer by layer as in the paper's figure 3.

        layer   maps or units   kernel   stride   padding   size
        conv1   96              7x7      2        1         110x110
        norm, pool              3x3      2                  55x55
        conv2   256             5x5      2        0         26x26
        norm, pool              3x3      2                  13x13
        conv3   384             3x3      1        1         13x13
        conv4   384             3x3      1        1         13x13
        conv5   256             3x3      1        1         13x13
        pool                    3x3      2                  6x6
        fc6     4096
        fc7     4096
        fc8     1000
                                62,357,608 parameters

    Args:
        num_classes: how many outputs.
        in_channels: channels of the images.
        dropout: probability that an output of fc6 or fc7 is dropped in training.

    Shapes: x (N, in_channels, 224, 224); result (N, num_classes).
    """

    def __init__(self, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> None:
        super().__init__(
            (
                Conv2d(in_channels, 96, 7, stride=2, padding=1),
                Conv2d(96, 256, 5, stride=2),
                Conv2d(256, 384, 3, padding=1),
                Conv2d(384, 384, 3, padding=1),
                Conv2d(384, 256, 3, padding=1),
            ),
            LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2.0),
            MaxPool2d(3, stride=2, ceil_mode=True),
            side=6,
            num_classes=num_classes,
            dropout=dropout,
        )
        initialize_convolutions(self, "fan_in")
        zero_biases(self)


_LAYERS_OF_PYTORCHCV = {
    "features.stage1.unit1.conv": "conv1",
    "features.stage2.unit1.conv": "conv2",
    "features.stage3.unit1.conv": "conv3",
    "features.stage3.unit2.conv": "conv4",
    "features.stage3.unit3.conv": "conv5",
    "output.fc1.fc": "fc6",
    "output.fc2.fc": "fc7",
    "output.fc3": "fc8",
}


def pytorchcv_key(key: str) -> str:
    """Return our `state_dict` key for that of pytorchcv's `zfnet`.

    Raises:
        ValueError: a key that the network does not have.
    """
    layer, _, kind = key.rpartition(".")
    if layer not in _LAYERS_OF_PYTORCHCV:
        raise ValueError(f"key must be one of pytorchcv's zfnet, got {key!r}")
    return f"{_LAYERS_OF_PYTORCHCV[layer]}.{kind}"


@register(input_shape=(3, 224, 224))
def zfnet(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> ZFNet:
    """ZFNet (2013): AlexNet with 7x7 filters at stride 2 in the first layer; 62,357,608 parameters."""
    return ZFNet(num_classes, in_channels, dropout)
