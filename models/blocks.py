"""What several architectures share."""

from __future__ import annotations

from collections.abc import Iterable

from minidnn.init import constant_, kaiming_normal_, normal_, xavier_uniform_, zeros_
from minidnn.nn import Conv2d, Linear, Module


def initialize_convolutions(model: Module, mode: str = "fan_out") -> None:
    """Fill every convolution's weight from N(0, 2 / fan), as networks of ReLUs ask for (kaiming_normal_).

    Args:
        model: all convolutions in it are filled.
        mode: "fan_out" keeps the variance of the gradients, "fan_in" that of the activations.

    Source: He et al., "Delving deep into rectifiers", ICCV 2015, section 2.2.
    """
    for module in model.modules():
        if isinstance(module, Conv2d):
            kaiming_normal_(module.weight, mode=mode, nonlinearity="relu")


def initialize_xavier(model: Module) -> None:
    """Fill the weight of every convolution and fully connected layer by xavier_uniform_.

    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks",
    AISTATS 2010; as "Dive into deep learning" begins its networks.
    """
    for module in model.modules():
        if isinstance(module, Conv2d | Linear):
            xavier_uniform_(module.weight)


def initialize_normal(layers: Iterable[Module], std: float, bias: float) -> None:
    """Fill the layers' weights from N(0, std^2) and their biases with one value."""
    for layer in layers:
        normal_(layer.weight, std=std)
        constant_(layer.bias, bias)


def zero_biases(model: Module) -> None:
    """Fill the bias of every convolution and fully connected layer with 0."""
    for module in model.modules():
        if isinstance(module, Conv2d | Linear) and module.bias is not None:
            zeros_(module.bias)
