"""SqueezeNet (2016): AlexNet's accuracy with fifty times fewer parameters.

Paper: Iandola, Han, Moskewicz, Ashraf, Dally, Keutzer, "SqueezeNet: AlexNet-level accuracy with 50x fewer
parameters and < 0.5MB model size", arXiv:1602.07360, table 1 (`squeezenet1_0`, without bypass).
`squeezenet1_1` is the authors' later release: smaller filters first, pooling earlier, 2.4 times fewer
mult-adds.

Deviations, those of torchvision: conv1 is not padded, so that its maps have 109x109 elements at 224 and not
111x111; convolutions begin from U(-l, l) with l = sqrt(6 / fan-in), the last from N(0, 0.01^2), biases at
0.
"""

from __future__ import annotations

from minidnn.functional import cat
from minidnn.init import kaiming_uniform_, normal_
from minidnn.nn import AdaptiveAvgPool2d, Conv2d, Dropout, MaxPool2d, Module, ReLU, Sequential
from minidnn.tensor import Tensor
from models.blocks import zero_biases
from models.registry import register


class Fire(Module):
    """1x1 convolutions squeeze the maps, 1x1 and 3x3 convolutions side by side expand them.

    Args:
        in_channels: maps of the input.
        squeeze: s1x1 of the paper's table.
        expand: e1x1 and e3x3, which are always equal.

    Shapes: x (N, in_channels, H, W); result (N, 2 * expand, H, W).
    """

    def __init__(self, in_channels: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = Conv2d(in_channels, squeeze, 1)
        self.expand1x1 = Conv2d(squeeze, expand, 1)
        self.expand3x3 = Conv2d(squeeze, expand, 3, padding=1)
        self.relu = ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Squeeze and expand."""
        x = self.relu(self.squeeze(x))  # (N, squeeze, H, W)
        return cat([self.relu(self.expand1x1(x)), self.relu(self.expand3x3(x))], 1)


class SqueezeNet(Module):
    """Convolution, fire modules with poolings between them, and the mean of each class's map.

    Args:
        features: everything before the classifier, which gives 512 maps.
        num_classes: how many outputs.
        dropout: probability that an element of those maps is dropped in training.

    Shapes: x (N, in_channels, H, W), H and W at least 21; result (N, num_classes).
    """

    def __init__(self, features: Sequential, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.features = features
        last = Conv2d(512, num_classes, 1)
        self.classifier = Sequential(Dropout(dropout), last, ReLU(), AdaptiveAvgPool2d(1))
        for module in self.modules():
            if isinstance(module, Conv2d):
                kaiming_uniform_(module.weight)
        zero_biases(self)
        normal_(last.weight, std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """Return one score per class."""
        scores: Tensor = self.classifier(self.features(x)).flatten(1)  # (N, num_classes)
        return scores


def pooling() -> MaxPool2d:
    """3x3 at stride 2, windows that overhang the end included."""
    return MaxPool2d(3, stride=2, ceil_mode=True)


@register(input_shape=(3, 224, 224))
def squeezenet1_0(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> SqueezeNet:
    """SqueezeNet 1.0 (2016): 1,248,424 parameters."""
    features = Sequential(
        Conv2d(in_channels, 96, 7, stride=2),
        ReLU(),
        pooling(),
        Fire(96, 16, 64),
        Fire(128, 16, 64),
        Fire(128, 32, 128),
        pooling(),
        Fire(256, 32, 128),
        Fire(256, 48, 192),
        Fire(384, 48, 192),
        Fire(384, 64, 256),
        pooling(),
        Fire(512, 64, 256),
    )
    return SqueezeNet(features, num_classes, dropout)


@register(input_shape=(3, 224, 224))
def squeezenet1_1(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> SqueezeNet:
    """SqueezeNet 1.1 (2016): 1,235,496 parameters, 2.4 times fewer mult-adds than 1.0."""
    features = Sequential(
        Conv2d(in_channels, 64, 3, stride=2),
        ReLU(),
        pooling(),
        Fire(64, 16, 64),
        Fire(128, 16, 64),
        pooling(),
        Fire(128, 32, 128),
        Fire(256, 32, 128),
        pooling(),
        Fire(256, 48, 192),
        Fire(384, 48, 192),
        Fire(384, 64, 256),
        Fire(512, 64, 256),
    )
    return SqueezeNet(features, num_classes, dropout)
