"""The calls to be measured: every row of the table of shapes, forward and backward, for a batch size.

What the recorded networks do not contain (regions of interest, losses, more activations) stands in `EXTRA`.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from benchmarks.arguments import ArraySpec, encode, label
from benchmarks.shapes import Layer, layers
from kernels import registry
from kernels.array import Array

# Positions of arguments that the contract writes in place by name.
WRITES = {"batch_norm_forward_training": (3, 4), "sgd_step": (0, 2)}
# Operations that choose or move values without rounding them. Their float64 truth could choose another value
# where two are equal in float32, so they are held to the reference in float32, exactly.
EXACT = ("max_pool2d_forward", "roi_pool_forward", "concat_forward")

Call = tuple[str, tuple[Any, ...]]  # an operation and its arguments
Draw = Callable[..., Array]


@dataclass(frozen=True)
class Case:
    """One call to be measured.

    Attributes:
        layer: the forward call that it belongs to.
        operation: what is called: the layer's operation or one of its backward contracts.
        batch: the length of the first axis.
    """

    layer: Layer
    operation: str
    batch: int

    @property
    def key(self) -> str:
        """The name under which results are kept."""
        return f"{self.operation} {encode(self.layer.arguments_for(self.batch))}"

    @property
    def label(self) -> str:
        """For people."""
        return label(self.layer.arguments_for(self.batch))

    @property
    def writes(self) -> tuple[int, ...]:
        """Positions of the arguments that the call writes."""
        return WRITES.get(self.operation, ())

    def draw(self, seed: int) -> tuple[Any, ...]:
        """Random float32 arguments for the call."""
        generator = np.random.default_rng(seed)
        forward = draw_arguments(self.layer.operation, self.layer.arguments_for(self.batch), generator)
        if self.operation == self.layer.operation:
            return forward
        results = outputs(self.layer.operation, forward)
        upstream = [generator.standard_normal(y.shape, np.float32) for y in results]
        return BACKWARD[self.layer.operation][self.operation](forward, results, upstream[0])

    def truth(self, arguments: Sequence[Any]) -> list[Array]:
        """The reference's outputs for the arguments, computed in float64 (or exactly)."""
        wide = [copied(argument, None if self.operation in EXACT else np.float64) for argument in arguments]
        with registry.use(backend="reference"):
            return outputs(self.operation, wide)


def copied(argument: Any, dtype: Any = None) -> Any:
    """A copy of an argument, floating arrays in another dtype."""
    if isinstance(argument, tuple | list):
        return tuple(copied(item, dtype) for item in argument)
    if isinstance(argument, np.ndarray):
        return argument.astype(dtype if dtype and argument.dtype.kind == "f" else argument.dtype)
    return argument


def outputs(
    operation: str, arguments: Sequence[Any], function: Callable[..., Any] | None = None
) -> list[Array]:
    """All arrays that a call produces: what it returns, then what it writes in place.

    Args:
        operation: the contract's name.
        arguments: its arguments; what the call would write is copied first.
        function: a version to call; by default the contract.
    """
    written = WRITES.get(operation, ())
    own = [copied(argument) if i in written else argument for i, argument in enumerate(arguments)]
    result = (function or registry.contract(operation))(*own)
    returned = list(result) if isinstance(result, tuple) else [] if result is None else [result]
    return [np.asarray(y) for y in returned] + [own[i] for i in written]


def draw_arguments(operation: str, specs: Sequence[Any], generator: np.random.Generator) -> tuple[Any, ...]:
    """Arrays for the specifications, by the names of the contract's parameters."""
    names = inspect.signature(registry.contract(operation)).parameters
    drawn = []
    for name, spec in zip(names, specs, strict=True):
        special = DRAWS.get(name)
        if isinstance(spec, ArraySpec) and special is not None:
            drawn.append(special(generator, spec))
        else:
            drawn.append(_normal(generator, spec))
    return tuple(drawn)


def _normal(generator: np.random.Generator, spec: Any) -> Any:
    if isinstance(spec, tuple):
        return tuple(_normal(generator, item) for item in spec)
    if isinstance(spec, ArraySpec):
        return generator.standard_normal(spec.shape).astype(spec.dtype)
    return spec


