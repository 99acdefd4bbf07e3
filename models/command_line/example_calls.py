"""An example call of every operation, for `minidnn emulate`: a small array, and what networks pass with it.

Contracts name their parameters alike, so most arguments follow from the name. Those of a backward operation
are what its forward was given and gave, and a random gradient.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kernels import registry
from kernels.array import Array
from kernels.window import Window

IMAGES = (1, 3, 8, 8)
SAMPLES = (8, 10)
# Operations on samples (N, C) rather than on images (N, C, H, W).
_OF_SAMPLES = ("linear", "softmax", "cross_entropy", "nll_loss", "multi_margin_loss")
_MATRICES = ("matmul",)
_OUT_CHANNELS = 8
_BOXES = 40


def example(operation: str, shape: Sequence[int] | None = None, seed: int = 0) -> list[Any]:
    """Return arguments for an operation, arrays in host memory and float32.

    Args:
        operation: the contract's name.
        shape: of the forward's first array; by default a small one.
        seed: of the arrays' elements.

    Raises:
        ValueError: an unknown operation, or a shape that it does not take.
    """
    parameters = inspect.signature(registry.contract(operation)).parameters
    generator = np.random.default_rng(seed)
    forward = _forward_of(operation)
    given = _forward_arguments(forward, tuple(shape or _default_shape(forward)), generator)
    if operation != forward:
        with registry.use(backend="reference"):  # nothing to compile
            result = registry.contract(forward)(*given.values())
        results = result if isinstance(result, tuple) else (result,)
        given = {**_after_forward(given, results, generator), **given}
    missing = [name for name in parameters if name not in given]
    if missing:
        raise ValueError(f"{operation} has no example: nothing says what its {missing[0]} could be")
    return [given[name] for name in parameters]


def _forward_of(operation: str) -> str:
    """The operation whose gradient this one computes; itself where it is no gradient."""
    name, is_backward, rest = operation.partition("_backward")
    if not is_backward:
        return operation
    suffix = rest if rest in ("_training", "_inference") else ""
    known = registry.operations()
    return next(found for found in (f"{name}_forward{suffix}", f"{name}_assign", name) if found in known)


def _default_shape(operation: str) -> tuple[int, ...]:
    folder = registry.contract(operation).__module__.rpartition(".")[2]
    return SAMPLES if folder in (*_OF_SAMPLES, *_MATRICES) else IMAGES


def _forward_arguments(
    operation: str, shape: tuple[int, ...], generator: np.random.Generator
) -> dict[str, Any]:
    """Arguments by name."""
    given: dict[str, Any] = {}
    hints = _Hints(shape, generator)
    makers = {**_BY_NAME, **_BY_OPERATION.get(operation, {})}
    for name in inspect.signature(registry.contract(operation)).parameters:
        if name not in makers:
            raise ValueError(f"{operation} has no example: nothing says what its {name} could be")
        try:
            given[name] = makers[name](hints)
        except IndexError:
            text = "x".join(map(str, shape))
            raise ValueError(f"{operation} takes arrays of more axes than {text} has") from None
    return given


def _after_forward(
    given: dict[str, Any], results: Sequence[Array], generator: np.random.Generator
) -> dict[str, Any]:
    """What only a backward operation is given."""
    x = given.get("x")
    y = np.asarray(x[given["key"]] if x is not None and "key" in given else results[0])
    shape = None if x is None else x.shape
    return {
        "grad_output": generator.standard_normal(y.shape, np.float32),
        "y": y,
        **dict.fromkeys(("indices", "argmax", "mean"), results[1] if len(results) > 1 else None),
        "inverse_std": results[2] if len(results) > 2 else None,
        **dict.fromkeys(("input_shape", "shape"), shape),
        "input_size": shape and shape[2:],
        "classes": shape and shape[-1],
        "lengths": [array.shape[1] for array in given.get("arrays", ())],
    }


class _Hints:
    """What an argument may be made from: the first array's shape and random numbers."""

    def __init__(self, shape: tuple[int, ...], generator: np.random.Generator) -> None:
        self.shape = shape
        self._generator = generator

    def normal(self, *shape: int) -> Array:
        return self._generator.standard_normal(shape, np.float32)

    def like_x(self) -> Array:
        return self.normal(*self.shape)

    def positive(self, *shape: int) -> Array:
        return self._generator.uniform(0.5, 1.5, shape).astype(np.float32)

    def integers(self, high: int, *shape: int) -> Array:
        return self._generator.integers(0, high, shape)

    def channels(self) -> int:
        return self.shape[1]

    def planes(self) -> tuple[int, ...]:
        if len(self.shape) < 3:
            raise IndexError
        return self.shape[2:]

    def boxes(self, extent: Sequence[int]) -> Array:
        """(K, 4) of [x1, y1, x2, y2] on an image of that height and width, whole numbers."""
        height, width = extent
        corners = self._generator.uniform(0, (width, height), (2, _BOXES, 2)).round()
        return np.concatenate([corners.min(axis=0), corners.max(axis=0)], axis=1).astype(np.float32)


