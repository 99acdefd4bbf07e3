"""GoogLeNet (2014): nine inception modules, 22 layers with weights, and seven million of them.

Paper: Szegedy, Liu, Jia, Sermanet, Reed, Anguelov, Erhan, Vanhoucke, Rabinovich, "Going deeper with
convolutions", arXiv:1409.4842 (CVPR 2015), table 1 and figures 2 and 3.

`googlenet` is the network of the table. What the paper leaves open is filled in as in its best-known
reproduction, Caffe's: response normalisation over 5 maps with alpha 1e-4, beta 0.75 and k 1, pooling
windows that may overhang (a 112 map then pools to 56, as the table says), Glorot's initialisation and biases
of 0.2.

Deviations of the other two:
- `googlenet_bn`, torchvision's: batch norm after every convolution in place of biases and response
  normalisation, a 3x3 convolution where the paper has 5x5, a 2x2 window in the last pooling, heads that pool
  to 4x4 whatever the input, and a dropout of 0.2 before the classifier where the paper has 0.4.
- `googlenet_d2l`, of the book "Dive into Deep Learning" (Zhang, Lipton, Li, Smola, section 8.4): no response
  normalisation, no heads, no dropout, pooling windows padded by 1, images of 1x96x96 and 10 classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from minidnn.nn import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    Dropout,
    Flatten,
    Identity,
    Linear,
    LocalResponseNorm,
    MaxPool2d,
    Module,
    ReLU,
    Sequential,
)
from minidnn.tensor import Tensor
from models.inception_blocks import (
    Branches,
    ConvBnReLU,
    ConvReLU,
    FromImageNetScale,
    initialize_glorot,
    initialize_truncated_normal,
)
from models.registry import register


class GoogLeNetOutputs(NamedTuple):
    """What GoogLeNet returns in training mode, each (N, num_classes), in torchvision's order.

    Attributes:
        logits: the scores.
        aux_logits2: those of the head behind inception 4d.
        aux_logits1: those of the head behind inception 4a.
    """

    logits: Tensor
    aux_logits2: Tensor
    aux_logits1: Tensor


@dataclass(frozen=True)
class Form:
    """In what the published GoogLeNets differ; the table's columns are the same for all.

    Attributes:
        unit: makes a convolution with what follows it.
        first: makes the first of them, 7x7 with stride 2 to 64 maps, from the images' channels.
        third_kernel: kernel size of the third branch.
        normalization: makes what follows the stem's first pooling and its last convolution.
        pool: makes a 3x3 pooling of stride 2 between stages.
        last_pool: makes the pooling before inception 5a.
        head_pool: makes the pooling that an auxiliary head begins with; it must give 4x4.
    """

    unit: Callable[..., Module]
    first: Callable[[int], Module]
    third_kernel: int
    normalization: Callable[[], Module]
    pool: Callable[[], Module]
    last_pool: Callable[[], Module]
    head_pool: Callable[[], Module]


def overhanging_pool() -> MaxPool2d:
    """The paper's pooling: 3x3, stride 2, the last window may overhang."""
    return MaxPool2d(3, 2, ceil_mode=True)


def padded_pool() -> MaxPool2d:
    """The book's pooling: 3x3, stride 2, padded by 1."""
    return MaxPool2d(3, 2, padding=1)


def published_head_pool() -> AvgPool2d:
    """The pooling of the paper's heads: 5x5, stride 3; 14x14 becomes 4x4."""
    return AvgPool2d(5, 3)


PAPER = Form(
    ConvReLU,
    first=lambda channels: ConvReLU(channels, 64, 7, stride=2, padding=3),
    third_kernel=5,
    normalization=lambda: LocalResponseNorm(5),
    pool=overhanging_pool,
    last_pool=overhanging_pool,
    head_pool=published_head_pool,
)
TORCHVISION = Form(
    ConvBnReLU,
    first=lambda channels: ConvBnReLU(channels, 64, 7, stride=2, padding=3),
    third_kernel=3,
    normalization=Identity,
    pool=overhanging_pool,
    last_pool=lambda: MaxPool2d(2, 2, ceil_mode=True),
    head_pool=lambda: AdaptiveAvgPool2d(4),
)
D2L = Form(
    ConvReLU,
    first=PAPER.first,
    third_kernel=5,
    normalization=Identity,
    pool=padded_pool,
    last_pool=padded_pool,
    head_pool=published_head_pool,
)


class InceptionNaive(Branches):
    """The inception module in its naive version, figure 2(a): what all the reductions are there to avoid.

        branch1    1x1
        branch2    3x3
        branch3    5x5
        branch4    3x3 max pooling, which keeps every map: each module is wider than the last

    Args:
        in_channels: channels of x.
        c1, c3, c5: channels of the 1x1, 3x3 and 5x5 convolutions, each followed by ReLU.

    Shapes: x (N, in_channels, H, W); result (N, c1 + c3 + c5 + in_channels, H, W).
    """

    def __init__(self, in_channels: int, c1: int, c3: int, c5: int) -> None:
        super().__init__(
            branch1=ConvReLU(in_channels, c1, 1),
            branch2=ConvReLU(in_channels, c3, 3, padding=1),
            branch3=ConvReLU(in_channels, c5, 5, padding=2),
            branch4=MaxPool2d(3, stride=1, padding=1),
        )


