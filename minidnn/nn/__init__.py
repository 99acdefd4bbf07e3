"""Layers and losses as modules, with PyTorch's names, arguments and initialisation."""

from minidnn.nn import utils
from minidnn.nn.activation import (
    GELU,
    Hardsigmoid,
    Hardswish,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)
from minidnn.nn.container import Concat, ModuleList, Sequential
from minidnn.nn.convolution import Conv2d, ConvTranspose2d, LazyConv2d
from minidnn.nn.dropout import Dropout
from minidnn.nn.interpolation import Upsample
from minidnn.nn.linear import Flatten, Identity, LazyLinear, Linear
from minidnn.nn.locally_connected import LocallyConnected2d
from minidnn.nn.loss import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    L1Loss,
    MSELoss,
    MultiMarginLoss,
    NLLLoss,
    SmoothL1Loss,
)
from minidnn.nn.module import Module, Parameter
from minidnn.nn.normalization import BatchNorm1d, BatchNorm2d, BatchNorm3d, LocalResponseNorm
from minidnn.nn.padding import ConstantPad2d, ReflectionPad2d, ReplicationPad2d, ZeroPad2d
from minidnn.nn.pooling import AdaptiveAvgPool2d, AdaptiveMaxPool2d, AvgPool2d, MaxPool2d, MaxUnpool2d
from minidnn.nn.roi import RoIAlign, RoIPool

__all__ = [
    "GELU",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool2d",
    "AvgPool2d",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "Concat",
    "ConstantPad2d",
    "Conv2d",
    "ConvTranspose2d",
    "CrossEntropyLoss",
    "Dropout",
    "Flatten",
    "Hardsigmoid",
    "Hardswish",
    "Identity",
    "L1Loss",
    "LazyConv2d",
    "LazyLinear",
    "LeakyReLU",
    "Linear",
    "LocalResponseNorm",
    "LocallyConnected2d",
    "LogSoftmax",
    "MSELoss",
    "MaxPool2d",
    "MaxUnpool2d",
    "Module",
    "ModuleList",
    "MultiMarginLoss",
    "NLLLoss",
    "Parameter",
    "ReLU",
    "ReLU6",
    "ReflectionPad2d",
    "ReplicationPad2d",
    "RoIAlign",
    "RoIPool",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "Softmax",
    "Tanh",
    "Upsample",
    "ZeroPad2d",
    "utils",
]
