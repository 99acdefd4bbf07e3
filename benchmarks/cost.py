"""What a call costs: operations of the direct algorithm, bytes that must move, the length of its sums.

A multiply-add counts as two operations. Bytes are those of all arrays read and written once. `performed` is
what a version really does, where that is less: Winograd's algorithm trades multiplications for additions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.arguments import ArraySpec
from minidnn import costs

Arguments = Sequence[Any]
Rule = Callable[[Arguments], int]

# Winograd's F(m x m, 3x3) multiplies (m + 2)^2 times where the direct algorithm does 9 m^2 times. The
# additions of its transforms are not counted: this is the least that such a version performs.
WINOGRAD = re.compile(r"winograd_(\d+)x\1$")
LARGEST_TILE = 4


def _conv2d_terms(arguments: Arguments) -> int:
    """Of x, weight, bias and window."""
    x, weight, _, window = arguments[:4]
    output = (x.shape[0], weight.shape[0], *window.output_size(x.shape[2:]))
    return costs.convolution(output, weight.shape).value


def _conv2d_input_terms(arguments: Arguments) -> int:
    """Of grad_output and weight."""
    return costs.convolution(arguments[0].shape, arguments[1].shape).value


def _conv2d_weight_terms(arguments: Arguments) -> int:
    """Of grad_output, x, window, and groups if it is not depthwise."""
    grad_output, x, window = arguments[:3]
    groups = arguments[3] if len(arguments) > 3 else x.shape[1]
    weight = (grad_output.shape[1], x.shape[1] // groups, *window.kernel)
    return costs.convolution(grad_output.shape, weight).value


def _linear_terms(arguments: Arguments) -> int:
    """Of x and weight."""
    x, weight = arguments[:2]
    return costs.linear((*x.shape[:-1], weight.shape[0]), weight.shape).value


def _linear_input_terms(arguments: Arguments) -> int:
    """Of grad_output and weight."""
    return costs.linear(arguments[0].shape, arguments[1].shape).value


def _linear_weight_terms(arguments: Arguments) -> int:
    """Of grad_output and x."""
    grad_output, x = arguments[:2]
    return costs.linear(grad_output.shape, (grad_output.shape[-1], x.shape[-1])).value


TERMS: dict[str, Rule] = {
    "conv2d_forward": _conv2d_terms,
    "conv2d_backward_input": _conv2d_input_terms,
    "conv2d_backward_weight": _conv2d_weight_terms,
    "depthwise_conv2d_forward": _conv2d_terms,
    "depthwise_conv2d_backward_input": _conv2d_input_terms,
    "depthwise_conv2d_backward_weight": _conv2d_weight_terms,
    "linear_forward": _linear_terms,
    "linear_backward_input": _linear_input_terms,
    "linear_backward_weight": _linear_weight_terms,
}


# What Winograd's versions cut into tiles, the taps along an axis, and the pairs of channels that meet.
TILED: dict[str, Callable[[Arguments], tuple[Sequence[int], int, int]]] = {
    "conv2d_forward": lambda a: (
        a[3].output_size(a[0].shape[2:]),
        a[1].shape[2],
        a[1].shape[0] * a[1].shape[1],
    ),
    "conv2d_backward_input": lambda a: (a[2][2:], a[1].shape[2], a[1].shape[0] * a[1].shape[1]),
    "conv2d_backward_weight": lambda a: (
        a[0].shape[2:],
        a[2].kernel[0],
        a[0].shape[1] * a[1].shape[1] // a[3],
    ),
}


def direct_operations(operation: str, arguments: Arguments) -> int:
    """Operations of the direct algorithm; 0 where bytes are what counts."""
    rule = TERMS.get(operation)
    return 2 * rule(arguments) if rule else 0


def performed_operations(operation: str, arguments: Arguments, version: str) -> int:
    """The least number of operations that a version of this name performs."""
    direct = direct_operations(operation, arguments)
    found = WINOGRAD.search(version)
    if found is None or operation not in TILED:
        return direct
    (height, width), taps, pairs = TILED[operation](arguments)
    m, batch = int(found[1]), arguments[0].shape[0]
    tiles = batch * math.ceil(height / m) * math.ceil(width / m)
    return min(direct, int(2 * tiles * (m + taps - 1) ** 2 * pairs))


def prepared_elements(weight: ArraySpec, version: str) -> int:
    """Elements of a convolution's weight (O, C, KH, KW) in the form that a version of this name works on."""
    found = WINOGRAD.search(version)
    height, width = weight.shape[2:]
    taps = height * width if found is None else (int(found[1]) + height - 1) * (int(found[1]) + width - 1)
    return math.prod(weight.shape[:2]) * taps


