"""The parts that the small, fast networks share: MobileNet, EfficientNet, MixNet and ShuffleNet.

Their keys in a `state_dict` are torchvision's: "0" and "1" for a convolution and its batch norm, "fc1" and
"fc2" for the two layers of a squeeze-and-excitation block.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from kernels.window import strided_same_padding
from minidnn import init, ones
from minidnn.functional import conv2d, dropout
from minidnn.functional.dropout import check_probability
from minidnn.nn import AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Linear, Module, ReLU, Sequential, Sigmoid
from minidnn.tensor import Tensor

PADDINGS = ("torch", "tensorflow")


def make_divisible(channels: float, divisor: int = 8) -> int:
    """Round to a multiple of `divisor`, at least `divisor`, and never more than a tenth down.

    Half a divisor rounds up. Source: Sandler et al., "MobileNetV2", 2018, the authors' published code.
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


class SameConv2d(Conv2d):
    """A convolution in TensorFlow's "same" padding, which depends on the size of the map.

    The output has ceil(H / stride) rows; where the zeros cannot be shared evenly the last side gets one
    more, so at stride 2 the windows of an even map start one pixel later than with PyTorch's padding.

    Args: as `Conv2d`'s, but that there is no bias unless one is asked for.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        groups: int = 1,
        bias: bool = False,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, groups=groups, bias=bias)

    def forward(self, x: Any) -> Tensor:
        """Pad (N, C, H, W) according to H and W, and convolve."""
        height, width = x.shape[-2:]
        padding = strided_same_padding((height, width), self.kernel_size, self.stride, self.dilation)
        return conv2d(x, self.weight, self.bias, self.stride, padding, groups=self.groups)

    def extra_repr(self) -> str:
        """As Conv2d's, and the padding."""
        return f"{super().extra_repr()}, padding=tensorflow same"


def padded_convolution(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    stride: int = 1,
    groups: int = 1,
    padding: str = "torch",
) -> Conv2d:
    """Return a convolution without bias whose output has ceil(H / stride) rows, in one of two conventions.

    Args:
        padding: "torch": (kernel_size - 1) / 2 zeros on every side; "tensorflow": as few as are needed, an
            odd one last.

    Raises:
        ValueError: another padding.
    """
    if padding not in PADDINGS:
        raise ValueError(f"padding must be {' or '.join(PADDINGS)}, got {padding!r}")
    if padding == "tensorflow":
        return SameConv2d(in_channels, out_channels, kernel_size, stride, groups)
    return Conv2d(
        in_channels, out_channels, kernel_size, stride, (kernel_size - 1) // 2, groups=groups, bias=False
    )


class ConvNormActivation(Sequential):
    """A convolution without bias ("0"), batch norm ("1") and, unless it is None, an activation ("2").

    Args:
        in_channels, out_channels, kernel_size, stride, groups, padding: as `padded_convolution`'s.
        activation: the activation's class, or None.
        norm: builds the batch norm from its channels.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        stride: int = 1,
        groups: int = 1,
        padding: str = "torch",
        activation: Callable[[], Module] | None = ReLU,
        norm: Callable[[int], Module] = BatchNorm2d,
    ) -> None:
        layers: list[Module] = [
            padded_convolution(in_channels, out_channels, kernel_size, stride, groups, padding),
            norm(out_channels),
        ]
        if activation is not None:
            layers.append(activation())
        super().__init__(*layers)


class SqueezeExcitation(Module):
    """Weigh the channels by what the whole map holds: y = x * gate(fc2(act(fc1(mean x)))).

    Args:
        channels: channels of x.
        squeeze_channels: outputs of the first layer.
        activation: the class between the layers.
        gate: the class that makes weights of the second layer's outputs.

    Shapes: x (N, channels, H, W); result the same.

    Source: Hu et al., "Squeeze-and-excitation networks", 2017, section 3.
    """

    def __init__(
        self,
        channels: int,
        squeeze_channels: int,
        activation: Callable[[], Module] = ReLU,
        gate: Callable[[], Module] = Sigmoid,
    ) -> None:
        super().__init__()
        self.avgpool = AdaptiveAvgPool2d(1)
        self.fc1 = Conv2d(channels, squeeze_channels, 1)
        self.fc2 = Conv2d(squeeze_channels, channels, 1)
        self.activation = activation()
        self.scale_activation = gate()

    def forward(self, x: Tensor) -> Tensor:
        """Return x with its channels weighed."""
        squeezed = self.activation(self.fc1(self.avgpool(x)))  # (N, squeeze_channels, 1, 1)
        weights: Tensor = self.scale_activation(self.fc2(squeezed))  # (N, channels, 1, 1)
        return x * weights


class StochasticDepth(Module):
    """In training, drop whole images' residuals with probability p and divide the others by 1 - p.

    Args:
        p: the probability of dropping.

    Raises:
        ValueError: p outside [0, 1].
        TypeError: p is not a number.

    Shapes: x (N, ...); result the same.

    Source: Huang et al., "Deep networks with stochastic depth", 2016, section 3; one draw per image.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = check_probability(p)

    def forward(self, x: Tensor) -> Tensor:
        """Drop in training, pass in evaluation."""
        if not self.training or self.p == 0:
            return x
        kept = dropout(ones((len(x), *[1] * (x.ndim - 1)), dtype=x.dtype), self.p)  # (N, 1, ..., 1)
        return x * kept

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}"


def initialize(model: Module, linear_std: float | None = None) -> None:
    """Draw the weights as torchvision does for these networks; batch norms stay at 1 and 0.

    Convolutions: He's normal by the outgoing connections, bias 0. Linear layers: normal of standard
    deviation `linear_std`, or, if it is None, uniform within 1 / sqrt(outputs); bias 0.
    """
    for module in model.modules():
        if isinstance(module, Conv2d):
            init.kaiming_normal_(module.weight, mode="fan_out")
        elif isinstance(module, Linear) and linear_std is not None:
            init.normal_(module.weight, std=linear_std)
        elif isinstance(module, Linear):
            limit = 1 / math.sqrt(module.out_features)
            init.uniform_(module.weight, -limit, limit)
        else:
            continue
        if module.bias is not None:
            init.zeros_(module.bias)
