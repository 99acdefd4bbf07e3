"""VGG (2014): nothing but 3x3 convolutions, 11 to 19 layers deep.

Paper: Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition",
arXiv:1409.1556 (ICLR 2015), table 1: columns A (`vgg11`), A-LRN (`vgg11_lrn`), B (`vgg13`), C
(`vgg16_conv1`), D (`vgg16`) and E (`vgg19`). The forms with batch normalisation (`vgg11_bn` ...) are
torchvision's.

Deviations, those of torchvision:
- The last maps are pooled adaptively to 7x7 (which does nothing at 224x224), so other sizes work too.
- All layers begin from scratch, convolutions from N(0, 2 / fan-out) and fully connected layers from N(0,
  0.01^2); the paper begins the deeper columns with trained layers of column A.

`vgg11_d2l` is column A as "Dive into deep learning" (Zhang, Lipton, Li, Smola, section 8.2) prints it: the
layers are the same, for grey images and ten classes, and begin as Xavier's do.
"""

from __future__ import annotations

from minidnn.nn import (
    AdaptiveAvgPool2d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Linear,
    LocalResponseNorm,
    MaxPool2d,
    Module,
    ReLU,
    Sequential,
)
from minidnn.tensor import Tensor
from models.blocks import initialize_convolutions, initialize_normal, initialize_xavier, zero_biases
from models.registry import register

# Table 1. "64" is conv3-64 of the paper, "1x1-256" its conv1-256, "pool" its maxpool.
COLUMNS = {
    "A": "64 pool  128 pool  256 256 pool  512 512 pool  512 512 pool",
    "A-LRN": "64 LRN pool  128 pool  256 256 pool  512 512 pool  512 512 pool",
    "B": "64 64 pool  128 128 pool  256 256 pool  512 512 pool  512 512 pool",
    "C": "64 64 pool  128 128 pool  256 256 1x1-256 pool  512 512 1x1-512 pool  512 512 1x1-512 pool",
    "D": "64 64 pool  128 128 pool  256 256 256 pool  512 512 512 pool  512 512 512 pool",
    "E": "64 64 pool  128 128 pool  256 256 256 256 pool  512 512 512 512 pool  512 512 512 512 pool",
}


class VGG(Module):
    """A column of the paper's table 1, then three fully connected layers; torchvision's names.

        column   layers   parameters (1000 classes)
        A        11       132,863,336
        A-LRN    11       132,863,336
        B        13       133,047,848
        C        16       133,638,952
        D        16       138,357,544
        E        19       143,667,240

    Args:
        column: of the table, a key of `COLUMNS`.
        batch_norm: whether a batch normalisation follows every convolution.
        num_classes: how many outputs.
        in_channels: channels of the images.
        dropout: probability that an output of the first two fully connected layers is dropped in training.

    Shapes: x (N, in_channels, H, W), H and W at least 32; result (N, num_classes).
    """

    def __init__(
        self,
        column: str,
        batch_norm: bool = False,
        num_classes: int = 1000,
        in_channels: int = 3,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.features = stacked(COLUMNS[column], in_channels, batch_norm)
        self.avgpool = AdaptiveAvgPool2d((7, 7))
        self.classifier = Sequential(
            Linear(512 * 7 * 7, 4096),
            ReLU(),
            Dropout(dropout),
            Linear(4096, 4096),
            ReLU(),
            Dropout(dropout),
            Linear(4096, num_classes),
        )
        initialize_convolutions(self)
        zero_biases(self)
        linear = [layer for layer in self.classifier if isinstance(layer, Linear)]
        initialize_normal(linear, std=0.01, bias=0.0)

    def forward(self, x: Tensor) -> Tensor:
        """Return one score per class."""
        x = self.avgpool(self.features(x))  # (N, 512, 7, 7)
        scores: Tensor = self.classifier(x.flatten(1))  # (N, num_classes)
        return scores


def stacked(column: str, in_channels: int, batch_norm: bool) -> Sequential:
    """Return the layers of a column of the table, ReLUs (and batch normalisations) included."""
    layers = Sequential()
    for word in column.split():
        if word == "pool":
            layers.append(MaxPool2d(2))
            continue
        if word == "LRN":  # with AlexNet's numbers, whose alpha multiplies a sum of five squares
            layers.append(LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0))
            continue
        kernel, padding = (1, 0) if word.startswith("1x1-") else (3, 1)
        channels = int(word.removeprefix("1x1-"))
        layers.append(Conv2d(in_channels, channels, kernel, padding=padding))
        if batch_norm:
            layers.append(BatchNorm2d(channels))
        layers.append(ReLU())
        in_channels = channels
    return layers


@register(input_shape=(3, 224, 224))
def vgg11(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> VGG:
    """VGG-11 (2014), column A: 132,863,336 parameters."""
    return VGG("A", False, num_classes, in_channels, dropout)


@register(input_shape=(3, 224, 224))
def vgg11_lrn(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> VGG:
    """VGG-11 with one local response normalisation (2014), column A-LRN."""
    return VGG("A-LRN", False, num_classes, in_channels, dropout)


@register(input_shape=(3, 224, 224))
def vgg13(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> VGG:
    """VGG-13 (2014), column B: 133,047,848 parameters."""
    return VGG("B", False, num_classes, in_channels, dropout)


@register(input_shape=(3, 224, 224))
def vgg16_conv1(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> VGG:
    """VGG-16 with three 1x1 convolutions (2014), column C: 133,638,952 parameters."""
    return VGG("C", False, num_classes, in_channels, dropout)


@register(input_shape=(3, 224, 224))
def vgg16(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> VGG:
    """VGG-16 (2014), column D: 138,357,544 parameters."""
    return VGG("D", False, num_classes, in_channels, dropout)


@register(input_shape=(3, 224, 224))
def vgg19(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> VGG:
    """VGG-19 (2014), column E: 143,667,240 parameters."""
    return VGG("E", False, num_classes, in_channels, dropout)


@register(input_shape=(3, 224, 224))
def vgg11_bn(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> VGG:
    """VGG-11 with batch normalisation: 132,868,840 parameters."""
    return VGG("A", True, num_classes, in_channels, dropout)


@register(input_shape=(3, 224, 224))
def vgg13_bn(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> VGG:
    """VGG-13 with batch normalisation: 133,053,736 parameters."""
    return VGG("B", True, num_classes, in_channels, dropout)


@register(input_shape=(3, 224, 224))
def vgg16_bn(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> VGG:
    """VGG-16 with batch normalisation: 138,365,992 parameters."""
    return VGG("D", True, num_classes, in_channels, dropout)


@register(input_shape=(3, 224, 224))
def vgg19_bn(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> VGG:
    """VGG-19 with batch normalisation: 143,678,248 parameters."""
    return VGG("E", True, num_classes, in_channels, dropout)


@register(input_shape=(1, 224, 224))
def vgg11_d2l(num_classes: int = 10, in_channels: int = 1, dropout: float = 0.5) -> VGG:
    """VGG-11 of "Dive into deep learning", for grey images and ten classes: 128,806,154 parameters."""
    model = VGG("A", False, num_classes, in_channels, dropout)
    initialize_xavier(model)
    return model
