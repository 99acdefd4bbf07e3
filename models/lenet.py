"""LeNet-5 (1998), the convolutional network that read the digits on cheques.

Paper: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition",
Proceedings of the IEEE 86 (1998), section II.B and figure 2.

Deviations, those of most implementations:
- C3 sees all six maps of S2; the paper's table I connects each of its maps to three, four or six of them.
- Subsampling is plain average pooling; the paper's has a trained coefficient and bias per map.
- tanh is not scaled; the paper's squashing function is 1.7159 tanh(2x/3).
- The output layer is linear and trained with cross-entropy; the paper's has radial basis units.
"""

from __future__ import annotations

from minidnn.nn import AvgPool2d, Conv2d, Linear, MaxPool2d, Module, ReLU, Tanh
from minidnn.tensor import Tensor
from models.registry import register

ACTIVATIONS = {"tanh": Tanh, "relu": ReLU}
POOLINGS = {"average": AvgPool2d, "max": MaxPool2d}


class LeNet5(Module):
    """LeNet-5, layer by layer as in the paper's figure 2, for images of 32x32.

        layer    maps or units   kernel   size     parameters (1 channel, 10 classes)
        C1       6               5x5      28x28    156
        S2       6               2x2      14x14
        C3       16              5x5      10x10    2,416
        S4       16              2x2      5x5
        C5       120             5x5      1x1      48,120
        F6       84                                10,164
        output   10                                850
                                                   61,706 in all

    Args:
        num_classes: how many outputs.
        in_channels: channels of the images.
        activation: "tanh" as published, or "relu".
        pooling: "average" as published, or "max".

    Shapes: x (N, in_channels, 32, 32); result (N, num_classes).

    Raises:
        ValueError: an unknown activation or pooling.
    """

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 1,
        activation: str = "tanh",
        pooling: str = "average",
    ) -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation must be {' or '.join(ACTIVATIONS)}, got {activation!r}")
        if pooling not in POOLINGS:
            raise ValueError(f"pooling must be {' or '.join(POOLINGS)}, got {pooling!r}")
        self.c1 = Conv2d(in_channels, 6, 5)
        self.s2 = POOLINGS[pooling](2)
        self.c3 = Conv2d(6, 16, 5)
        self.s4 = POOLINGS[pooling](2)
        self.c5 = Conv2d(16, 120, 5)
        self.f6 = Linear(120, 84)
        self.output = Linear(84, num_classes)
        self.activation = ACTIVATIONS[activation]()

    def forward(self, x: Tensor) -> Tensor:
        """Return one score per class."""
        x = self.s2(self.activation(self.c1(x)))  # (N, 6, 14, 14)
        x = self.s4(self.activation(self.c3(x)))  # (N, 16, 5, 5)
        x = self.activation(self.c5(x))  # (N, 120, 1, 1)
        x = self.activation(self.f6(x.flatten(1)))  # (N, 84)
        scores: Tensor = self.output(x)  # (N, num_classes)
        return scores


@register(input_shape=(1, 32, 32))
def lenet5(
    num_classes: int = 10, in_channels: int = 1, activation: str = "tanh", pooling: str = "average"
) -> LeNet5:
    """LeNet-5 (1998) for 32x32 images: 61,706 parameters; tanh and average pooling, or ReLU and maximum."""
    return LeNet5(num_classes, in_channels, activation, pooling)