def _positive(generator: np.random.Generator, spec: ArraySpec) -> Array:
    return generator.uniform(0.5, 1.5, spec.shape).astype(spec.dtype)


def _classes(generator: np.random.Generator, spec: ArraySpec) -> Array:
    return generator.integers(0, CLASSES, spec.shape)


def _regions(generator: np.random.Generator, spec: ArraySpec) -> Array:
    """Boxes [0, x1, y1, x2, y2] on an image of 16 pixels per position of the map."""
    height, width = (length * IMAGE_SCALE for length in MAP)
    rois = np.zeros(spec.shape, np.float32)
    first = generator.uniform((0, 0), (0.8 * width, 0.8 * height), (spec.shape[0], 2))
    size = generator.uniform((32, 32), (0.5 * width, 0.5 * height), (spec.shape[0], 2))
    rois[:, 1:3] = np.round(first)
    rois[:, 3:5] = np.round(np.minimum(first + size, (width - 1, height - 1)))
    return rois


DRAWS: dict[str, Callable[[np.random.Generator, ArraySpec], Array]] = {
    "running_var": _positive,
    "target": _classes,
    "rois": _regions,
}

# --- what the networks do not contain

CLASSES = 1000
MAP, IMAGE_SCALE = (38, 50), 16
ROI_CHANNELS, ROI_COUNTS = (256, 512), (128, 300, 1000, 2000)


def _extra(operation: str, *arguments: Any) -> Layer:
    return Layer("", "extra", "", operation, arguments)


def _regions_of_interest() -> Iterable[Layer]:
    for channels in ROI_CHANNELS:
        for count in ROI_COUNTS:
            x, rois = ArraySpec((1, channels, *MAP)), ArraySpec((count, 5))
            yield _extra("roi_pool_forward", x, rois, (7, 7), 1 / IMAGE_SCALE)
            yield _extra("roi_align_forward", x, rois, (7, 7), 1 / IMAGE_SCALE, 2, False)


def _losses() -> Iterable[Layer]:
    for batch in (8, 128):
        logits, target = ArraySpec((batch, CLASSES)), ArraySpec((batch,), "int64")
        yield _extra("softmax_forward", logits, 1)
        yield _extra("cross_entropy_forward", logits, target, None, -100, 0.0, "mean")


ACTIVATIONS = {
    "leaky_relu_forward": (0.01,),
    "tanh_forward": (),
    "hardsigmoid_forward": (),
    "hardswish_forward": (),
    "gelu_forward": ("none",),
}


def _activations() -> Iterable[Layer]:
    for operation, numbers in ACTIVATIONS.items():
        yield _extra(operation, ArraySpec((1, 64, 56, 56)), *numbers)


EXTRA = (*_regions_of_interest(), *_losses(), *_activations())
# Batches of these are part of their shape.
FIXED_BATCH = ("roi_pool_forward", "roi_align_forward", "softmax_forward", "cross_entropy_forward")

# --- backward calls: from the forward's arguments, its outputs and a gradient of the first output

Backward = Callable[[tuple[Any, ...], list[Array], Array], tuple[Any, ...]]