LENGTHS: dict[str, Rule] = {
    "conv2d_forward": lambda a: math.prod(a[1].shape[1:]) + 1,
    "conv2d_backward_input": lambda a: a[1].shape[0] // a[4] * math.prod(a[1].shape[2:]),
    "conv2d_backward_weight": lambda a: a[0].shape[0] * math.prod(a[0].shape[2:]),
    "depthwise_conv2d_forward": lambda a: math.prod(a[1].shape[1:]) + 1,
    "depthwise_conv2d_backward_input": lambda a: math.prod(a[1].shape[2:]),
    "depthwise_conv2d_backward_weight": lambda a: a[0].shape[0] * math.prod(a[0].shape[2:]),
    "linear_forward": lambda a: a[1].shape[1] + 1,
    "linear_backward_input": lambda a: a[1].shape[0],
    "linear_backward_weight": lambda a: math.prod(a[0].shape[:-1]),
    "average_pool2d_forward": lambda a: math.prod(a[1].kernel),
    "average_pool2d_backward": lambda a: math.prod(a[2].kernel),
    "max_pool2d_backward": lambda a: math.prod(a[3].kernel),
    "global_average_pool2d_forward": lambda a: math.prod(a[0].shape[2:]),
    "adaptive_average_pool2d_forward": lambda a: math.prod(a[0].shape[2:]),
    "batch_norm_forward_training": lambda a: a[0].shape[0] * math.prod(a[0].shape[2:]),
    "batch_norm_backward_training": lambda a: a[1].shape[0] * math.prod(a[1].shape[2:]),
    "local_response_norm_forward": lambda a: a[1],
    "local_response_norm_backward": lambda a: a[2],
    "softmax_forward": lambda a: a[0].shape[a[1]],
    "softmax_backward": lambda a: a[0].shape[a[2]],
    "cross_entropy_forward": lambda a: math.prod(a[0].shape),
    "cross_entropy_backward": lambda a: a[1].shape[1],
    # The positions of samples, up to the map's length, are rounded too.
    "roi_align_forward": lambda a: 4 * max(a[4], 1) ** 2 + max(a[0].shape[2:]),
    "roi_align_backward": lambda a: len(a[1]) * math.prod(a[0].shape[2:]),
    "roi_pool_backward": lambda a: len(a[2]) * math.prod(a[0].shape[2:]),
}


def reduction_length(operation: str, arguments: Arguments) -> int:
    """How many terms are summed into one output; 1 where each output stands for itself."""
    rule = LENGTHS.get(operation)
    return max(int(rule(arguments)), 1) if rule else 1


def moved_bytes(arguments: Arguments, outputs: Sequence[Any]) -> int:
    """Bytes of all arrays, each read or written once."""
    return sum(_bytes(item) for item in (*arguments, *outputs))


def _bytes(item: Any) -> int:
    if isinstance(item, tuple | list):
        return sum(_bytes(part) for part in item)
    if isinstance(item, ArraySpec):
        return math.prod(item.shape) * (8 if item.dtype.endswith("64") else 4)
    return int(getattr(item, "nbytes", 0))
