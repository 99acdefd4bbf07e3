"""Operations, bytes and lengths of sums, against counts by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import cost, shapes
from benchmarks.arguments import ArraySpec
from benchmarks.network_benchmark import operations
from kernels.window import Window

# 5 filters of 3x2 over 4 channels in 2 groups, on 2 images of 7x6, stride 2x1, padding 1x0: 4x5 positions.
X, WEIGHT, WINDOW = ArraySpec((2, 4, 7, 6)), ArraySpec((6, 2, 3, 2)), Window.of((3, 2), (2, 1), (1, 0))
Y = ArraySpec((2, 6, 4, 5))
MULTIPLY_ADDS = 2 * 6 * 4 * 5 * (2 * 3 * 2)  # every output: 2 channels of its group times 6 taps


@pytest.mark.parametrize(
    ("operation", "arguments", "length"),
    [
        ("conv2d_forward", (X, WEIGHT, None, WINDOW, 2), 2 * 6 + 1),
        ("conv2d_backward_input", (Y, WEIGHT, X.shape, WINDOW, 2), 3 * 6),
        ("conv2d_backward_weight", (Y, X, WINDOW, 2), 2 * 4 * 5),
    ],
)
def test_convolutions(operation: str, arguments, length: int) -> None:
    assert cost.direct_operations(operation, arguments) == 2 * MULTIPLY_ADDS
    assert cost.reduction_length(operation, arguments) == length


def test_depthwise_counts_one_channel_per_output() -> None:
    x, weight, window = ArraySpec((1, 3, 6, 5)), ArraySpec((3, 1, 3, 3)), Window.of(3, 1, 1)
    y = ArraySpec((1, 3, 6, 5))
    wanted = 2 * 3 * 6 * 5 * 9
    assert cost.direct_operations("depthwise_conv2d_forward", (x, weight, None, window)) == wanted
    arguments = (y, weight, x.shape, window)
    assert cost.direct_operations("depthwise_conv2d_backward_input", arguments) == wanted
    assert cost.direct_operations("depthwise_conv2d_backward_weight", (y, x, window)) == wanted


def test_linear() -> None:
    x, weight, y = ArraySpec((8, 30)), ArraySpec((10, 30)), ArraySpec((8, 10))
    assert cost.direct_operations("linear_forward", (x, weight, None)) == 2 * 8 * 30 * 10
    assert cost.direct_operations("linear_backward_input", (y, weight)) == 2 * 8 * 30 * 10
    assert cost.direct_operations("linear_backward_weight", (y, x)) == 2 * 8 * 30 * 10


def test_winograd_performs_a_quarter_where_its_tiles_fit() -> None:
    x, weight, window = ArraySpec((1, 16, 8, 8)), ArraySpec((32, 16, 3, 3)), Window.of(3, 1, 1)
    arguments = (x, weight, None, window, 1)
    direct = cost.direct_operations("conv2d_forward", arguments)
    assert cost.performed_operations("conv2d_forward", arguments, "cpu winograd_4x4") * 4 == direct
    assert cost.performed_operations("conv2d_forward", arguments, "cpu fused_im2col") == direct
    small = cost.performed_operations("conv2d_forward", arguments, "cpu winograd_2x2")
    assert small * 9 == direct * 4  # 16 multiplications where the direct algorithm does 36
    ragged = (ArraySpec((1, 16, 7, 7)), weight, None, window, 1)  # as many tiles as on 8x8
    assert cost.performed_operations("conv2d_forward", ragged, "cpu winograd_4x4") * 4 == direct


def test_winograds_gradients_cut_other_planes_into_tiles() -> None:
    window, weight = Window.of(3, 1, 1), ArraySpec((32, 8, 3, 3))
    x, y = ArraySpec((2, 16, 8, 4)), ArraySpec((2, 32, 8, 4))
    for operation, arguments in (
        ("conv2d_backward_input", (y, weight, x.shape, window, 2)),
        ("conv2d_backward_weight", (y, x, window, 2)),
    ):
        direct = cost.direct_operations(operation, arguments)
        assert direct == 2 * (2 * 32 * 8 * 4) * (8 * 9)
        assert cost.performed_operations(operation, arguments, "cpu winograd_4x4") * 4 == direct


def test_bytes_count_every_array_once() -> None:
    arguments = (ArraySpec((2, 3)), None, (ArraySpec((4,)), ArraySpec((5,), "int64")), 7)
    assert cost.moved_bytes(arguments, [np.zeros(3, np.float32)]) == 24 + 16 + 40 + 12


def test_networks_have_the_published_operations() -> None:
    """VGG-16: 15.3 G mult-adds in the convolutions, 123.6 M in its 3 linear layers; MobileNet: 569 M."""
    direct, least = operations("vgg16", 1)
    assert direct / 2 == pytest.approx(15.346e9 + 123.6e6, rel=1e-3)
    assert least < direct / 3
    assert operations("vgg16", 8)[0] == 8 * direct
    assert operations("mobilenet_v1", 1)[0] / 2 == pytest.approx(569e6, rel=5e-3)
    assert {layer.network for layer in shapes.layers()} >= set(shapes.NETWORKS)
