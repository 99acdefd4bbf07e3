"""The two InceptionNets that Keras tutorials build: one three-tower module, and GoogLeNet with its heads.

Sources: the three towers are the inception example of Keras's guide to the functional API, with the usual
classifier for CIFAR-10 behind it; the network with heads is table 1 of Szegedy et al., "Going deeper with
convolutions", arXiv:1409.4842, without response normalisation and with Keras's "same" padding.

Deviations from Keras: images are NCHW, so the weights of a linear layer behind a flattened map stand in
another order (channels first).
"""

from __future__ import annotations

from typing import Any

from kernels.window import strided_same_padding
from minidnn.functional import max_pool2d
from minidnn.nn import Identity, Linear, MaxPool2d, Module, ReLU, Sequential
from minidnn.tensor import Tensor
from models.efficient_blocks import SameConv2d
from models.googlenet import Form, GoogLeNet, published_head_pool
from models.inception_blocks import Branches, ConvReLU, initialize_glorot
from models.registry import register


class SameMaxPool2d(MaxPool2d):
    """3x3 max pooling of stride 2 in TensorFlow's "same" padding: ceil(H / 2) x ceil(W / 2) maxima.

    A map of even size is padded at its end only, one of odd size on all sides.
    """

    def __init__(self) -> None:
        super().__init__(3, 2)

    def forward(self, x: Any) -> Tensor:
        """Pad (N, C, H, W) according to H and W, and pool."""
        height, width = x.shape[-2:]
        padding = strided_same_padding((height, width), (3, 3), (2, 2), (1, 1))
        maxima: Tensor = max_pool2d(x, 3, 2, padding)
        return maxima

    def extra_repr(self) -> str:
        """The window."""
        return "kernel_size=3, stride=2, padding=tensorflow same"


KERAS = Form(
    ConvReLU,
    first=lambda channels: Sequential(
        {"conv": SameConv2d(channels, 64, 7, stride=2, bias=True), "relu": ReLU()}
    ),
    third_kernel=5,
    normalization=Identity,
    pool=SameMaxPool2d,
    last_pool=SameMaxPool2d,
    head_pool=published_head_pool,
)


class ThreeTowers(Module):
    """One inception module of three towers and a linear classifier on its flattened maps.

        tower1    1x1 to 64, 3x3 to 64
        tower2    1x1 to 64, 5x5 to 64
        tower3    3x3 max pooling, 1x1 to 64
        joined    192 maps of the image's size
        fc        num_classes

    Args:
        num_classes: how many outputs.
        in_channels: channels of the images.
        input_size: rows and columns (H, W) of the images.

    Shapes: x (N, in_channels, H, W); result (N, num_classes).
    """

    def __init__(self, num_classes: int, in_channels: int, input_size: tuple[int, int]) -> None:
        super().__init__()
        self.towers = Branches(
            tower1=Sequential(ConvReLU(in_channels, 64, 1), ConvReLU(64, 64, 3, padding=1)),
            tower2=Sequential(ConvReLU(in_channels, 64, 1), ConvReLU(64, 64, 5, padding=2)),
            tower3=Sequential(MaxPool2d(3, stride=1, padding=1), ConvReLU(in_channels, 64, 1)),
        )
        self.fc = Linear(3 * 64 * input_size[0] * input_size[1], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return one score per class."""
        x = self.towers(x)  # (N, 192, H, W)
        scores: Tensor = self.fc(x.flatten(1))  # (N, num_classes)
        return scores


@register(input_shape=(3, 32, 32))
def inceptionnet_three_towers(
    num_classes: int = 10, in_channels: int = 3, input_size: tuple[int, int] = (32, 32)
) -> ThreeTowers:
    """InceptionNet of one three-tower module, as Keras's guide has it: 2,106,250 parameters for CIFAR-10."""
    model = ThreeTowers(num_classes, in_channels, input_size)
    initialize_glorot(model, bias=0.0)
    return model


@register(input_shape=(3, 224, 224))
def inceptionnet_with_heads(
    num_classes: int = 10,
    in_channels: int = 3,
    aux_logits: bool = True,
    dropout: float = 0.4,
    dropout_aux: float = 0.7,
) -> GoogLeNet:
    """InceptionNet of nine four-tower modules and two heads, as for Keras: 10,334,030 parameters."""
    model = GoogLeNet(KERAS, num_classes, in_channels, aux_logits, dropout, dropout_aux)
    initialize_glorot(model, bias=0.2)
    return model
