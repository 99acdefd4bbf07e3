"""What the page needs to show how one output number came about, operation by operation.

Small operations are embedded whole. Of large ones a few channels are: those output channels that are
strongest, and those input channels that matter most to them. What the other input channels add to a
convolution's outputs is embedded as a sum per position, formed here in float64, so that the page's products,
that sum and the bias make the engine's output to float32's rounding at every position.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from kernels.array import Array
from kernels.dropout import dropout_forward
from kernels.roi_pool.bins import region_bins
from kernels.window import Window, adaptive_bounds
from minidnn.tracing import OperationRecord
from models.explorer.schema import Numbers

Inspector = Mapping[str, Any]
# Of an operation's arrays, in bytes, for all of them to be embedded.
WHOLE = 400_000
MOST_OUTPUTS, MOST_INPUTS, FEW_INPUTS = 2, 3, 2
CONVOLUTIONS = ("Conv2d", "DepthwiseConv2d")
MOST_REGIONS = 32
MOST_FLAGS = 1 << 14


def inspector(record: OperationRecord, whole: int = WHOLE) -> Inspector | None:
    """Return what the page shows of an operation's numbers; None where there is nothing to inspect.

    Args:
        record: of a trace with `keep_arrays=True`, of one image.
        whole: up to how many bytes an operation's arrays are embedded whole.
    """
    make = _MAKERS.get(record.function)
    if make is None or record.arrays is None:
        return None
    return make(record, whole)


def arrays_by_role(record: OperationRecord) -> dict[str, Array]:
    """Return an operation's inputs by what it calls them: "x", "weight", "bias"."""
    assert record.arrays is not None
    names = [array.role for array in record.inputs]
    return dict(zip(names, record.arrays.inputs, strict=True))


def window_of(record: OperationRecord) -> Window:
    """Return the window of a convolution or pooling."""
    given = record.arguments
    return Window.of(
        given["kernel"], given["stride"], given["padding"], given["dilation"], given.get("ceil_mode", False)
    )


def output_of(record: OperationRecord) -> Array:
    """Return the operation's first output."""
    assert record.arrays is not None
    return record.arrays.outputs[0]


# ---- convolution -----------------------------------------------------------------------------------


def one_channel(record: OperationRecord, channel: int) -> Inspector:
    """Return a convolution's inspector for one output channel, with all the input channels that it sees.

    Raises:
        ValueError: no convolution, or no such channel.
    """
    if record.function not in CONVOLUTIONS:
        raise ValueError(f"operation must be a convolution, got {record.function}")
    count = record.outputs[0].shape[1]
    if not 0 <= channel < count:
        raise ValueError(f"channel must be from 0 to {count - 1}, got {channel}")
    return _channels_of_convolution(record, [channel], None)


def _convolution(record: OperationRecord, whole: int) -> Inspector:
    given = arrays_by_role(record)
    x, weight, y = given["x"][0], given["weight"], output_of(record)[0]  # (C, H, W), (O, C/G, KH, KW)
    if x.nbytes + weight.nbytes + y.nbytes <= whole:
        return _channels_of_convolution(record, range(len(weight)), None)
    colours = weight.shape[1] <= MOST_INPUTS  # an image's colours belong together
    return _channels_of_convolution(record, strongest(y, MOST_OUTPUTS), None if colours else FEW_INPUTS)


def _channels_of_convolution(
    record: OperationRecord, outputs: Sequence[int], most_inputs: int | None
) -> Inspector:
    """Some output channels, each with the `most_inputs` input channels that matter most to it (None: all)."""
    given = arrays_by_role(record)
    x, weight, y = given["x"][0], given["weight"], output_of(record)[0]  # (C, H, W), (O, C/G, KH, KW)
    filters = [_filter(record, output, most_inputs) for output in outputs]
    planes = sorted({channel for filter in filters for channel in filter["inputs"]})
    return {
        "kind": "convolution",
        "window": _window(window_of(record)),
        "size": x.shape,
        "output_size": y.shape,
        "channels_per_output": weight.shape[1],
        "planes": planes,
        "x": Numbers.of(x[planes]),
        "filters": filters,
        "has_bias": "bias" in given,
    }


def _filter(record: OperationRecord, output: int, most_inputs: int | None) -> dict[str, Any]:
    """One output channel: its weights, its plane, and the sum over the input channels that are left out."""
    given = arrays_by_role(record)
    x, weight = given["x"][0], given["weight"]  # (C, H, W), (O, C/G, KH, KW)
    per_group = weight.shape[1]
    first = output // (len(weight) // (len(x) // per_group)) * per_group  # the group's first input channel
    group = range(first, first + per_group)
    influence = np.abs(weight[output]).sum((1, 2)) * np.abs(x[group.start : group.stop]).mean((1, 2))
    chosen = sorted(first + int(c) for c in np.argsort(-influence, kind="stable")[:most_inputs])
    others = [channel for channel in group if channel not in chosen]
    found = {
        "output": output,
        "inputs": chosen,
        "weight": Numbers.of(weight[output, [channel - first for channel in chosen]]),
        "bias": float(given["bias"][output]) if "bias" in given else 0.0,
        "y": Numbers.of(output_of(record)[0, output]),
        "others": len(others),
    }
    if others:
        found["rest"] = Numbers.of(_sum(x, weight[output], first, others, window_of(record)).astype(x.dtype))
    return found


