"""AlexNet (2012), the network whose victory in ImageNet's contest began the deep-learning years.

Papers: Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural networks",
NIPS 2012, section 3 and figure 2 (`alexnet_paper`, with the two GPUs' halves as groups); Krizhevsky, "One
weird trick for parallelizing convolutional neural networks", arXiv:1404.5997 (`alexnet`, one tower,
torchvision's); Zhang, Lipton, Li, Smola, "Dive into deep learning", section 8.1 (`alexnet_d2l`).

Deviations:
- `alexnet_paper` takes images of 227x227: the paper says 224, from which its 55x55 maps cannot come.
- `alexnet` pools adaptively to 6x6 before the fully connected layers, so it takes other sizes too.
- `alexnet_d2l` drops the response normalisation and pads the first convolution by 1; its maps end at 5x5,
  with 6,400 numbers into the first fully connected layer. Its defaults are the book's grey images and ten
  classes.
- The paper sums the squares of five neighbouring maps times alpha = 1e-4; `LocalResponseNorm`, like
  PyTorch's, takes their mean, so alpha is 5e-4 here.
- Response normalisation looks across the border between the two groups; which maps were neighbours on the two
  GPUs, the paper leaves open.
"""

from __future__ import annotations

from minidnn.nn import (
    AdaptiveAvgPool2d,
    Conv2d,
    Dropout,
    Identity,
    Linear,
    LocalResponseNorm,
    MaxPool2d,
    Module,
    ReLU,
    Sequential,
)
from minidnn.tensor import Tensor
from models.blocks import initialize_normal, initialize_xavier
from models.registry import register