Maker = Callable[[_Hints], Any]


def _constant(value: Any) -> Maker:
    return lambda hints: value


def _per_channel(hints: _Hints) -> Array:
    return hints.positive(hints.channels())


def _labels(hints: _Hints) -> Array:
    return hints.integers(hints.channels(), hints.shape[0], *hints.shape[2:])


def _regions(hints: _Hints) -> Array:
    """(K, 5) of [image, x1, y1, x2, y2]."""
    boxes = hints.boxes(hints.planes())
    images = hints.integers(hints.shape[0], len(boxes), 1)
    return np.concatenate([images.astype(np.float32), boxes], axis=1)


def _square(channels_in: Maker, channels_out: Maker) -> Maker:
    return lambda hints: hints.normal(channels_out(hints), channels_in(hints), 3, 3)


def _local_filters(hints: _Hints) -> Array:
    return hints.normal(*hints.planes(), _OUT_CHANNELS, hints.channels(), 3, 3)


def _doubled(hints: _Hints) -> tuple[int, ...]:
    return tuple(2 * length for length in hints.planes())


_channels: Maker = _Hints.channels
_BY_NAME: dict[str, Maker] = {
    **dict.fromkeys(("x", "a", "b", "values", "parameter", "gradient"), _Hints.like_x),
    **dict.fromkeys(("condition",), lambda hints: hints.like_x() > 0),
    "arrays": lambda hints: [hints.like_x(), hints.like_x()],
    "input_shape": lambda hints: hints.shape,
    "window": _constant(Window.of(3, padding=1)),
    "groups": _constant(1),
    "bias": _per_channel,
    "weight": _constant(None),
    "pos_weight": _constant(None),
    "target": _labels,
    "reduction": _constant("mean"),
    "ignore_index": _constant(-100),
    "label_smoothing": _constant(0.0),
    "p": _constant(1),
    "margin": _constant(1.0),
    "running_mean": _per_channel,
    "running_var": _per_channel,
    "momentum": _constant(0.9),
    "eps": _constant(1e-5),
    "activation": _constant("relu"),
    "approximate": _constant("none"),
    "negative_slope": _constant(0.01),
    "probability": _constant(0.5),
    "seed": _constant(1),
    "dtype": _constant(np.dtype(np.float64)),
    "low": _constant(-1.0),
    "high": _constant(1.0),
    "axis": _constant(1),
    "axes": _constant((1,)),
    "keepdims": _constant(False),
    "reverse": _constant(False),
    "shape": lambda hints: hints.shape,
    "start": _constant(0),
    "stop": _constant(100),
    "like": lambda hints: hints.normal(0),
    "index": lambda hints: hints.integers(hints.channels(), *hints.shape),
    "indices": lambda hints: (hints.integers(hints.shape[0], hints.shape[0]),),
    "key": _constant((..., slice(None, None, 2))),
    "size": _doubled,
    "scale_factors": lambda hints: [None] * len(hints.planes()),
    "align_corners": _constant(False),
    "output_size": _constant((2, 2)),
    "output_padding": _constant((0, 0)),
    "spatial_scale": _constant(1.0),
    "sampling_ratio": _constant(2),
    "aligned": _constant(True),
    "rois": _regions,
    "boxes": lambda hints: hints.boxes(hints.planes()),
    "scores": lambda hints: hints.positive(_BOXES),
    "classes": lambda hints: hints.integers(3, _BOXES),
    "iou_threshold": _constant(0.5),
    "padding": lambda hints: [(1, 1)] * len(hints.planes()),
    "mode": _constant("constant"),
    "value": _constant(0.0),
    "count_include_pad": _constant(True),
    "divisor_override": _constant(None),
    "alpha": _constant(1e-4),
    "beta": _constant(0.75),
    "k": _constant(1.0),
    **dict.fromkeys(("exp_avg", "exp_avg_sq", "square_avg"), lambda hints: hints.positive(*hints.shape)),
    **dict.fromkeys(("max_exp_avg_sq", "grad_avg"), _constant(None)),
    "momentum_buffer": _Hints.like_x,
    "step": _constant(1),
    "lr": _constant(0.01),
    "beta1": _constant(0.9),
    "beta2": _constant(0.999),
    "dampening": _constant(0.0),
    "weight_decay": _constant(1e-4),
    "nesterov": _constant(False),
    "first": _constant(False),
}