def _sum(x: Array, filter: Array, first: int, channels: list[int], window: Window) -> Array:
    """What some input channels add to one output channel, in float64: (OH, OW)."""
    (top, bottom), (left, right) = window.padding
    planes = np.pad(x[channels].astype(np.float64), ((0, 0), (top, bottom), (left, right)))
    weights = filter[[channel - first for channel in channels]].astype(np.float64)  # (C', KH, KW)
    height, width = window.output_size(x.shape[1:])
    total = np.zeros((height, width))
    for p, q in np.ndindex(*window.kernel):
        row, column = p * window.dilation[0], q * window.dilation[1]
        taps = planes[
            :,
            row : row + (height - 1) * window.stride[0] + 1 : window.stride[0],
            column : column + (width - 1) * window.stride[1] + 1 : window.stride[1],
        ]
        total += np.tensordot(weights[:, p, q], taps, axes=1)
    return total


def strongest(y: Array, most: int) -> list[int]:
    """Return the channels of (C, H, W) whose values are largest in the mean, in their order."""
    strength = np.abs(y).mean(axis=tuple(range(1, y.ndim)))
    return sorted(int(channel) for channel in np.argsort(-strength, kind="stable")[:most])


def _window(window: Window) -> Mapping[str, Any]:
    return {
        "kernel": window.kernel,
        "stride": window.stride,
        "before": (window.padding[0][0], window.padding[1][0]),
        "dilation": window.dilation,
    }


def _linear(record: OperationRecord, whole: int) -> Inspector | None:
    given = arrays_by_role(record)
    x, weight, y = given["x"], given["weight"], output_of(record)  # (N, I), (O, I), (N, O)
    if x.ndim != 2:
        return None
    fits = weight.nbytes <= whole
    outputs = np.arange(len(weight)) if fits else np.sort(np.argsort(-np.abs(y[0]), kind="stable")[:8])
    return {
        "kind": "linear",
        "size": weight.shape,
        "outputs": outputs.tolist(),
        "x": Numbers.of(x[0]),
        "weight": Numbers.of(weight[outputs]),
        "bias": Numbers.of(given["bias"][outputs] if "bias" in given else np.zeros(len(outputs), x.dtype)),
        "y": Numbers.of(y[0, outputs]),
    }


# ---- pooling ---------------------------------------------------------------------------------------


def _window_bins(record: OperationRecord) -> tuple[list[tuple[int, int, int]], ...]:
    """For both axes first place, end and step of every window; the edges may lie in the padding."""
    window, y = window_of(record), output_of(record)
    return tuple(
        [
            (start, start + window.extent[axis], window.dilation[axis])
            for start in (
                index * window.stride[axis] - window.padding[axis][0] for index in range(y.shape[2 + axis])
            )
        ]
        for axis in (0, 1)
    )


def _adaptive_bins(record: OperationRecord) -> tuple[list[tuple[int, int, int]], ...]:
    x, y = arrays_by_role(record)["x"], output_of(record)
    return tuple(
        [(*adaptive_bounds(x.shape[axis], y.shape[axis], index), 1) for index in range(y.shape[axis])]
        for axis in (2, 3)
    )


def _counts(record: OperationRecord, bins: tuple[list[tuple[int, int, int]], ...]) -> list[list[int]]:
    """Along both axes how many places count for an average: products of them are what is divided by."""
    x = arrays_by_role(record)["x"]
    counts = []
    for axis, along in enumerate(bins):
        before, after = (
            record.arguments["padding"][axis] if record.arguments.get("count_include_pad") else (0, 0)
        )
        end_of_plane = x.shape[2 + axis] + after
        counts.append([min(end, end_of_plane) - max(start, -before) for start, end, _ in along])
    return counts


