"""Layers and losses as modules, with PyTorch's names, arguments and initialisation."""

from minidnn.nn.container import Concat, ModuleList, Sequential
from minidnn.nn.convolution import Conv2d, ConvTranspose2d, LazyConv2d
from minidnn.nn.linear import Flatten, Identity, LazyLinear, Linear
from minidnn.nn.module import Module, Parameter
from minidnn.nn.pooling import AdaptiveAvgPool2d, AdaptiveMaxPool2d, AvgPool2d, MaxPool2d, MaxUnpool2d
from minidnn.nn.roi import RoIAlign, RoIPool

__all__ = [
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool2d",
    "AvgPool2d",
    "Concat",
    "Conv2d",
    "ConvTranspose2d",
    "Flatten",
    "Identity",
    "LazyConv2d",
    "LazyLinear",
    "Linear",
    "MaxPool2d",
    "MaxUnpool2d",
    "Module",
    "ModuleList",
    "Parameter",
    "RoIAlign",
    "RoIPool",
    "Sequential",
]
