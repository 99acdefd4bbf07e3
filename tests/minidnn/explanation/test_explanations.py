"""Worked examples: every equation that is printed is true, and there is one for every layer."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from minidnn import nn
from minidnn.explanation import CATALOGUE, Explanation, explain, names
from minidnn.explanation.catalogue import entry
from tests.minidnn.explanation.equations import check
from tests.program import ENVIRONMENT

# Modules that compute nothing themselves.
NO_LAYERS = {"Module", "ModuleList", "Parameter", "Sequential", "utils"}

# Numbers are printed with four decimals: sums of rounded numbers are as exact as that.
ROUNDED = 2e-3
# In these, what is printed is all there is: few digits, and only sums, products and shares.
EXACT = {
    "conv2d", "grouped_conv2d", "depthwise_conv2d", "conv_transpose2d", "locally_connected2d", "max_pool2d",
    "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d", "global_avg_pool2d", "global_max_pool2d",
    "max_unpool2d", "roi_pool", "linear", "flatten", "identity", "concat", "relu", "relu6", "leaky_relu",
    "zero_pad", "constant_pad", "reflection_pad", "replication_pad", "dropout", "l1_loss",
}  # fmt: skip


def explained_layers() -> set[str]:
    return {layer for family in CATALOGUE.values() for entry in family.values() for layer in entry.layers}


def test_every_layer_of_nn_has_an_explanation() -> None:
    layers = {
        name for name in nn.__all__ if name not in NO_LAYERS and issubclass(getattr(nn, name), nn.Module)
    }
    assert explained_layers() == layers
    for layer in layers:
        assert entry(layer) == entry(layer.lower())


@pytest.mark.parametrize("name", names())
def test_every_equation_is_true(name: str) -> None:
    for seed in (0, 5):
        explanation = explain(name, seed=seed)
        assert len(list(explanation.equations())) >= 2
        check(explanation, 1e-9 if name in EXACT else ROUNDED)


@pytest.mark.parametrize("name", names())
def test_every_layer_has_forward_backward_and_cost(name: str) -> None:
    explanation = explain(name)
    headings = [step.heading for step in explanation.steps]
    assert any("backward" in heading for heading in headings)
    assert any(equation.target.startswith("grad_") for equation in explanation.equations())
    assert all(len(heading) <= 74 for heading in headings), headings
    assert (explanation.cost is None) == (name in ("flatten", "identity"))


ODD = [
    ("conv2d", {"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 0), "dilation": (1, 2),
                "size": (5, 6)}),
    ("conv2d", {"in_channels": 4, "out_channels": 6, "groups": 2, "padding": "same", "bias": False}),
    ("conv2d", {"kernel_size": 3, "padding": 2, "size": 9, "in_channels": 3}),
    ("depthwise_conv2d", {"in_channels": 3, "kernel_size": 3, "padding": 1, "stride": 2, "size": (4, 5)}),
    ("conv_transpose2d", {"in_channels": 4, "out_channels": 2, "groups": 2, "kernel_size": (2, 3),
                          "output_padding": (1, 0), "padding": (0, 1), "size": (3, 2)}),
    ("conv_transpose2d", {"dilation": 2, "stride": 1, "bias": False}),
    ("locally_connected2d", {"in_channels": 2, "out_channels": 2, "stride": (1, 2), "padding": 1,
                             "bias": False}),
    ("linear", {"bias": False, "batch": 1, "in_features": 7}),
    ("max_pool2d", {"kernel_size": (3, 2), "stride": (1, 2), "padding": (1, 0), "size": (5, 5)}),
    ("max_pool2d", {"kernel_size": 3, "dilation": 2, "stride": 1, "size": (6, 7), "channels": 2}),
    ("max_pool2d", {"ceil_mode": True, "size": (5, 5)}),
    ("avg_pool2d", {"kernel_size": 3, "padding": 1, "stride": 1}),
    ("avg_pool2d", {"kernel_size": 3, "padding": 1, "count_include_pad": False, "ceil_mode": True}),
    ("avg_pool2d", {"kernel_size": 3, "ceil_mode": True, "stride": 2, "size": (4, 6)}),
    ("adaptive_avg_pool2d", {"output_size": (3, 4), "size": (5, 7)}),
    ("adaptive_max_pool2d", {"output_size": 3, "size": (4, 7), "channels": 2}),
    ("max_unpool2d", {"kernel_size": (2, 3), "size": (5, 7)}),
    ("roi_pool", {"box": (24, 8, 40, 120), "output_size": (3, 2), "channels": 2}),
    ("roi_pool", {"box": (200, 8, 300, 20), "output_size": 2}),
    ("global_max_pool2d", {"size": 1}),
    ("flatten", {"channels": 3, "size": (1, 4)}),
    ("concat", {"channels": (64, 128, 32, 32), "size": 1}),
    ("concat", {"channels": 2}),
    ("reflection_pad", {"padding": (2, 1, 0, 1), "size": (3, 4)}),
    ("replication_pad", {"padding": 2}),
    ("constant_pad", {"padding": (0, 1, 1, 0), "value": 2.5}),
    ("dropout", {"p": 0.25}),
    ("dropout", {"training": False}),
    ("dropout", {"p": 1.0}),
    ("leaky_relu", {"negative_slope": 0.25}),
]  # fmt: skip

ODD_ROUNDED = [
    ("batch_norm", {"training": False}),
    ("batch_norm", {"batch": 3, "channels": 1, "size": (1, 2), "eps": 0.01, "momentum": 0.3}),
    ("local_response_norm", {"size": 4, "channels": 6, "alpha": 0.2, "beta": 0.5, "k": 2.0}),
    ("interpolate", {"mode": "nearest", "output_size": (5, 4)}),
    ("interpolate", {"align_corners": True, "output_size": (3, 5)}),
    ("interpolate", {"size": (4, 3), "output_size": (4, 7)}),
    ("roi_align", {"aligned": True, "sampling_ratio": -1, "output_size": (3, 2)}),
    ("roi_align", {"box": (0, 0, 127, 95), "output_size": 3, "channels": 2}),
    ("softmax", {"size": 1}),
    ("log_softmax", {"size": 6}),
    ("cross_entropy", {"label_smoothing": 0.1, "reduction": "sum", "classes": 5, "batch": 3}),
    ("nll_loss", {"reduction": "sum", "batch": 3}),
    ("multi_margin_loss", {"p": 2, "margin": 0.5, "batch": 3, "classes": 4}),
    ("smooth_l1_loss", {"beta": 0.5, "reduction": "sum"}),
    ("mse_loss", {"count": 1}),
    ("binary_cross_entropy_with_logits", {"count": 6, "reduction": "sum"}),
]


@pytest.mark.parametrize(("name", "arguments"), ODD, ids=lambda value: str(value))
def test_odd_settings(name: str, arguments: dict[str, Any]) -> None:
    for seed in (1, 3):
        check(explain(name, **arguments, seed=seed), 1e-9)


@pytest.mark.parametrize(("name", "arguments"), ODD_ROUNDED, ids=lambda value: str(value))
def test_odd_settings_with_rounded_numbers(name: str, arguments: dict[str, Any]) -> None:
    check(explain(name, **arguments, seed=2), ROUNDED)


def grid(explanation: Explanation, name: str) -> np.ndarray:
    """The plane of that name."""
    (found,) = [np.array(grid.rows) for grid in explanation.grids() if grid.name == name]
    return found


def test_columns_and_rows_multiply_to_the_output() -> None:
    """The matrices that are shown: W X + b = Y."""
    explanation = explain("conv2d", seed=4)
    product = grid(explanation, "W") @ grid(explanation, "X")
    for channel, row in enumerate(product):
        plane = grid(explanation, f"y[0,{channel}]")
        bias = plane.ravel() - row
        assert np.ptp(bias) < 1e-12


def test_arguments_are_told() -> None:
    explanation = explain("conv2d", kernel_size=(3, 2), bias=False, seed=9)
    assert explanation.arguments["--kernel-size"] == "3x2"
    assert explanation.arguments["--no-bias"] == ""
    assert explanation.arguments["--seed"] == "9"
    assert next(iter(explanation.arguments)) == "conv2d"


def test_one_seed_one_example() -> None:
    assert explain("conv2d", seed=3) == explain("conv2d", seed=3)
    assert explain("conv2d", seed=3) != explain("conv2d", seed=4)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("conv", {}, "there is no explanation of 'conv'; did you mean conv2d"),
        ("xyzzy", {}, "there is no explanation of 'xyzzy'; `minidnn explain` lists them"),
        (
            "conv2d",
            {"kernel_size": 5},
            "input height 3 with padding 0 + 0 is smaller than the window's extent 5",
        ),
        ("conv2d", {"groups": 3}, "groups must divide in_channels, got groups=3 and in_channels=2"),
        ("conv2d", {"size": -3}, "size must be at least 1, got -3"),
        ("conv2d", {"size": (200, 200)}, "an example must have at most 20,000 elements, got 80,000"),
        ("conv2d", {"size": (60, 60)}, "an example must have at most 20,000 products, got"),
        ("conv2d", {"seed": -1}, "seed must be at least 0, got -1"),
        ("roi_pool", {"box": (1, 2, 3)}, "--box must be x1,y1,x2,y2 like 8x20x88x72, got 1x2x3"),
        ("cross_entropy", {"reduction": "none"}, "--reduction must be mean or sum, got 'none'"),
        ("smooth_l1_loss", {"beta": 0.0}, "--beta must be above 0, got 0.0; with 0 it is l1_loss"),
        ("dropout", {"p": 1.5}, "p must be at most 1, got 1.5"),
        ("zero_pad", {"padding": (1, 2)}, "--padding must be left,right,top,bottom like 1,2,1,0, got 1x2"),
        ("interpolate", {"mode": "nearest", "align_corners": True}, "align_corners must be None in mode"),
        ("conv2d", {"kernel_size": 2, "dilation": 4, "padding": 2, "size": 1}, "got padding under all taps"),
    ],
)
def test_mistakes_are_told_in_a_sentence(name: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        explain(name, **arguments)


def test_nothing_is_compiled() -> None:
    """Explanations run on the kernels whose text is the definition: the first one comes at once."""
    program = (
        "import sys\nfrom minidnn.explanation import explain, names\n"
        "for name in names(): explain(name)\nprint('numba' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=ENVIRONMENT
    )
    assert result.stdout == "False\n"
