"""dlib's inception network for digits: two small modules between poolings.

Source: the example program dnn_inception_ex of dlib (King, "Dlib-ml: a machine learning toolkit", JMLR 2009),
whose network type is the table below. dlib writes a network from its last layer to its first; here it stands
in the order of computation.
"""

from __future__ import annotations

from minidnn.nn import Linear, MaxPool2d, Module, ReLU, Sequential
from minidnn.tensor import Tensor
from models.inception_blocks import Branches, ConvReLU
from models.registry import register


class DlibInception(Module):
    """dlib's two-module network for images of 28x28; every convolution is followed by ReLU.

        incept_a    1x1 to 10 | 1x1 to 16, 3x3 to 10 | 1x1 to 16, 5x5 to 10 | max pool, 1x1 to 10    40x28x28
        pool        2x2 maximum                                                                   40x14x14
        incept_b    1x1 to 4 | 3x3 to 4 | max pool, 1x1 to 4                                      12x14x14
        pool        2x2 maximum                                                                   12x7x7
        fc1         32 units, ReLU
        fc2         num_classes

    The modules' max pooling is 3x3 with stride 1.

    Args:
        num_classes: how many outputs.
        in_channels: channels of the images.

    Shapes: x (N, in_channels, 28, 28); result (N, num_classes).
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 1) -> None:
        super().__init__()
        self.incept_a = Branches(
            a1=ConvReLU(in_channels, 10, 1),
            a2=Sequential(ConvReLU(in_channels, 16, 1), ConvReLU(16, 10, 3, padding=1)),
            a3=Sequential(ConvReLU(in_channels, 16, 1), ConvReLU(16, 10, 5, padding=2)),
            a4=Sequential(MaxPool2d(3, stride=1, padding=1), ConvReLU(in_channels, 10, 1)),
        )
        self.incept_b = Branches(
            b1=ConvReLU(40, 4, 1),
            b2=ConvReLU(40, 4, 3, padding=1),
            b3=Sequential(MaxPool2d(3, stride=1, padding=1), ConvReLU(40, 4, 1)),
        )
        self.pool = MaxPool2d(2)
        self.fc1 = Linear(12 * 7 * 7, 32)
        self.relu = ReLU()
        self.fc2 = Linear(32, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return one score per class."""
        x = self.pool(self.incept_a(x))  # (N, 40, 14, 14)
        x = self.pool(self.incept_b(x))  # (N, 12, 7, 7)
        x = self.relu(self.fc1(x.flatten(1)))  # (N, 32)
        scores: Tensor = self.fc2(x)  # (N, num_classes)
        return scores


@register(input_shape=(1, 28, 28))
def dlib_inception(num_classes: int = 10, in_channels: int = 1) -> DlibInception:
    """dlib's inception network for 28x28 digits (2016): 26,514 parameters."""
    return DlibInception(num_classes, in_channels)
