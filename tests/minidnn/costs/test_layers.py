"""Costs by a layer's arguments, held to the engine's arrays, to PyTorch's counter and to counts by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import kernels
from minidnn import Tensor, costs, nn
from minidnn.costs import LayerCost
from minidnn.costs.elementwise import activation_cost, batch_norm_cost, loss_cost
from minidnn.costs.weighted import conv2d_cost, linear_cost
from minidnn.explanation.calculator import CALCULATORS, cost

WEIGHTED = [
    ("conv2d", {"in_channels": 4, "out_channels": 6, "kernel_size": (3, 2), "stride": (2, 1),
                "padding": (1, 0), "dilation": (1, 2), "groups": 2, "size": (7, 6), "batch": 3}),
    ("conv2d", {"in_channels": 3, "out_channels": 5, "padding": "same", "kernel_size": (3, 5), "bias": False,
                "size": (5, 6)}),
    ("depthwise_conv2d", {"in_channels": 4, "kernel_size": 3, "padding": 1, "size": (5, 4)}),
    ("separable_conv2d", {"in_channels": 3, "out_channels": 5, "kernel_size": 3, "size": 6, "bias": False}),
    ("conv_transpose2d", {"in_channels": 4, "out_channels": 6, "kernel_size": (3, 2), "stride": (2, 3),
                          "padding": (1, 0), "output_padding": (1, 2), "groups": 2, "size": (3, 4)}),
    ("conv_transpose2d", {"in_channels": 4, "out_channels": 6, "kernel_size": (3, 2), "size": (3, 4),
                          "dilation": 2, "bias": False}),
    ("linear", {"in_features": 7, "out_features": 5, "batch": 3}),
    ("linear", {"in_features": 7, "out_features": 5, "batch": 3, "bias": False}),
]  # fmt: skip


def layer(name: str, arguments: dict[str, Any], library: Any) -> tuple[Any, tuple[int, ...]]:
    """The layer in a library (minidnn.nn or torch.nn) and the shape of its input."""
    given = dict(arguments)
    batch, size = given.pop("batch", 1), given.pop("size", None)
    if name == "linear":
        return library.Linear(**given), (batch, given["in_features"])
    height, width = (size, size) if isinstance(size, int) else size
    shape = (batch, given["in_channels"], height, width)
    if name == "depthwise_conv2d":
        channels = given["in_channels"]
        return library.Conv2d(**given, out_channels=channels, groups=channels), shape
    if name == "separable_conv2d":
        channels, outputs = given["in_channels"], given.pop("out_channels")
        depthwise = library.Conv2d(**given, out_channels=channels, groups=channels)
        return library.Sequential(depthwise, library.Conv2d(channels, outputs, 1, bias=given["bias"])), shape
    return (library.ConvTranspose2d if "transpose" in name else library.Conv2d)(**given), shape


@pytest.mark.parametrize(("name", "arguments"), WEIGHTED, ids=lambda value: str(value)[:40])
def test_shapes_parameters_and_bytes_are_the_engines(name: str, arguments: dict[str, Any]) -> None:
    module, shape = layer(name, arguments, nn)
    found = cost(name, **arguments)
    x = Tensor(np.ones(shape, np.float32))
    with kernels.use(backend="reference"):
        y = module(x)
    parameters = [parameter.data for parameter in module.parameters()]
    assert (found.input, found.output) == (x.shape, y.shape)
    assert found.parameters.value == sum(array.size for array in parameters)
    if name != "separable_conv2d":  # which also writes and reads what stands between its two layers
        arrays = [x.data, y.data, *parameters]
        assert found.forward.bytes == sum(array.nbytes for array in arrays)
        weights = [array.nbytes for array in parameters]
        assert found.backward.bytes == y.data.nbytes + 2 * x.data.nbytes + weights[0] + sum(weights)


@pytest.mark.reference
@pytest.mark.parametrize(("name", "arguments"), WEIGHTED, ids=lambda value: str(value)[:40])
def test_multiply_adds_are_what_torch_counts(name: str, arguments: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    module, shape = layer(name, arguments, torch.nn)
    x = torch.ones(shape, requires_grad=True)
    with FlopCounterMode(display=False) as forward:
        y = module(x)
    with FlopCounterMode(display=False) as backward:
        y.backward(torch.ones_like(y))
    found = cost(name, **arguments)
    assert tuple(y.shape) == found.output
    assert 2 * found.forward.multiply_adds.value == forward.get_total_flops()
    assert found.backward.multiply_adds.value == 2 * found.forward.multiply_adds.value
    if all(getattr(each, "groups", 1) == 1 for each in module.modules()):  # its backward overlooks groups
        assert 2 * found.backward.multiply_adds.value == backward.get_total_flops()


def counting(values: list[int], found: LayerCost) -> None:
    operations = [found.forward.operations.value, found.backward.operations.value]
    assert operations == values


def test_pooling_counts_every_entry_of_every_window() -> None:
    # 2 channels, windows of 3 x 2 at stride 2 on 5 x 6 padded by 1 and 0: 3 x 3 places.
    pooled = {"kernel_size": (3, 2), "stride": 2, "padding": (1, 0), "channels": 2, "size": (5, 6)}
    counting([2 * 9 * 6, 2 * 9], cost("max_pool2d", **pooled))
    counting([2 * 9 * 6 + 2 * 9, 2 * 9 * 6 + 2 * 9], cost("avg_pool2d", **pooled))
    assert cost("max_pool2d", **pooled).output == (1, 2, 3, 3)
    # Rows 5 in 3 bins: 0-1, 1-3, 3-4; columns 4 in 3 bins: 0-1, 1-2, 2-3: 7 and 6 entries.
    bins = {"output_size": 3, "channels": 2, "size": (5, 4)}
    counting([2 * 7 * 6 + 18, 2 * 7 * 6 + 18], cost("adaptive_avg_pool2d", **bins))
    counting([2 * 7 * 6, 18], cost("adaptive_max_pool2d", **bins))
    # 3 regions of 14 x 14 in 7 x 7 bins: every pixel once, in each of 2 channels.
    regions = {"regions": 3, "region_size": 14, "output_size": 7, "channels": 2, "size": 20}
    counting([3 * 2 * 196, 3 * 2 * 49], cost("roi_pool", **regions))
    # 2 x 2 samples a bin, 8 operations each, and one division.
    counting([6 * 49 * 33] * 2, cost("roi_align", **regions))
    counting([6 * 49 * 73] * 2, cost("roi_align", **{**regions, "sampling_ratio": 3}))


def test_bytes_of_pooling_hold_the_places_of_maxima() -> None:
    found = cost("max_pool2d", channels=3, size=(4, 6))
    x, y = 3 * 24 * 4, 3 * 6 * 4
    assert found.forward.bytes == x + y + 2 * y
    assert found.backward.bytes == y + 2 * y + x


def test_batch_norm_and_elementwise() -> None:
    training, evaluation = (cost("batch_norm", channels=3, size=2, training=mode) for mode in (True, False))
    counting([8 * 12, 9 * 12], training)
    counting([4 * 12, 6 * 12], evaluation)
    assert training.parameters.value == 6
    assert training.forward.bytes == evaluation.forward.bytes == 4 * (12 + 12 + 4 * 3)
    counting([6, 6], activation_cost("relu", (2, 3)))
    assert activation_cost("relu", (2, 3)).forward.intensity == 6 / 48
    labels = loss_cost("nll_loss", (4, 3), (4,), labels=True)
    assert labels.forward.bytes == 4 * 12 + 8 * 4 + 4
    assert labels.backward.bytes == 4 + 8 * 4 + 4 * 12


def test_flops_are_two_per_multiply_add_and_the_others() -> None:
    found = linear_cost((2, 3), 5)
    assert found.forward.flops == 2 * 30 + 10
    assert found.backward.flops == 2 * 60 + 10
    assert found.backward.multiply_adds.formula == "2 x N x O x I"


def test_layers_after_each_other_add_up() -> None:
    first = conv2d_cost((1, 3, 6, 6), 4, 3)
    both = first.then(conv2d_cost(first.output, 2, 1))
    assert (both.input, both.output) == ((1, 3, 6, 6), (1, 2, 4, 4))
    assert both.forward.multiply_adds.value == 16 * 4 * 27 + 16 * 2 * 4
    assert both.parameters.value == 4 * 27 + 4 + 8 + 2


@pytest.mark.parametrize("name", CALCULATORS)
def test_every_calculator_has_a_usual_setting(name: str) -> None:
    found = cost(name)
    assert found.forward.flops > 0
    assert found.backward.bytes > 0
    assert math.prod(found.output) > 0


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: conv2d_cost((1, 3, 6), 4, 3), "x must have shape"),
        (lambda: conv2d_cost((1, 3, 0, 6), 4, 3), "height must be at least 1, got 0"),
        (lambda: cost("conv2d", groups=5), "groups must divide in_channels, got groups=5 and in_channels=64"),
        (lambda: cost("conv2d", size=2), "smaller than the window's extent 3"),
        (lambda: cost("conv2d", out_channels=0), "out_channels must be at least 1, got 0"),
        (lambda: cost("conv2d", size=-3), "size must be at least 1, got -3"),
        (lambda: cost("conv2"), "there are no cost formulas of 'conv2'; did you mean conv2d"),
        (lambda: cost("xyzzy"), "there are no cost formulas of 'xyzzy'; there are conv2d, "),
        (lambda: linear_cost((), 3), "x must have at least 1 dimension"),
        (lambda: batch_norm_cost((3,)), "x must have at least 2 dimensions"),
    ],
)
def test_mistakes_are_told(made: Callable[[], LayerCost], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made()


def test_a_count_of_nothing() -> None:
    assert costs.Count().times(2) == costs.Count()