def _pooling(
    mode: str, bins: Callable[[OperationRecord], tuple[list[tuple[int, int, int]], ...]]
) -> Callable[[OperationRecord, int], Inspector]:
    def make(record: OperationRecord, whole: int) -> Inspector:
        x, y = arrays_by_role(record)["x"][0], output_of(record)[0]  # (C, H, W), (C, OH, OW)
        fits = x.nbytes + y.nbytes <= whole // 2
        channels = list(range(len(x))) if fits else strongest(y, MOST_INPUTS)
        rows, columns = along = bins(record)
        found: dict[str, Any] = {
            "kind": "pooling",
            "mode": mode,
            "size": x.shape,
            "output_size": y.shape,
            "planes": channels,
            "x": Numbers.of(x[channels]),
            "y": Numbers.of(y[channels]),
            "rows": rows,
            "columns": columns,
        }
        if mode == "average":
            found["counts"] = _counts(record, along)
            found["divisor"] = record.arguments.get("divisor_override")
        return found

    return make


def _regions(record: OperationRecord, whole: int) -> Inspector | None:
    """ROI pooling: the bins of every region on the feature map."""
    given = arrays_by_role(record)
    x, rois, y = given["x"], given["rois"], output_of(record)  # (N, C, H, W), (K, 5), (K, C, OH, OW)
    if not len(rois):
        return None
    scale, shown = record.arguments["spatial_scale"], rois[:MOST_REGIONS]
    channels = strongest(x[0], MOST_INPUTS)
    rows, columns = region_bins(shown, y.shape[2:], scale, x.shape[2:])
    return {
        "kind": "regions",
        "size": x.shape[1:],
        "output_size": y.shape[2:],
        "scale": scale,
        "regions": Numbers.of(shown),
        "more": len(rois) - len(shown),
        "planes": channels,
        "x": Numbers.of(x[0][channels]),
        "y": Numbers.of(y[: len(shown)][:, channels]),
        "rows": Numbers.of(np.asarray(rows)),
        "columns": Numbers.of(np.asarray(columns)),
    }


# ---- the others ------------------------------------------------------------------------------------


def _batch_norm(record: OperationRecord, whole: int) -> Inspector:
    """Mean, variance, weight and bias of every channel, and one plane or one position of it."""
    given = arrays_by_role(record)
    x, y = given["x"], output_of(record)  # (N, C, *spatial)
    axes = (0, *range(2, x.ndim))
    training = record.function == "BatchNormTraining"
    batch = x.astype(np.float64)
    mean = batch.mean(axes) if training else given["running_mean"]
    variance = batch.var(axes) if training else given["running_var"]
    planes = x[0].reshape(x.shape[1], -1), y[0].reshape(y.shape[1], -1)  # (C, positions)
    place = planes[0].shape[1] // 2
    ones = np.ones(x.shape[1], x.dtype)
    return {
        "kind": "batch_norm",
        "training": training,
        "eps": record.arguments["eps"],
        "place": np.unravel_index(place, x.shape[2:]) if x.ndim > 2 else (),
        "mean": Numbers.of(mean),
        "variance": Numbers.of(variance),
        "weight": Numbers.of(given.get("weight", ones)),
        "bias": Numbers.of(given.get("bias", 0 * ones)),
        "x": Numbers.of(planes[0][:, place]),
        "y": Numbers.of(planes[1][:, place]),
    }


def _dropout(record: OperationRecord, whole: int) -> Inspector:
    """The mask, drawn again from its seed, and what it does to the values."""
    x, y = arrays_by_role(record)["x"], output_of(record)
    probability, seed = record.arguments["probability"], record.arguments["seed"]
    kept = dropout_forward(np.ones(x.shape, np.float32), probability, seed)[0] != 0
    flat = [array.reshape(-1)[:MOST_FLAGS] for array in (kept, x[0], y[0])]
    return {
        "kind": "dropout",
        "probability": probability,
        "size": kept.shape,
        "dropped": int(kept.size - kept.sum()),
        "kept": Numbers.of(flat[0], "u1"),
        "x": Numbers.of(flat[1]),
        "y": Numbers.of(flat[2]),
    }


def _concat(record: OperationRecord, whole: int) -> Inspector:
    """Who owns which places along the axis."""
    axis = int(record.arguments["axis"])
    return {"kind": "concat", "axis": axis, "lengths": [given.shape[axis] for given in record.inputs]}


_MAKERS: Mapping[str, Callable[[OperationRecord, int], Inspector | None]] = {
    "Conv2d": _convolution,
    "DepthwiseConv2d": _convolution,
    "Linear": _linear,
    "MaxPool2d": _pooling("max", _window_bins),
    "AvgPool2d": _pooling("average", _window_bins),
    "AdaptiveMaxPool2d": _pooling("max", _adaptive_bins),
    "AdaptiveAvgPool2d": _pooling("average", _adaptive_bins),
    "GlobalMaxPool2d": _pooling("max", _adaptive_bins),
    "GlobalAvgPool2d": _pooling("average", _adaptive_bins),
    "RoIPool": _regions,
    "BatchNormTraining": _batch_norm,
    "BatchNormInference": _batch_norm,
    "Dropout": _dropout,
    "Concat": _concat,
}