class AlexNet(Module):
    """AlexNet in one tower, layer by layer as in "One weird trick", with torchvision's names.

        layer   maps or units   kernel   stride   padding   size at 224
        conv1   64              11x11    4        2         55x55
        pool                    3x3      2                  27x27
        conv2   192             5x5      1        2         27x27
        pool                    3x3      2                  13x13
        conv3   384             3x3      1        1         13x13
        conv4   256             3x3      1        1         13x13
        conv5   256             3x3      1        1         13x13
        pool                    3x3      2                  6x6
        fc6     4096            dropout before it
        fc7     4096            dropout before it
        fc8     1000
                                61,100,840 parameters

    Args:
        num_classes: how many outputs.
        in_channels: channels of the images.
        dropout: probability that an input of fc6 or fc7 is dropped in training.

    Shapes: x (N, in_channels, H, W), H and W at least 63; result (N, num_classes).
    """

    def __init__(self, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = Sequential(
            Conv2d(in_channels, 64, 11, stride=4, padding=2),
            ReLU(),
            MaxPool2d(3, stride=2),
            Conv2d(64, 192, 5, padding=2),
            ReLU(),
            MaxPool2d(3, stride=2),
            Conv2d(192, 384, 3, padding=1),
            ReLU(),
            Conv2d(384, 256, 3, padding=1),
            ReLU(),
            Conv2d(256, 256, 3, padding=1),
            ReLU(),
            MaxPool2d(3, stride=2),
        )
        self.avgpool = AdaptiveAvgPool2d((6, 6))
        self.classifier = Sequential(
            Dropout(dropout),
            Linear(256 * 6 * 6, 4096),
            ReLU(),
            Dropout(dropout),
            Linear(4096, 4096),
            ReLU(),
            Linear(4096, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return one score per class."""
        x = self.avgpool(self.features(x))  # (N, 256, 6, 6)
        scores: Tensor = self.classifier(x.flatten(1))  # (N, num_classes)
        return scores


class EightLayers(Module):
    """The order of layers that the published AlexNet, d2l's and ZFNet have in common.

        conv1, ReLU, norm, pool   conv2, ReLU, norm, pool
        conv3, ReLU               conv4, ReLU               conv5, ReLU, pool
        fc6, ReLU, dropout        fc7, ReLU, dropout        fc8

    Args:
        convolutions: conv1 to conv5.
        norm: what follows the first two.
        pool: the pooling, three times.
        side: height and width of the last maps.
        num_classes: how many outputs.
        dropout: probability that an output of fc6 or fc7 is dropped in training.
    """

    def __init__(
        self,
        convolutions: tuple[Conv2d, Conv2d, Conv2d, Conv2d, Conv2d],
        norm: Module,
        pool: MaxPool2d,
        side: int,
        num_classes: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3, self.conv4, self.conv5 = convolutions
        self.norm = norm
        self.pool = pool
        self.fc6 = Linear(convolutions[-1].out_channels * side * side, 4096)
        self.fc7 = Linear(4096, 4096)
        self.fc8 = Linear(4096, num_classes)
        self.relu = ReLU()
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return one score per class."""
        scores: Tensor = self.fc8(self.connected_features(self.pooled_features(x)))  # (N, num_classes)
        return scores

    def pooled_features(self, x: Tensor) -> Tensor:
        """Return the last pooling's numbers, "pool5", (N, maps * side * side)."""
        x = self.pool(self.norm(self.relu(self.conv1(x))))
        x = self.pool(self.norm(self.relu(self.conv2(x))))
        x = self.relu(self.conv3(x))
        x = self.relu(self.conv4(x))
        pooled: Tensor = self.pool(self.relu(self.conv5(x)))  # (N, maps, side, side)
        return pooled.flatten(1)

    def connected_features(self, pooled: Tensor) -> Tensor:
        """Return the numbers before the last layer, "fc7", (N, 4096), for those of the last pooling."""
        x = self.dropout(self.relu(self.fc6(pooled)))  # (N, 4096)
        features: Tensor = self.dropout(self.relu(self.fc7(x)))  # (N, 4096)
        return features


class AlexNetPaper(EightLayers):
    """AlexNet as published: two groups where the two GPUs did not talk to each other.

        layer   maps or units   kernel   stride   groups   size    neurons    weights
        conv1   96              11x11    4        1        55x55   290,400    34,848
        norm, pool              3x3      2                 27x27
        conv2   256             5x5      1        2        27x27   186,624    307,200
        norm, pool              3x3      2                 13x13
        conv3   384             3x3      1        1        13x13   64,896     884,736
        conv4   384             3x3      1        2        13x13   64,896     663,552
        conv5   256             3x3      1        2        13x13   43,264     442,368
        pool                    3x3      2                 6x6
        fc6     4096                                               4,096      37,748,736
        fc7     4096                                               4,096      16,777,216
        fc8     1000                                               1,000      4,096,000
                                                           60,965,224 parameters with the biases

    Args:
        num_classes: how many outputs.
        in_channels: channels of the images.
        dropout: probability that an output of fc6 or fc7 is dropped in training.

    Shapes: x (N, in_channels, 227, 227); result (N, num_classes).
    """

    def __init__(self, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> None:
        super().__init__(
            (
                Conv2d(in_channels, 96, 11, stride=4),
                Conv2d(96, 256, 5, padding=2, groups=2),
                Conv2d(256, 384, 3, padding=1),
                Conv2d(384, 384, 3, padding=1, groups=2),
                Conv2d(384, 256, 3, padding=1, groups=2),
            ),
            LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0),
            MaxPool2d(3, stride=2),
            side=6,
            num_classes=num_classes,
            dropout=dropout,
        )
        self._initialize()

    def _initialize(self) -> None:
        """Section 5: weights from N(0, 0.01^2); biases of 1 give some ReLUs positive inputs, others 0."""
        ones = (self.conv2, self.conv4, self.conv5, self.fc6, self.fc7)
        initialize_normal(ones, std=0.01, bias=1.0)
        initialize_normal((self.conv1, self.conv3, self.fc8), std=0.01, bias=0.0)


class AlexNetD2l(EightLayers):
    """AlexNet of "Dive into deep learning".

        layer   maps or units   kernel   stride   padding   size at 224
        conv1   96              11x11    4        1         54x54
        pool                    3x3      2                  26x26
        conv2   256             5x5      1        2         26x26
        pool                    3x3      2                  12x12
        conv3   384             3x3      1        1         12x12
        conv4   384             3x3      1        1         12x12
        conv5   256             3x3      1        1         12x12
        pool                    3x3      2                  5x5
        fc6     4096            from 6,400
        fc7     4096
        fc8     10
                                46,764,746 parameters

    Args:
        num_classes: how many outputs.
        in_channels: channels of the images.
        dropout: probability that an output of fc6 or fc7 is dropped in training.

    Shapes: x (N, in_channels, 224, 224); result (N, num_classes).
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 1, dropout: float = 0.5) -> None:
        super().__init__(
            (
                Conv2d(in_channels, 96, 11, stride=4, padding=1),
                Conv2d(96, 256, 5, padding=2),
                Conv2d(256, 384, 3, padding=1),
                Conv2d(384, 384, 3, padding=1),
                Conv2d(384, 256, 3, padding=1),
            ),
            Identity(),
            MaxPool2d(3, stride=2),
            side=5,
            num_classes=num_classes,
            dropout=dropout,
        )
        initialize_xavier(self)


@register(input_shape=(3, 224, 224))
def alexnet(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> AlexNet:
    """AlexNet in one tower (2014): 61,100,840 parameters, torchvision's."""
    return AlexNet(num_classes, in_channels, dropout)


@register(input_shape=(3, 227, 227))
def alexnet_paper(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> AlexNetPaper:
    """AlexNet (2012) as published: two groups, local response normalisation, overlapping pooling."""
    return AlexNetPaper(num_classes, in_channels, dropout)


@register(input_shape=(1, 224, 224))
def alexnet_d2l(num_classes: int = 10, in_channels: int = 1, dropout: float = 0.5) -> AlexNetD2l:
    """AlexNet of "Dive into deep learning": no normalisation, 6,400 inputs to the first linear layer."""
    return AlexNetD2l(num_classes, in_channels, dropout)