_NEW_CHANNELS: Maker = _constant(_OUT_CHANNELS)
_CONVOLUTION: dict[str, Maker] = {
    "weight": _square(_channels, _NEW_CHANNELS),
    "bias": lambda hints: hints.normal(_OUT_CHANNELS),
}
_DEPTHWISE: dict[str, Maker] = {"weight": _square(_constant(1), _channels)}
_BATCH_NORM: dict[str, Maker] = {"weight": _per_channel}
_PROBABILITIES: dict[str, Maker] = {"target": lambda hints: hints.positive(*hints.shape)}
_SAME_SHAPE: dict[str, Maker] = {"target": _Hints.like_x}
_TRUTHS: dict[str, Maker] = dict.fromkeys(("x", "a", "b"), lambda hints: hints.like_x() > 0)
_BY_OPERATION: dict[str, dict[str, Maker]] = {
    **dict.fromkeys(("conv2d_forward", "conv2d_prepare_weight"), _CONVOLUTION),
    # The weight: it is prepared where it lies.
    "conv2d_forward_prepared": {**_CONVOLUTION, "prepared": _CONVOLUTION["weight"]},
    "conv_transpose2d_forward": {**_CONVOLUTION, "weight": _square(_NEW_CHANNELS, _channels)},
    "locally_connected2d_forward": {
        "weight": _local_filters,
        "bias": lambda hints: hints.normal(_OUT_CHANNELS, *hints.planes()),
    },
    **dict.fromkeys(("depthwise_conv2d_forward", "depthwise_conv2d_forward_activated"), _DEPTHWISE),
    **dict.fromkeys(
        (f"batch_norm_forward_{kind}" for kind in ("training", "inference", "inference_activated")),
        _BATCH_NORM,
    ),
    "linear_forward": {
        "weight": lambda hints: hints.normal(16, hints.shape[-1]),
        "bias": lambda hints: hints.normal(16),
    },
    "matmul": {"b": lambda hints: hints.normal(*hints.shape[:-2], hints.shape[-1], 16)},
    "soft_cross_entropy_forward": _PROBABILITIES,
    "binary_cross_entropy_with_logits_forward": _PROBABILITIES,
    **dict.fromkeys(("l1_loss_forward", "mse_loss_forward", "smooth_l1_loss_forward"), _SAME_SHAPE),
    "local_response_norm_forward": {"size": _constant(5)},
    "max_unpool2d_forward": {
        "indices": lambda hints: hints.integers(4 * hints.planes()[0] * hints.planes()[1], *hints.shape),
        "output_size": _doubled,
    },
    **dict.fromkeys(
        ("logical_and", "logical_not", "logical_or", "logical_xor", "reduce_all", "reduce_any"), _TRUTHS
    ),
    "reduce_product": {"keepdims": _constant(True)},
    "slice_assign": {"values": lambda hints: hints.normal(1)},
    "power": {"a": lambda hints: hints.positive(*hints.shape)},
}