BACKWARD: dict[str, dict[str, Backward]] = {
    "conv2d_forward": {
        "conv2d_backward_input": lambda a, y, dy: (dy, a[1], a[0].shape, a[3], a[4]),
        "conv2d_backward_weight": lambda a, y, dy: (dy, a[0], a[3], a[4]),
    },
    "depthwise_conv2d_forward": {
        "depthwise_conv2d_backward_input": lambda a, y, dy: (dy, a[1], a[0].shape, a[3]),
        "depthwise_conv2d_backward_weight": lambda a, y, dy: (dy, a[0], a[3]),
    },
    "linear_forward": {
        "linear_backward_input": lambda a, y, dy: (dy, a[1]),
        "linear_backward_weight": lambda a, y, dy: (dy, a[0]),
    },
    "max_pool2d_forward": {
        "max_pool2d_backward": lambda a, y, dy: (dy, y[1], a[0].shape, a[1]),
    },
    "average_pool2d_forward": {
        "average_pool2d_backward": lambda a, y, dy: (dy, a[0].shape, *a[1:]),
    },
    "global_average_pool2d_forward": {
        "global_average_pool2d_backward": lambda a, y, dy: (dy, a[0].shape),
    },
    "batch_norm_forward_training": {
        "batch_norm_backward_training": lambda a, y, dy: (dy, a[0], a[1], y[1], y[2]),
    },
    "relu_forward": {"relu_backward": lambda a, y, dy: (dy, y[0])},
    "relu6_forward": {"relu6_backward": lambda a, y, dy: (dy, y[0])},
    "sigmoid_forward": {"sigmoid_backward": lambda a, y, dy: (dy, y[0])},
    "silu_forward": {"silu_backward": lambda a, y, dy: (dy, a[0])},
    "tanh_forward": {"tanh_backward": lambda a, y, dy: (dy, y[0])},
    "leaky_relu_forward": {"leaky_relu_backward": lambda a, y, dy: (dy, *a)},
    "hardsigmoid_forward": {"hardsigmoid_backward": lambda a, y, dy: (dy, *a)},
    "hardswish_forward": {"hardswish_backward": lambda a, y, dy: (dy, *a)},
    "gelu_forward": {"gelu_backward": lambda a, y, dy: (dy, *a)},
    "dropout_forward": {"dropout_backward": lambda a, y, dy: (dy, *a[1:])},
    "local_response_norm_forward": {"local_response_norm_backward": lambda a, y, dy: (dy, *a)},
    "softmax_forward": {"softmax_backward": lambda a, y, dy: (dy, y[0], a[1])},
    "cross_entropy_forward": {"cross_entropy_backward": lambda a, y, dy: (dy, *a)},
    "roi_pool_forward": {"roi_pool_backward": lambda a, y, dy: (dy, y[1], a[1], a[0].shape)},
    "roi_align_forward": {"roi_align_backward": lambda a, y, dy: (dy, a[1], a[0].shape, *a[3:])},
}


def directions(operation: str) -> tuple[str, ...]:
    """An operation's contracts: forward, then backward for each input."""
    return (operation, *BACKWARD.get(operation, {}))


@cache
def families() -> dict[str, tuple[str, ...]]:
    """The folders of kernels/ that have something to measure, and their forward operations."""
    found: dict[str, list[str]] = {}
    for operation in dict.fromkeys(layer.operation for layer in (*layers(), *EXTRA)):
        found.setdefault(registry.contract(operation).__module__.rpartition(".")[2], []).append(operation)
    return {family: tuple(operations) for family, operations in sorted(found.items())}


def select(operation: str | None, network: str | None, batches: Sequence[int]) -> list[Case]:
    """The cases of an operation (a folder of kernels/ or a contract), of a network, for these batch sizes.

    Raises:
        ValueError: an operation or network without cases.
    """
    wanted = _operations(operation)
    rows = [layer for layer in (*layers(), *EXTRA) if network is None or layer.network == network]
    if not rows:
        known = ", ".join(dict.fromkeys(layer.network for layer in layers()))
        raise ValueError(f"network {network!r} is not in the table of shapes; it has: {known}")
    found: dict[str, Case] = {}
    for layer in rows:
        for batch in batches:
            for direction in directions(layer.operation):
                if direction in wanted or layer.operation in wanted:
                    fixed = layer.operation in FIXED_BATCH
                    case = Case(layer, direction, layer.arguments[0].shape[0] if fixed else batch)
                    found.setdefault(case.key, case)
    return list(found.values())


def _operations(name: str | None) -> set[str]:
    """The contracts that a name on the command line stands for."""
    every = {operation for operations in families().values() for operation in operations}
    backward = {direction for operation in every for direction in directions(operation)} - every
    if name is None:
        return every
    if name in families():
        return set(families()[name])
    if name in every | backward:
        return {name}
    raise ValueError(f"operation {name!r} has no cases; there are: {', '.join(families())}")


def size(case: Case) -> int:
    """Elements of the case's arrays, to order cases by."""
    return sum(math.prod(a.shape) for a in case.layer.arguments_for(case.batch) if isinstance(a, ArraySpec))
