"""Which layers there are explanations for, and what each needs to be told."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from minidnn.explanation.activation import (
    explain_gelu,
    explain_hardsigmoid,
    explain_hardswish,
    explain_leaky_relu,
    explain_log_softmax,
    explain_relu,
    explain_relu6,
    explain_sigmoid,
    explain_silu,
    explain_softmax,
    explain_tanh,
)
from minidnn.explanation.adaptive_pooling import (
    explain_adaptive_avg_pool2d,
    explain_adaptive_max_pool2d,
    explain_global_avg_pool2d,
    explain_global_max_pool2d,
)
from minidnn.explanation.content import Explanation
from minidnn.explanation.convolution import (
    explain_conv2d,
    explain_conv_transpose2d,
    explain_depthwise_conv2d,
    explain_locally_connected2d,
)
from minidnn.explanation.dense import explain_cat, explain_flatten, explain_identity, explain_linear
from minidnn.explanation.dropout import explain_dropout
from minidnn.explanation.loss import (
    explain_binary_cross_entropy_with_logits,
    explain_cross_entropy,
    explain_l1_loss,
    explain_mse_loss,
    explain_multi_margin_loss,
    explain_nll_loss,
    explain_smooth_l1_loss,
)
from minidnn.explanation.normalization import explain_batch_norm, explain_local_response_norm
from minidnn.explanation.notes import NOTES
from minidnn.explanation.pooling import explain_avg_pool2d, explain_max_pool2d
from minidnn.explanation.regions import explain_roi_align, explain_roi_pool
from minidnn.explanation.resizing import explain_interpolate, explain_pad
from minidnn.explanation.settings import shown, suggestion
from minidnn.explanation.unpooling import explain_max_unpool2d


@dataclass(frozen=True)
class Entry:
    """An explanation that there is.

    Attributes:
        explain: makes it.
        layers: the classes of `minidnn.nn` that it speaks of.
        preset: arguments that differ from the explanation's own defaults.
    """

    explain: Callable[..., Explanation]
    layers: tuple[str, ...]
    preset: Mapping[str, Any]


def _entry(explain: Callable[..., Explanation], *layers: str, **preset: Any) -> Entry:
    return Entry(explain, layers, preset)


CATALOGUE: Mapping[str, Mapping[str, Entry]] = {
    "convolution": {
        "conv2d": _entry(explain_conv2d, "Conv2d", "LazyConv2d"),
        "grouped_conv2d": _entry(explain_conv2d, groups=2, in_channels=4),
        "depthwise_conv2d": _entry(explain_depthwise_conv2d),
        "conv_transpose2d": _entry(explain_conv_transpose2d, "ConvTranspose2d"),
        "locally_connected2d": _entry(explain_locally_connected2d, "LocallyConnected2d"),
    },
    "pooling": {
        "max_pool2d": _entry(explain_max_pool2d, "MaxPool2d"),
        "avg_pool2d": _entry(explain_avg_pool2d, "AvgPool2d"),
        "adaptive_avg_pool2d": _entry(explain_adaptive_avg_pool2d, "AdaptiveAvgPool2d"),
        "adaptive_max_pool2d": _entry(explain_adaptive_max_pool2d, "AdaptiveMaxPool2d"),
        "global_avg_pool2d": _entry(explain_global_avg_pool2d),
        "global_max_pool2d": _entry(explain_global_max_pool2d),
        "max_unpool2d": _entry(explain_max_unpool2d, "MaxUnpool2d"),
        "roi_pool": _entry(explain_roi_pool, "RoIPool"),
        "roi_align": _entry(explain_roi_align, "RoIAlign"),
    },
    "normalization": {
        "batch_norm": _entry(explain_batch_norm, "BatchNorm1d", "BatchNorm2d", "BatchNorm3d"),
        "local_response_norm": _entry(explain_local_response_norm, "LocalResponseNorm"),
        "dropout": _entry(explain_dropout, "Dropout"),
    },
    "dense": {
        "linear": _entry(explain_linear, "Linear", "LazyLinear"),
        "flatten": _entry(explain_flatten, "Flatten"),
        "identity": _entry(explain_identity, "Identity"),
        "concat": _entry(explain_cat, "Concat"),
    },
    "activation": {
        "relu": _entry(explain_relu, "ReLU"),
        "relu6": _entry(explain_relu6, "ReLU6"),
        "leaky_relu": _entry(explain_leaky_relu, "LeakyReLU"),
        "sigmoid": _entry(explain_sigmoid, "Sigmoid"),
        "tanh": _entry(explain_tanh, "Tanh"),
        "hardsigmoid": _entry(explain_hardsigmoid, "Hardsigmoid"),
        "hardswish": _entry(explain_hardswish, "Hardswish"),
        "silu": _entry(explain_silu, "SiLU"),
        "gelu": _entry(explain_gelu, "GELU"),
        "softmax": _entry(explain_softmax, "Softmax"),
        "log_softmax": _entry(explain_log_softmax, "LogSoftmax"),
    },
    "loss": {
        "cross_entropy": _entry(explain_cross_entropy, "CrossEntropyLoss"),
        "nll_loss": _entry(explain_nll_loss, "NLLLoss"),
        "binary_cross_entropy_with_logits": _entry(
            explain_binary_cross_entropy_with_logits, "BCEWithLogitsLoss"
        ),
        "mse_loss": _entry(explain_mse_loss, "MSELoss"),
        "l1_loss": _entry(explain_l1_loss, "L1Loss"),
        "smooth_l1_loss": _entry(explain_smooth_l1_loss, "SmoothL1Loss"),
        "multi_margin_loss": _entry(explain_multi_margin_loss, "MultiMarginLoss"),
    },
    "resizing": {
        "interpolate": _entry(explain_interpolate, "Upsample"),
        "zero_pad": _entry(explain_pad, "ZeroPad2d", mode="constant"),
        "constant_pad": _entry(explain_pad, "ConstantPad2d", mode="constant", value=-1.0),
        "reflection_pad": _entry(explain_pad, "ReflectionPad2d"),
        "replication_pad": _entry(explain_pad, "ReplicationPad2d", mode="replicate"),
    },
}


def names() -> tuple[str, ...]:
    """The explanations of layers, family by family; those of the course notes are in `NOTES`."""
    return tuple(name for family in CATALOGUE.values() for name in family)


def entry(name: str) -> tuple[str, Entry]:
    """Return an explanation and its own name, for that name or the name of a layer of `minidnn.nn`.

    Raises:
        ValueError: there is none; the message offers near ones.
    """
    everything = {own: each for family in CATALOGUE.values() for own, each in family.items()}
    everything |= {own: Entry(note, (), {}) for own, note in NOTES.items()}
    known = {_plain(spoken): own for own, each in everything.items() for spoken in (own, *each.layers)}
    if _plain(name) not in known:
        near = suggestion(_plain(name), known) or "; `minidnn explain` lists them"
        raise ValueError(f"there is no explanation of {name!r}{near}")
    own = known[_plain(name)]
    return own, everything[own]


def explain(name: str, **arguments: Any) -> Explanation:
    """Return a worked example of a layer, with real numbers, forward and backward.

    Args:
        name: such as "conv2d"; the class's name does too. `names()` lists them.
        arguments: the layer's, as in PyTorch, and the example's: size, channels, seed.

    Raises:
        ValueError: an unknown name, or arguments that the layer refuses.
        TypeError: an argument that the explanation does not take, or of another type.
    """
    own, each = entry(name)
    defaults = {
        parameter: about.default for parameter, about in inspect.signature(each.explain).parameters.items()
    }
    used = {**defaults, **each.preset, **arguments}
    explanation = each.explain(**used)
    told = {key: value for key, value in used.items() if value is not None}
    return replace(explanation, arguments={own: "", **shown(told)})


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