class Inception(Branches):
    """The inception module with dimension reductions, figure 2(b).

        branch1    1x1
        branch2    1x1 reduce, 3x3
        branch3    1x1 reduce, 5x5
        branch4    3x3 max pooling, 1x1 projection

    Args:
        form: which GoogLeNet it stands in.
        in_channels: channels of x.
        c1, c3_reduce, c3, c5_reduce, c5, pool_proj: channels, the columns of the paper's table 1.

    Shapes: x (N, in_channels, H, W); result (N, c1 + c3 + c5 + pool_proj, H, W).
    """

    def __init__(
        self,
        form: Form,
        in_channels: int,
        c1: int,
        c3_reduce: int,
        c3: int,
        c5_reduce: int,
        c5: int,
        pool_proj: int,
    ) -> None:
        unit, kernel = form.unit, form.third_kernel
        super().__init__(
            branch1=unit(in_channels, c1, 1),
            branch2=Sequential(unit(in_channels, c3_reduce, 1), unit(c3_reduce, c3, 3, padding=1)),
            branch3=Sequential(
                unit(in_channels, c5_reduce, 1), unit(c5_reduce, c5, kernel, padding=kernel // 2)
            ),
            branch4=Sequential(MaxPool2d(3, stride=1, padding=1), unit(in_channels, pool_proj, 1)),
        )


class AuxiliaryHead(Module):
    """A classifier on an inner map, which feeds gradients into the middle of the network in training.

        pooling to 4x4, 1x1 convolution to 128 maps, 1024 units, dropout, num_classes units

    Args:
        form: which GoogLeNet it belongs to.
        in_channels: channels of the map, which is 14x14 for the paper's images.
        num_classes: how many outputs.
        dropout: probability of dropping one of the 1024 units.

    Shapes: x (N, in_channels, 14, 14); result (N, num_classes).
    """

    def __init__(self, form: Form, in_channels: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.pool = form.head_pool()
        self.conv = form.unit(in_channels, 128, 1)
        self.fc1 = Linear(128 * 4 * 4, 1024)
        self.relu = ReLU()
        self.dropout = Dropout(dropout)
        self.fc2 = Linear(1024, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return one score per class."""
        x = self.conv(self.pool(x))  # (N, 128, 4, 4)
        x = self.dropout(self.relu(self.fc1(x.flatten(1))))  # (N, 1024)
        scores: Tensor = self.fc2(x)  # (N, num_classes)
        return scores


class GoogLeNet(Module):
    """GoogLeNet, row by row as in the paper's table 1, for images of 224x224.

        type           output         #1x1  #3x3 reduce  #3x3  #5x5 reduce  #5x5  pool proj
        conv 7x7/2     112x112x64
        max pool 3x3/2  56x56x64
        conv 3x3        56x56x192                 64      192
        max pool 3x3/2  28x28x192
        inception 3a    28x28x256       64        96      128       16        32      32
        inception 3b    28x28x480      128       128      192       32        96      64
        max pool 3x3/2  14x14x480
        inception 4a    14x14x512      192        96      208       16        48      64
        inception 4b    14x14x512      160       112      224       24        64      64
        inception 4c    14x14x512      128       128      256       24        64      64
        inception 4d    14x14x528      112       144      288       32        64      64
        inception 4e    14x14x832      256       160      320       32       128     128
        max pool 3x3/2    7x7x832
        inception 5a      7x7x832      256       160      320       32       128     128
        inception 5b      7x7x1024     384       192      384       48       128     128
        avg pool 7x7      1x1x1024
        dropout, linear   num_classes

    Args:
        form: which of the published variants.
        num_classes: how many outputs.
        in_channels: channels of the images.
        aux_logits: whether to build the two auxiliary heads.
        dropout: probability of dropping a unit before the classifier.
        dropout_aux: the same in the heads.
        transform_input: whether images come normalised by ImageNet's statistics and are brought to [-1, 1].

    Shapes: x (N, in_channels, H, W), 224x224 in the paper; result (N, num_classes), in training mode with
    heads `GoogLeNetOutputs`. Heads with the paper's pooling want a 4a map of 14 to 16 rows and columns.

    Raises:
        ValueError: transform_input with other than three channels.
    """

    def __init__(
        self,
        form: Form,
        num_classes: int,
        in_channels: int,
        aux_logits: bool,
        dropout: float,
        dropout_aux: float = 0.7,
        transform_input: bool = False,
    ) -> None:
        super().__init__()
        if transform_input and in_channels != 3:
            raise ValueError(f"transform_input needs images of 3 channels, got in_channels={in_channels}")
        unit = form.unit
        self.transform = FromImageNetScale() if transform_input else Identity()
        self.conv1 = form.first(in_channels)
        self.maxpool1 = form.pool()
        self.norm1 = form.normalization()
        self.conv2 = unit(64, 64, 1)
        self.conv3 = unit(64, 192, 3, padding=1)
        self.norm2 = form.normalization()
        self.maxpool2 = form.pool()
        self.inception3a = Inception(form, 192, 64, 96, 128, 16, 32, 32)
        self.inception3b = Inception(form, 256, 128, 128, 192, 32, 96, 64)
        self.maxpool3 = form.pool()
        self.inception4a = Inception(form, 480, 192, 96, 208, 16, 48, 64)
        self.inception4b = Inception(form, 512, 160, 112, 224, 24, 64, 64)
        self.inception4c = Inception(form, 512, 128, 128, 256, 24, 64, 64)
        self.inception4d = Inception(form, 512, 112, 144, 288, 32, 64, 64)
        self.inception4e = Inception(form, 528, 256, 160, 320, 32, 128, 128)
        self.maxpool4 = form.last_pool()
        self.inception5a = Inception(form, 832, 256, 160, 320, 32, 128, 128)
        self.inception5b = Inception(form, 832, 384, 192, 384, 48, 128, 128)
        self.aux1 = AuxiliaryHead(form, 512, num_classes, dropout_aux) if aux_logits else None
        self.aux2 = AuxiliaryHead(form, 528, num_classes, dropout_aux) if aux_logits else None
        self.avgpool = AdaptiveAvgPool2d(1)
        self.dropout = Dropout(dropout)
        self.fc = Linear(1024, num_classes)

    def forward(self, x: Tensor) -> Tensor | GoogLeNetOutputs:
        """Return one score per class; in training mode those of the heads too."""
        x = self.norm1(self.maxpool1(self.conv1(self.transform(x))))  # (N, 64, 56, 56)
        x = self.maxpool2(self.norm2(self.conv3(self.conv2(x))))  # (N, 192, 28, 28)
        x = self.maxpool3(self.inception3b(self.inception3a(x)))  # (N, 480, 14, 14)
        x = inner1 = self.inception4a(x)  # (N, 512, 14, 14)
        x = inner2 = self.inception4d(self.inception4c(self.inception4b(x)))  # (N, 528, 14, 14)
        x = self.maxpool4(self.inception4e(x))  # (N, 832, 7, 7)
        x = self.inception5b(self.inception5a(x))  # (N, 1024, 7, 7)
        scores: Tensor = self.fc(self.dropout(self.avgpool(x).flatten(1)))  # (N, num_classes)
        if self.training and self.aux1 is not None and self.aux2 is not None:
            return GoogLeNetOutputs(scores, self.aux2(inner2), self.aux1(inner1))
        return scores


@register(input_shape=(192, 28, 28))
def inception_naive(num_classes: int = 1000, in_channels: int = 192) -> Sequential:
    """Inception module without reductions (2014), as wide as GoogLeNet's 3a, and a linear classifier."""
    module = InceptionNaive(in_channels, 64, 128, 32)
    classifier = Linear(64 + 128 + 32 + in_channels, num_classes)
    return Sequential(
        {"inception": module, "avgpool": AdaptiveAvgPool2d(1), "flatten": Flatten(), "fc": classifier}
    )


@register(input_shape=(3, 224, 224))
def googlenet(
    num_classes: int = 1000,
    in_channels: int = 3,
    aux_logits: bool = True,
    dropout: float = 0.4,
    dropout_aux: float = 0.7,
) -> GoogLeNet:
    """GoogLeNet (2014) as published: 13,378,280 parameters, 6,998,552 without the auxiliary heads."""
    model = GoogLeNet(PAPER, num_classes, in_channels, aux_logits, dropout, dropout_aux)
    initialize_glorot(model, bias=0.2)
    return model


@register(input_shape=(3, 224, 224))
def googlenet_bn(
    num_classes: int = 1000,
    in_channels: int = 3,
    aux_logits: bool = True,
    dropout: float = 0.2,
    dropout_aux: float = 0.7,
    transform_input: bool = False,
) -> GoogLeNet:
    """GoogLeNet with batch norm, torchvision's: 13,004,888 parameters, 6,624,904 without the heads.

    torchvision's weight file was trained on images in [-1, 1]: give it those, or images normalised by
    ImageNet's mean and deviation with `transform_input`.
    """
    model = GoogLeNet(
        TORCHVISION, num_classes, in_channels, aux_logits, dropout, dropout_aux, transform_input
    )
    initialize_truncated_normal(model, std=0.01)
    return model


@register(input_shape=(1, 96, 96))
def googlenet_d2l(num_classes: int = 10, in_channels: int = 1) -> GoogLeNet:
    """GoogLeNet of "Dive into Deep Learning": no normalisation, heads or dropout, for 1x96x96."""
    return GoogLeNet(D2L, num_classes, in_channels, aux_logits=False, dropout=0.0)
