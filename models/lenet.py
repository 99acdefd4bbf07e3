"""LeNet-5 (1998), the convolutional network that read the digits on cheques, and its descendants for 28x28.

Paper: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition",
Proceedings of the IEEE 86 (1998), section II.B, figure 2 and table I.

`lenet5` is the form that most implementations have; `lenet5_paper` is the published one, which has
- the scaled squashing function 1.7159 tanh(2x/3),
- subsampling with a trained coefficient and bias per map, squashed too,
- a third layer C3 whose maps see three, four or six maps of S2 each (table I).

Deviations of both: the output layer is linear and trained with cross-entropy; the paper's has fixed radial
basis units. The weights begin as PyTorch's do; the paper draws them from U(-2.4 / fan-in, 2.4 / fan-in).

`lenet_dlib` is the network of dlib's introduction to deep learning (both convolutions padded by 2, so that
784 numbers reach the fully connected layers) and `lenet_d2l` that of "Dive into deep learning" (Zhang,
Lipton, Li, Smola) with ReLU in place of its sigmoid, which stays as an option.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from minidnn import init
from minidnn.creation import zeros
from minidnn.functional import avg_pool2d, conv2d, tanh
from minidnn.nn import AvgPool2d, Conv2d, Linear, MaxPool2d, Module, Parameter, ReLU, Sigmoid, Tanh
from minidnn.tensor import Tensor
from models.blocks import initialize_xavier
from models.registry import register

# Table I: the maps of S2 that each map of C3 sees.
C3_CONNECTIONS = (
    (0, 1, 2),
    (1, 2, 3),
    (2, 3, 4),
    (3, 4, 5),
    (0, 4, 5),
    (0, 1, 5),
    (0, 1, 2, 3),
    (1, 2, 3, 4),
    (2, 3, 4, 5),
    (0, 3, 4, 5),
    (0, 1, 4, 5),
    (0, 1, 2, 5),
    (0, 1, 3, 4),
    (1, 2, 4, 5),
    (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5),
)


class ScaledTanh(Module):
    """y = 1.7159 tanh(2x/3), which maps -1 to -1 and 1 to 1 (appendix A of the paper)."""

    def forward(self, x: Tensor) -> Tensor:
        """Squash every element."""
        return 1.7159 * tanh(x * (2 / 3))


class Subsampling(Module):
    """Sums of 2x2 elements, times a trained coefficient and plus a trained bias per map, then squashed.

        y[c] = f(weight[c] * (sum over 2x2 of x[c]) + bias[c])

    Args:
        channels: maps C.
        activation: f.

    Attributes:
        weight, bias: (C,), at first 1/4 and 0: plain averages.

    Shapes: x (N, C, H, W); result (N, C, H // 2, W // 2).
    """

    def __init__(self, channels: int, activation: Module) -> None:
        super().__init__()
        self.weight = Parameter(np.full(channels, 0.25, np.float32))
        self.bias = Parameter(np.zeros(channels, np.float32))
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """Subsample by two."""
        sums = avg_pool2d(x, 2, divisor_override=1)
        y: Tensor = self.activation(sums * self.weight.reshape(-1, 1, 1) + self.bias.reshape(-1, 1, 1))
        return y


class TableConv2d(Module):
    """A convolution whose output maps see only some of the input maps, as a table says.

    Args:
        in_channels: maps of the input.
        connections: for every output map the input maps that it sees.
        kernel_size: taps along both axes.

    Attributes:
        weight: (connections, KH, KW), one filter per connection, output map by output map.
        bias: one number per output map.

    Shapes: x (N, in_channels, H, W); result (N, len(connections), H - KH + 1, W - KW + 1).
    """

    def __init__(self, in_channels: int, connections: Sequence[Sequence[int]], kernel_size: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.outputs = np.array([o for o, seen in enumerate(connections) for _ in seen])
        self.inputs = np.array([i for seen in connections for i in seen])
        self.weight = Parameter(np.zeros((len(self.inputs), kernel_size, kernel_size), np.float32))
        self.bias = Parameter(np.zeros(len(connections), np.float32))
        limit = float(np.sqrt(len(connections) / self.weight.data.size))  # the mean fan-in's
        init.uniform_(self.weight, -limit, limit)
        init.uniform_(self.bias, -limit, limit)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve with filters that are zero where nothing is connected."""
        kernel = self.weight.shape[1:]
        shape = (self.bias.shape[0], self.in_channels, *kernel)
        dense = zeros(shape, dtype=self.weight.dtype, device=self.weight.device)
        dense[self.outputs, self.inputs] = self.weight  # (O, C, KH, KW)
        return conv2d(x, dense, self.bias)


ACTIVATIONS: Mapping[str, Callable[[], Module]] = {
    "tanh": Tanh,
    "scaled_tanh": ScaledTanh,
    "relu": ReLU,
    "sigmoid": Sigmoid,
}
POOLINGS: Mapping[str, Callable[[int, Module], Module]] = {
    "average": lambda channels, activation: AvgPool2d(2),
    "max": lambda channels, activation: MaxPool2d(2),
    "trained": Subsampling,
}
CONNECTIONS: Mapping[str, Callable[[], Module]] = {
    "full": lambda: Conv2d(6, 16, 5),
    "table": lambda: TableConv2d(6, C3_CONNECTIONS, 5),
}

Choice = TypeVar("Choice")


def choose(name: str, value: Any, choices: Mapping[str, Choice]) -> Choice:
    """Return choices[value]; ValueError that lists them for another value."""
    if value not in choices:
        raise ValueError(f"{name} must be {' or '.join(choices)}, got {value!r}")
    return choices[value]


class LeNet5(Module):
    """LeNet-5, layer by layer as in the paper's figure 2, for images of 32x32.

        layer    maps or units   kernel   size     parameters (1 channel, 10 classes)   as published
        C1       6               5x5      28x28    156                                  156
        S2       6               2x2      14x14                                         12
        C3       16              5x5      10x10    2,416                                1,516
        S4       16              2x2      5x5                                           32
        C5       120             5x5      1x1      48,120                               48,120
        F6       84                                10,164                               10,164
        output   10                                850                                  850
                                                   61,706 in all                        60,850 in all

    Args:
        num_classes: how many outputs.
        in_channels: channels of the images.
        activation: "tanh", "scaled_tanh" as published, "relu" or "sigmoid".
        pooling: "average", "trained" as published (with coefficient and bias), or "max".
        connections: of C3 to S2: "full", or "table" as published.

    Shapes: x (N, in_channels, 32, 32); result (N, num_classes).

    Raises:
        ValueError: an unknown activation, pooling or kind of connections.
    """

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 1,
        activation: str = "tanh",
        pooling: str = "average",
        connections: str = "full",
    ) -> None:
        super().__init__()
        self.activation = choose("activation", activation, ACTIVATIONS)()
        subsampling = choose("pooling", pooling, POOLINGS)
        self.c1 = Conv2d(in_channels, 6, 5)
        self.s2 = subsampling(6, self.activation)
        self.c3 = choose("connections", connections, CONNECTIONS)()
        self.s4 = subsampling(16, self.activation)
        self.c5 = Conv2d(16, 120, 5)
        self.f6 = Linear(120, 84)
        self.output = Linear(84, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return one score per class."""
        x = self.s2(self.activation(self.c1(x)))  # (N, 6, 14, 14)
        x = self.s4(self.activation(self.c3(x)))  # (N, 16, 5, 5)
        x = self.activation(self.c5(x))  # (N, 120, 1, 1)
        x = self.activation(self.f6(x.flatten(1)))  # (N, 84)
        scores: Tensor = self.output(x)  # (N, num_classes)
        return scores


class LeNet28(Module):
    """The LeNets of dlib and of "Dive into deep learning", for images of 28x28.

        layer    maps or units   kernel   size dlib (d2l)    parameters dlib (d2l), 1 channel, 10 classes
        conv1    6               5x5      28x28              156
        pool1    6               2x2      14x14
        conv2    16              5x5      14x14 (10x10)      2,416
        pool2    16              2x2      7x7 (5x5)
        fc1      120                                         94,200 (48,120)
        fc2      84                                          10,164
        fc3      10                                          850
                                                             107,786 (61,706) in all

    Args:
        num_classes: how many outputs.
        in_channels: channels of the images.
        padding: of conv2: 2 in dlib's, 0 in d2l's.
        activation: "relu", or another of `ACTIVATIONS`.
        pooling: "max" or "average".

    Shapes: x (N, in_channels, 28, 28); result (N, num_classes).

    Raises:
        ValueError: an unknown activation or pooling.
    """

    def __init__(
        self, num_classes: int, in_channels: int, padding: int, activation: str, pooling: str
    ) -> None:
        super().__init__()
        self.activation = choose("activation", activation, ACTIVATIONS)()
        pool = choose("pooling", pooling, {"max": MaxPool2d, "average": AvgPool2d})
        self.conv1 = Conv2d(in_channels, 6, 5, padding=2)
        self.pool1 = pool(2)
        self.conv2 = Conv2d(6, 16, 5, padding=padding)
        self.pool2 = pool(2)
        side = (14 + 2 * padding - 4) // 2
        self.fc1 = Linear(16 * side * side, 120)
        self.fc2 = Linear(120, 84)
        self.fc3 = Linear(84, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return one score per class."""
        x = self.pool1(self.activation(self.conv1(x)))  # (N, 6, 14, 14)
        x = self.pool2(self.activation(self.conv2(x)))  # (N, 16, 7, 7) or (N, 16, 5, 5)
        x = self.activation(self.fc1(x.flatten(1)))  # (N, 120)
        scores: Tensor = self.fc3(self.activation(self.fc2(x)))  # (N, num_classes)
        return scores


@register(input_shape=(1, 32, 32))
def lenet5(
    num_classes: int = 10,
    in_channels: int = 1,
    activation: str = "tanh",
    pooling: str = "average",
    connections: str = "full",
) -> LeNet5:
    """LeNet-5 (1998) for 32x32 images: 61,706 parameters; tanh and average pooling, or ReLU and maximum."""
    return LeNet5(num_classes, in_channels, activation, pooling, connections)


@register(input_shape=(1, 32, 32))
def lenet5_paper(num_classes: int = 10, in_channels: int = 1) -> LeNet5:
    """LeNet-5 (1998) as published: scaled tanh, trained subsampling, C3 connected by the table."""
    return LeNet5(num_classes, in_channels, "scaled_tanh", "trained", "table")


@register(input_shape=(1, 28, 28))
def lenet_dlib(num_classes: int = 10, in_channels: int = 1) -> LeNet28:
    """dlib's LeNet for 28x28 images: ReLU, max pooling, both convolutions padded."""
    return LeNet28(num_classes, in_channels, padding=2, activation="relu", pooling="max")


@register(input_shape=(1, 28, 28))
def lenet_d2l(
    num_classes: int = 10, in_channels: int = 1, activation: str = "relu", pooling: str = "average"
) -> LeNet28:
    """LeNet of "Dive into deep learning" for 28x28 images, with ReLU (or the book's sigmoid)."""
    model = LeNet28(num_classes, in_channels, 0, activation, pooling)
    initialize_xavier(model)
    return model
