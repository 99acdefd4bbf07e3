"""The gradient checks of every layer, function and operation, over odd configurations: a table to read.

The configurations are those that careless code gets wrong: H != W, kernel height != width, unequal strides,
asymmetric padding, windows that do not tile the input, groups, dilation, one sample, one channel, one pixel,
inputs below zero or on a kink, regions outside the image and on the .5 boundaries of rounding. What a row
means is said in `minidnn.check_row`; `minidnn gradcheck` runs the table.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np

from minidnn import functional, nn
from minidnn.check_row import (
    LayerCheck,
    distinct,
    fixed,
    function,
    given,
    indices,
    module,
    negative,
    normal,
    operation,
    positive,
    probabilities,
    zeros,
)
from minidnn.tensor import Tensor

# fmt: off
# One row, one line, where it fits: a table.

CONVOLUTION = (
    function("conv2d", "kernel 3x2, stride 2x1", normal(2, 3, 7, 5), normal(4, 3, 3, 2), normal(4),
             stride=(2, 1)),
    function("conv2d", "padding 1 + 2, 0 + 1", normal(1, 2, 5, 4), normal(3, 2, 3, 2),
             padding=((1, 2), (0, 1))),
    function("conv2d", "windows do not tile", normal(1, 2, 8, 6), normal(2, 2, 3, 3), normal(2),
             stride=(3, 2)),
    function("conv2d", "dilation 2x3", normal(1, 2, 7, 9), normal(2, 2, 3, 2), normal(2), dilation=(2, 3)),
    function("conv2d", "groups 2", normal(2, 4, 5, 4), normal(6, 2, 3, 2), normal(6), padding=(1, 0),
             groups=2),
    function("conv2d", "depthwise, multiplier 2", normal(2, 3, 6, 5), normal(6, 1, 3, 2), normal(6),
             groups=3),
    function("conv2d", "depthwise, stride 2x1, dilation 1x2", normal(1, 3, 7, 6), normal(3, 1, 3, 2),
             normal(3), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=3),
    function("conv2d", "one channel, one pixel", normal(1, 1, 1, 1), normal(1, 1, 1, 1), normal(1)),
    function("conv2d", "kernel as large as the input", normal(2, 2, 4, 3), normal(3, 2, 4, 3), normal(3)),
    function("conv2d", "padding same, even kernel", normal(1, 2, 5, 4), normal(2, 2, 2, 4), padding="same"),
    function("conv2d", "unbatched", normal(2, 5, 4), normal(3, 2, 3, 2), normal(3)),
    function("conv2d", "no samples", normal(0, 2, 5, 4), normal(3, 2, 3, 2), normal(3)),
    module("Conv2d", "kernel 3x2, stride 2x1, groups 2", (4, 6, (3, 2)), normal(2, 4, 7, 5), stride=(2, 1),
           groups=2),
    module("Conv2d", "reflect padding, no bias", (2, 3, 3), normal(1, 2, 5, 4), padding=1,
           padding_mode="reflect", bias=False),
    function("conv_transpose2d", "kernel 3x2, stride 2x1", normal(2, 3, 4, 3), normal(3, 4, 3, 2),
             normal(4), stride=(2, 1)),
    function("conv_transpose2d", "output padding, groups 2", normal(1, 4, 3, 4), normal(4, 2, 3, 2),
             normal(4), stride=(3, 2), padding=(1, 0), output_padding=(2, 1), groups=2),
    function("conv_transpose2d", "dilation 2x3", normal(1, 2, 3, 2), normal(2, 3, 2, 3), dilation=(2, 3)),
    function("conv_transpose2d", "one channel, one pixel", normal(1, 1, 1, 1), normal(1, 1, 2, 3), normal(1)),
    function("conv_transpose2d", "unbatched", normal(2, 3, 4), normal(2, 3, 3, 2), normal(3)),
    module("ConvTranspose2d", "kernel 3x2, stride 2", (3, 4, (3, 2)), normal(2, 3, 3, 4), stride=2,
           padding=1),
    function("locally_connected2d", "kernel 3x2, stride 2x1", normal(2, 3, 7, 5), normal(3, 4, 2, 3, 3, 2),
             normal(2, 3, 4), stride=(2, 1)),
    function("locally_connected2d", "padding 1 + 2, 0 + 1, dilation 1x2", normal(1, 2, 4, 4),
             normal(5, 3, 2, 2, 3, 2), padding=((1, 2), (0, 1)), dilation=(1, 2)),
    function("locally_connected2d", "unbatched, one channel", normal(1, 3, 4), normal(2, 3, 1, 1, 2, 2),
             normal(1, 2, 3)),
    module("LocallyConnected2d", "windows do not tile, no bias", (2, 3, (6, 5), 2), normal(2, 2, 6, 5),
           stride=3, bias=False),
)

POOLING = (
    function("max_pool2d", "kernel 3x2, stride 2x1", distinct(2, 2, 7, 5), (3, 2), stride=(2, 1)),
    function("max_pool2d", "overlapping, padding 1x0", distinct(2, 2, 6, 5), (3, 2), stride=(1, 2),
             padding=(1, 0)),
    function("max_pool2d", "windows do not tile, ceil mode", distinct(1, 2, 8, 6), 3, stride=(3, 2),
             ceil_mode=True),
    function("max_pool2d", "dilation 2x1", distinct(1, 2, 7, 6), (2, 3), stride=1, dilation=(2, 1)),
    function("max_pool2d", "below zero, padded", negative(2, 1, 5, 4), 3, stride=2, padding=1),
    function("max_pool2d", "ties", zeros(1, 1, 4, 4), 2),
    function("max_pool2d", "one pixel", distinct(1, 1, 1, 1), 1),
    function("max_pool2d", "returned indices, unbatched", distinct(2, 5, 4), 2, return_indices=True),
    module("MaxPool2d", "kernel 3x2, stride 2", ((3, 2),), distinct(2, 2, 7, 5), stride=2, padding=1),
    function("avg_pool2d", "kernel 3x2, stride 2x1", normal(2, 2, 7, 5), (3, 2), stride=(2, 1)),
    function("avg_pool2d", "padding counted", normal(1, 2, 6, 5), (3, 2), stride=2, padding=(1, 1)),
    function("avg_pool2d", "padding not counted", normal(1, 2, 6, 5), 3, stride=2, padding=1,
             count_include_pad=False),
    function("avg_pool2d", "windows do not tile, ceil mode", normal(1, 2, 8, 6), 3, stride=(3, 2),
             padding=1, ceil_mode=True),
    function("avg_pool2d", "own divisor", normal(1, 2, 5, 4), (2, 3), divisor_override=5),
    function("avg_pool2d", "one pixel, unbatched", normal(1, 1, 1), 1),
    module("AvgPool2d", "kernel 3x2, stride 2", ((3, 2),), normal(2, 2, 7, 5), stride=2),
    function("adaptive_max_pool2d", "bins overlap, 3x2", distinct(2, 2, 7, 5), (3, 2)),
    function("adaptive_max_pool2d", "more bins than pixels", distinct(1, 2, 2, 3), (3, 4)),
    function("adaptive_max_pool2d", "below zero, returned indices", negative(1, 2, 5, 4), 2,
             return_indices=True),
    module("AdaptiveMaxPool2d", "3 x all", ((3, None),), distinct(2, 2, 5, 4)),
    function("adaptive_avg_pool2d", "bins overlap, 3x2", normal(2, 2, 7, 5), (3, 2)),
    function("adaptive_avg_pool2d", "more bins than pixels", normal(1, 2, 2, 3), (3, 4)),
    function("adaptive_avg_pool2d", "one bin, unbatched", normal(2, 5, 4), 1),
    module("AdaptiveAvgPool2d", "all x 3", ((None, 3),), normal(2, 2, 5, 4)),
    function("global_avg_pool2d", "5x4", normal(2, 3, 5, 4)),
    function("global_avg_pool2d", "one pixel", normal(1, 1, 1, 1)),
    function("global_max_pool2d", "5x4", distinct(2, 3, 5, 4)),
    function("global_max_pool2d", "below zero", negative(2, 1, 3, 4)),
    function("max_unpool2d", "3x2 from 2x2", normal(1, 2, 2, 2),
             indices([[[[0, 3], [8, 10]], [[1, 2], [9, 11]]]]), (2, 2)),
    function("max_unpool2d", "stride 3x2, given size", normal(1, 1, 2, 2), indices([[[[0, 4], [11, 27]]]]),
             (2, 2), stride=(3, 2), output_size=(7, 4)),
    module("MaxUnpool2d", "stride 2", (2,), normal(1, 1, 2, 3), indices([[[[0, 3, 5], [12, 15, 23]]]])),
)

# Corners in image units; at scale 1/2 many fall on .5, where the rounding of ROI pooling decides.
_BOXES = fixed([[0, 1, 1, 9, 7], [1, 3, 0, 8, 13], [0, 2, 2, 2, 2], [1, -6, -5, 5, 6], [0, 7, 5, 30, 20]])
_OUTSIDE = fixed([[0, 40, 40, 60, 50], [0, -30, -20, -10, -8], [0, -4, 3, 4, 30]])

REGIONS = (
    function("roi_pool", "corners on .5, 3x2 bins", distinct(2, 2, 7, 6), _BOXES, (3, 2), spatial_scale=0.5),
    function("roi_pool", "outside the image", distinct(1, 2, 5, 4), _OUTSIDE, (2, 3), spatial_scale=0.5),
    function("roi_pool", "more bins than pixels", distinct(1, 2, 5, 4), fixed([[0, 1, 1, 2, 2]]), (4, 3)),
    function("roi_pool", "below zero", negative(2, 1, 7, 6), _BOXES, 2, spatial_scale=0.5),
    function("roi_pool", "one pixel", distinct(1, 1, 1, 1), fixed([[0, 0, 0, 0, 0]]), 1),
    module("RoIPool", "corners on .5", ((2, 3), 0.5), distinct(2, 2, 7, 6), _BOXES),
    function("roi_align", "corners on .5, 3x2 bins", normal(2, 2, 7, 6), _BOXES, (3, 2), spatial_scale=0.5),
    function("roi_align", "aligned, 2 samples", normal(2, 2, 7, 6), _BOXES, (2, 3), 0.5, sampling_ratio=2,
             aligned=True),
    function("roi_align", "outside the image", normal(1, 2, 5, 4), _OUTSIDE, (2, 3), spatial_scale=0.5),
    function("roi_align", "a list of boxes", normal(2, 1, 5, 4),
             [fixed([[0, 0, 3, 2]]), fixed([[1, 1, 2.5, 4]])], 2),
    function("roi_align", "one pixel", normal(1, 1, 1, 1), fixed([[0, 0, 0, 0, 0]]), (2, 1), aligned=True),
    module("RoIAlign", "3 samples", ((2, 3), 0.5, 3), normal(2, 2, 7, 6), _BOXES, aligned=True),
)

_MEAN, _VARIANCE = fixed([0.3, -0.2, 0.1]), fixed([0.6, 1.7, 0.9])

NORMALIZATION = (
    function("batch_norm", "training, rank 2", normal(5, 3), None, None, normal(3), normal(3), training=True),
    function("batch_norm", "training, rank 3", normal(3, 3, 4), None, None, normal(3), normal(3),
             training=True),
    function("batch_norm", "training, rank 4", normal(2, 3, 4, 3), _MEAN, _VARIANCE, normal(3), normal(3),
             training=True),
    function("batch_norm", "training, rank 5", normal(2, 3, 2, 3, 2), None, None, normal(3), training=True),
    function("batch_norm", "training, one sample, one channel", normal(1, 1, 3, 2), None, None,
             training=True),
    function("batch_norm", "inference, rank 2", normal(4, 3), _MEAN, _VARIANCE, normal(3), normal(3)),
    function("batch_norm", "inference, rank 4", normal(2, 3, 3, 4), _MEAN, _VARIANCE, normal(3), normal(3),
             eps=0.1),
    function("batch_norm", "inference, rank 5, no weight", normal(1, 3, 2, 1, 2), _MEAN, _VARIANCE),
    module("BatchNorm1d", "training", (3,), normal(4, 3)),
    module("BatchNorm1d", "inference, rank 3", (3,), normal(2, 3, 4), training=False),
    module("BatchNorm2d", "training", (2,), normal(2, 2, 4, 3)),
    module("BatchNorm2d", "inference", (2,), normal(1, 2, 4, 3), training=False),
    module("BatchNorm2d", "inference without running statistics", (2,), normal(2, 2, 3, 2), training=False,
           track_running_stats=False),
    module("BatchNorm3d", "training", (2,), normal(2, 2, 2, 3, 2)),
    function("local_response_norm", "size 3", normal(2, 5, 3, 2), 3, alpha=0.5, beta=0.75, k=2.0),
    function("local_response_norm", "even size", normal(1, 4, 2, 3), 4, alpha=0.7, beta=0.5),
    function("local_response_norm", "size beyond the channels", normal(2, 2, 2, 2), 7, alpha=2.0),
    function("local_response_norm", "one channel, rank 3", normal(2, 1, 4), 1, alpha=1.0),
    module("LocalResponseNorm", "size 5", (5,), normal(1, 6, 2, 2), alpha=1.0, k=2.0),
)

RESIZING = (
    function("interpolate", "nearest, scale 2x3", normal(1, 2, 3, 2), scale_factor=(2.0, 3.0)),
    function("interpolate", "nearest, 7x5 to 3x4", normal(1, 2, 7, 5), size=(3, 4)),
    function("interpolate", "bilinear, 3x4 to 7x5", normal(2, 2, 3, 4), size=(7, 5), mode="bilinear"),
    function("interpolate", "bilinear, aligned corners", normal(1, 2, 4, 3), size=(7, 5), mode="bilinear",
             align_corners=True),
    function("interpolate", "bilinear, scale 0.6", normal(1, 2, 7, 5), scale_factor=0.6, mode="bilinear"),
    function("interpolate", "bilinear, one pixel", normal(1, 1, 1, 1), size=(2, 3), mode="bilinear"),
    module("Upsample", "bilinear, scale 2", (), normal(1, 2, 3, 2), scale_factor=2, mode="bilinear"),
    function("pad", "constant 1 + 2, 0 + 3", normal(2, 1, 3, 4), (1, 2, 0, 3), value=0.5),
    function("pad", "constant, negative", normal(1, 2, 5, 4), (-1, 2, 1, -2)),
    function("pad", "reflect 2 + 1, 1 + 0", normal(1, 2, 3, 4), (2, 1, 1, 0), mode="reflect"),
    function("pad", "replicate 3 + 1, 0 + 2", normal(1, 2, 3, 2), (3, 1, 0, 2), mode="replicate"),
    function("pad", "replicate, one pixel", normal(1, 1, 1, 1), (2, 1, 1, 3), mode="replicate"),
    module("ZeroPad2d", "1 + 0, 2 + 1", ((1, 0, 2, 1),), normal(1, 2, 3, 2)),
    module("ConstantPad2d", "1 + 2, negative", ((1, 2, -1, 0), 3.5), normal(2, 1, 3, 2)),
    module("ReflectionPad2d", "1 + 0, 2 + 1", ((1, 0, 2, 1),), normal(1, 2, 3, 2)),
    module("ReplicationPad2d", "1 + 3, 0 + 2", ((1, 3, 0, 2),), normal(1, 2, 3, 2)),
)

DENSE = (
    function("linear", "no bias", normal(3, 4), normal(2, 4)),
    function("linear", "rank 3", normal(2, 3, 4), normal(5, 4), normal(5)),
    function("linear", "one vector", normal(4), normal(3, 4), normal(3)),
    function("linear", "one sample, one feature", normal(1, 1), normal(1, 1), normal(1)),
    module("Linear", "5 to 3", (5, 3), normal(2, 5)),
    module("Linear", "no bias", (4, 2), normal(3, 4), bias=False),
    function("flatten", "from axis 1", normal(2, 3, 2, 2), 1),
    module("Flatten", "axes 1 to 2", (1, 2), normal(2, 3, 2, 2)),
    module("Identity", "3x2", (), normal(3, 2)),
)

RANDOM = (
    function("dropout", "half", normal(4, 5), 0.5, seeded=True),
    function("dropout", "nothing dropped", normal(2, 3), 0.0, seeded=True),
    function("dropout", "everything dropped", normal(2, 3), 1.0, seeded=True),
    function("dropout", "inference", normal(2, 3), 0.5, training=False),
    module("Dropout", "a third", (0.3,), normal(3, 4), seeded=True),
    module("Dropout", "inference", (0.3,), normal(3, 4), training=False),
)


def _activation(name: str, layer: str, *arguments: float) -> tuple[LayerCheck, ...]:
    """The rows that every activation has, as a function and as a module."""
    return (
        function(name, "5x4", normal(5, 4), *arguments),
        function(name, "below zero", negative(2, 3), *arguments),
        function(name, "zero", zeros(2, 2), *arguments),
        function(name, "far from zero", given([-7.0, -3.0, 3.0, 6.0, 9.0]), *arguments),
        module(layer, "rank 4", arguments, normal(1, 2, 3, 2)),
    )


ACTIVATIONS = (
    *_activation("relu", "ReLU"),
    operation("relu", "in place", lambda x: functional.relu(1.5 * x, inplace=True), normal(2, 3)),
    *_activation("relu6", "ReLU6"),
    *_activation("leaky_relu", "LeakyReLU", 0.2),
    *_activation("sigmoid", "Sigmoid"),
    *_activation("tanh", "Tanh"),
    *_activation("hardsigmoid", "Hardsigmoid"),
    *_activation("hardswish", "Hardswish"),
    *_activation("silu", "SiLU"),
    operation("silu", "in place", lambda x: functional.silu(1.5 * x, inplace=True), normal(2, 3)),
    *_activation("gelu", "GELU"),
    function("gelu", "tanh approximation", normal(3, 4), approximate="tanh"),
    module("GELU", "tanh approximation", ("tanh",), normal(3, 4)),
    function("softmax", "along rows", normal(3, 4), -1),
    function("softmax", "along channels", normal(2, 3, 2, 2), 1),
    function("softmax", "large and small", given([[-30.0, 0.5, 31.0], [4.0, 4.0, 4.0]]), 1),
    function("softmax", "one class", normal(2, 1), 1),
    module("Softmax", "along columns", (0,), normal(3, 4)),
    function("log_softmax", "along rows", normal(3, 4), -1),
    function("log_softmax", "along channels", normal(2, 3, 2, 2), 1),
    function("log_softmax", "large and small", given([[-30.0, 0.5, 31.0], [4.0, 4.0, 4.0]]), 1),
    module("LogSoftmax", "along columns", (0,), normal(3, 4)),
)

_LABELS, _WITH_IGNORED, _PLANE = indices([2, 0, 3]), indices([2, -100, 3]), indices([[[0, 2], [1, 1]]])
_WEIGHTED = (0.5, 1.5, 1.0, 2.0)
_WEIGHTS = fixed(_WEIGHTED)

LOSSES = (
    function("cross_entropy", "mean", normal(3, 4), _LABELS),
    function("cross_entropy", "sum", normal(3, 4), _LABELS, reduction="sum"),
    function("cross_entropy", "none, planes", normal(1, 3, 2, 2), _PLANE, reduction="none"),
    function("cross_entropy", "class weights, ignored labels", normal(3, 4), _WITH_IGNORED, _WEIGHTS),
    function("cross_entropy", "own ignored label", normal(3, 4), _LABELS, ignore_index=0),
    function("cross_entropy", "label smoothing, weights", normal(3, 4), _WITH_IGNORED, _WEIGHTS,
             label_smoothing=0.2),
    function("cross_entropy", "soft targets", normal(3, 4), probabilities(3, 4)),
    function("cross_entropy", "soft targets, weights, smoothing", normal(3, 4), probabilities(3, 4), _WEIGHTS,
             label_smoothing=0.1),
    function("cross_entropy", "one sample without a batch", normal(4), indices(2)),
    function("cross_entropy", "large and small", given([[-40.0, 0.0, 41.0, 1.0]]), indices([0])),
    module("CrossEntropyLoss", "label smoothing", (), normal(3, 4), _LABELS, label_smoothing=0.1),
    function("nll_loss", "mean", normal(3, 4), _LABELS),
    function("nll_loss", "class weights, ignored labels", normal(3, 4), _WITH_IGNORED, _WEIGHTS),
    function("nll_loss", "none, planes", normal(1, 3, 2, 2), _PLANE, reduction="none"),
    module("NLLLoss", "sum", (), normal(3, 4), _LABELS, reduction="sum"),
    function("mse_loss", "mean", normal(3, 4), normal(3, 4)),
    function("mse_loss", "none", normal(3, 4), normal(3, 4), reduction="none"),
    function("mse_loss", "weights", normal(3, 4), normal(3, 4), weight=fixed([_WEIGHTED] * 3)),
    module("MSELoss", "sum", (), normal(3, 4), normal(3, 4), reduction="sum"),
    function("l1_loss", "mean", normal(3, 4), normal(3, 4)),
    function("smooth_l1_loss", "beta 0", normal(3, 4), normal(3, 4), beta=0.0),
    function("l1_loss", "equal values", zeros(2, 2), zeros(2, 2), reduction="none"),
    function("l1_loss", "weights, sum", normal(3, 4), normal(3, 4), weight=fixed([_WEIGHTED] * 3),
             reduction="sum"),
    module("L1Loss", "sum", (), normal(3, 4), normal(3, 4), reduction="sum"),
    function("smooth_l1_loss", "mean", normal(3, 4), normal(3, 4)),
    function("smooth_l1_loss", "beta 0.3", normal(3, 4), normal(3, 4), beta=0.3, reduction="sum"),
    function("smooth_l1_loss", "at beta", given([0.5, -0.5, 0.0]), zeros(3), beta=0.5, reduction="none"),
    module("SmoothL1Loss", "none", (), normal(3, 4), normal(3, 4), reduction="none"),
    function("binary_cross_entropy_with_logits", "mean", normal(3, 4), probabilities(3, 4)),
    function("binary_cross_entropy_with_logits", "weights", normal(3, 4), probabilities(3, 4),
             weight=_WEIGHTS),
    function("binary_cross_entropy_with_logits", "positive weights, sum", normal(3, 4), probabilities(3, 4),
             pos_weight=_WEIGHTS, reduction="sum"),
    function("binary_cross_entropy_with_logits", "large and small", given([-50.0, 0.0, 50.0]),
             fixed([1.0, 0.5, 0.0])),
    module("BCEWithLogitsLoss", "none", (), normal(2, 3), probabilities(2, 3), reduction="none"),
    function("multi_margin_loss", "mean", normal(3, 4), _LABELS),
    function("multi_margin_loss", "squared, margin 0.7, weights", normal(3, 4), _LABELS, 2, 0.7, _WEIGHTS),
    module("MultiMarginLoss", "none", (), normal(3, 4), _LABELS, reduction="none"),
)

JOINING = (
    function("cat", "along channels", [normal(2, 1, 3, 2), normal(2, 3, 3, 2), normal(2, 2, 3, 2)], 1),
    function("cat", "along the last axis, one empty", [normal(2, 3), normal(2, 0), normal(2, 1)], -1),
    function("stack", "new last axis", [normal(2, 3), normal(2, 3)], -1),
    function("split", "uneven sizes", normal(2, 5, 2), [1, 3, 1], 1),
    function("split", "a shorter last part", normal(5, 2), 2),
    function("chunk", "three of five", normal(2, 5), 3, 1),
    module("Concat", "two branches", lambda: (nn.Conv2d(2, 1, 1), nn.Conv2d(2, 2, 3, padding=1)),
           normal(1, 2, 4, 3)),
    module("Sequential", "convolution, tanh, linear",
           lambda: (nn.Conv2d(1, 2, (2, 3)), nn.Tanh(), nn.Flatten(), nn.Linear(8, 2)), normal(2, 1, 3, 4)),
)

_CHECKERED = np.array([[True, False, True], [False, True, False]])
_ROWS, _PLACES = np.array([2, 0, 2]), np.array([[1, 0, 1], [2, 2, 0]])


def _assigned(base: Tensor, value: Tensor) -> Tensor:
    """Columns 1 and 2 of a clone of `base` replaced by `value`."""
    changed = base.clone()
    changed[:, 1:] = value
    return changed * base


def _in_place(x: Tensor, y: Tensor) -> Tensor:
    """x e^y + y, one change in place after the other."""
    result = x.clone()
    result *= y.exp()
    result += y
    return result


ARITHMETIC = (
    operation("+", "broadcast 3x1x2 and 4x1", lambda a, b: a + b, normal(3, 1, 2), normal(4, 1)),
    operation("+", "a number", lambda a: 2.5 + a, normal(2, 3)),
    operation("-", "a scalar, broadcast", lambda a, b: a - b, normal(), normal(2, 3)),
    operation("*", "broadcast both ways", lambda a, b: a * b, normal(3, 1), normal(1, 4)),
    operation("*", "by itself", lambda a: a * a, normal(2, 3)),
    operation("/", "broadcast", lambda a, b: a / b, normal(2, 3), positive(3)),
    operation("/", "a number by", lambda a: 2.0 / a, positive(2, 3)),
    operation("%", "broadcast", lambda a, b: a % b, normal(3, 2), positive(2)),
    operation("**", "whole exponent, below zero", lambda a: a**3, negative(2, 3)),
    operation("**", "broken exponent", lambda a: a**-1.5, positive(2, 3)),
    operation("**", "both, broadcast", lambda a, b: a**b, positive(3, 1), normal(2)),
    operation("**", "a number to the power", lambda a: 2.0**a, normal(2, 3)),
    operation("in place", "*= and +=", _in_place, normal(2, 3), normal(3)),
    operation("neg", "3x2", lambda a: -a, normal(3, 2)),
    operation("abs", "3x2", lambda a: a.abs(), normal(3, 2)),
    operation("abs", "zero", lambda a: a.abs(), zeros(3)),
    operation("exp", "3x2", lambda a: a.exp(), normal(3, 2)),
    operation("log", "3x2", lambda a: a.log(), positive(3, 2)),
    operation("sqrt", "3x2", lambda a: a.sqrt(), positive(3, 2)),
    operation("square", "3x2", lambda a: a.square(), normal(3, 2)),
    operation("sin", "3x2", lambda a: a.sin(), normal(3, 2)),
    operation("cos", "3x2", lambda a: a.cos(), normal(3, 2)),
    operation("sign", "3x2", lambda a: a.sign() * a, normal(3, 2)),
    operation("floor", "3x2", lambda a: a.floor() * a, normal(3, 2)),
    operation("round", "3x2", lambda a: a.round() * a, normal(3, 2)),
    function("clamp", "both ends", normal(4, 3), -0.5, 0.7),
    function("clip", "above only, at the end", given([0.7, 0.7, 0.0, 1.0]), None, 0.7),
    function("maximum", "broadcast", normal(3, 1), normal(2)),
    function("minimum", "ties", zeros(2, 2), zeros(2)),
    function("where", "broadcast", _CHECKERED, normal(2, 3), normal(3)),
    operation("masked_fill", "a checkered mask", lambda a: a.masked_fill(_CHECKERED, 2.0), normal(2, 3)),
    function("matmul", "matrices", normal(3, 4), normal(4, 2)),
    function("matmul", "matrix and vector", normal(3, 4), normal(4)),
    function("matmul", "vector and matrix", normal(3), normal(3, 4)),
    function("matmul", "vectors", normal(4), normal(4)),
    operation("@", "batches, broadcast", lambda a, b: a @ b, normal(2, 1, 3, 2), normal(3, 2, 4)),
    operation("@", "a vector and batches", lambda a, b: a @ b, normal(2), normal(3, 2, 4)),
)

REDUCTIONS = (
    operation("sum", "all", lambda a: a.sum(), normal(2, 3)),
    operation("sum", "axes 0 and 2, kept", lambda a: a.sum((0, 2), keepdim=True), normal(2, 3, 2)),
    operation("mean", "axis 1", lambda a: a.mean(1), normal(2, 3, 2)),
    operation("var", "all", lambda a: a.var(), normal(3, 2)),
    operation("var", "biased, axis 0", lambda a: a.var(0, unbiased=False), normal(3, 2)),
    operation("std", "axis 1, kept", lambda a: a.std(1, keepdim=True), normal(2, 4)),
    operation("prod", "with a zero", lambda a: a.prod(), given([1.5, 0.0, -2.0])),
    operation("prod", "axis 1", lambda a: a.prod(1), normal(2, 3)),
    operation("norm", "axis 0", lambda a: a.norm(dim=0), normal(3, 2)),
    operation("norm", "of order 1", lambda a: a.norm(1), normal(3, 2)),
    operation("norm", "largest", lambda a: a.norm(float("inf")), distinct(3, 2)),
    operation("amax", "ties along axis 0", lambda a: a.amax(0), zeros(3, 2)),
    operation("amin", "two axes, kept", lambda a: a.amin((0, 2), keepdim=True), distinct(2, 3, 2)),
    operation("max", "along axis 1, with indices", lambda a: tuple(a.max(1)), distinct(3, 4)),
    operation("min", "all", lambda a: a.min(), distinct(3, 4)),
    operation("cumsum", "axis 1", lambda a: a.cumsum(1), normal(2, 4)),
)

SHAPES = (
    operation("reshape", "2x6 to 3x4", lambda a: a.reshape(3, 4), normal(2, 6)),
    operation("unflatten", "6 to 2x3", lambda a: a.unflatten(1, (2, 3)), normal(2, 6)),
    operation("squeeze", "axes of one", lambda a: a.squeeze(), normal(1, 3, 1)),
    operation("unsqueeze", "at the end", lambda a: a.unsqueeze(-1), normal(2, 3)),
    operation("transpose", "axes 0 and 2", lambda a: a.transpose(0, 2), normal(2, 3, 4)),
    operation("permute", "turned about", lambda a: a.permute(2, 0, 1), normal(2, 3, 4)),
    operation("expand", "1x3 to 4x2x3", lambda a: a.expand(4, 2, 3), normal(1, 3)),
    operation("repeat", "2x1 to 2x4x3", lambda a: a.repeat(2, 2, 3), normal(2, 1)),
    operation("narrow", "the middle", lambda a: a.narrow(1, 1, 2), normal(2, 4)),
    operation("unbind", "axis 1", lambda a: a.unbind(1), normal(2, 3)),
    operation("[]", "slices with steps", lambda a: a[1:, ::2], normal(3, 5)),
    operation("[]", "repeated rows", lambda a: a[_ROWS], normal(3, 2)),
    operation("[]", "rows, new axis, ellipsis", lambda a: a[_ROWS, None, ..., 1], normal(3, 2, 2)),
    operation("[]", "a mask", lambda a: a[_CHECKERED], normal(2, 3)),
    operation("[] =", "columns", _assigned, normal(3, 3), normal(3, 1)),
    operation("gather", "along axis 0, repeated", lambda a: a.gather(0, _PLACES), normal(3, 3)),
    operation("index_select", "repeated columns", lambda a: a.index_select(1, _ROWS), normal(2, 3)),
    operation("clone", "2x3", lambda a: a.clone(), normal(2, 3)),
)

# fmt: on

Groups: TypeAlias = Mapping[str, tuple[LayerCheck, ...]]

GROUPS: Groups = {
    "convolution": CONVOLUTION,
    "pooling": POOLING,
    "regions": REGIONS,
    "normalization": NORMALIZATION,
    "resizing": RESIZING,
    "dense": DENSE,
    "random": RANDOM,
    "activations": ACTIVATIONS,
    "losses": LOSSES,
    "joining": JOINING,
    "arithmetic": ARITHMETIC,
    "reductions": REDUCTIONS,
    "shapes": SHAPES,
}
CHECKS: tuple[LayerCheck, ...] = tuple(row for group in GROUPS.values() for row in group)


def select(names: Sequence[str]) -> Groups:
    """Return the rows of the named layers or groups, by group in the table's order (all for no names).

    Case and underscores do not matter, so that "conv2d" finds the function and the module.

    Raises:
        ValueError: a name that nothing has; the message offers near ones.
    """
    known = {_plain(name): name for name in [*GROUPS, *(row.layer for row in CHECKS)]}
    for name in names:
        if _plain(name) not in known:
            near = difflib.get_close_matches(_plain(name), known, n=3)
            offer = f"did you mean {' or '.join(known[word] for word in near)}?" if near else _hint()
            raise ValueError(f"unknown layer {name!r}; {offer}")
    wanted = {_plain(name) for name in names} or set(known)
    chosen = {
        group: tuple(row for row in rows if _plain(group) in wanted or _plain(row.layer) in wanted)
        for group, rows in GROUPS.items()
    }
    return {group: rows for group, rows in chosen.items() if rows}


def _plain(name: str) -> str:
    return name.lower().replace("_", "")


def _hint() -> str:
    return f"the groups of layers are {', '.join(GROUPS)}"
