"""What each Function does to a receptive field: what a unit of its output reads of its inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, TypeAlias

from minidnn.receptive_field.axis import AxisField, through_bins
from minidnn.tracing import OperationRecord

# From the operation, the axis (0: rows, 1: columns), its input's lengths there and its output's.
Rule: TypeAlias = Callable[[AxisField, Mapping[str, Any], int, int, int], AxisField]


def _window(field: AxisField, given: Mapping[str, Any], axis: int, length: int, made: int) -> AxisField:
    return field.through_window(
        given["kernel"][axis], given["stride"][axis], given["padding"][axis][0], given["dilation"][axis]
    )


def _transposed(field: AxisField, given: Mapping[str, Any], axis: int, length: int, made: int) -> AxisField:
    return field.through_transposed_window(
        given["kernel"][axis], given["stride"][axis], given["padding"][axis][0], given["dilation"][axis]
    )


def _everything(field: AxisField, given: Mapping[str, Any], axis: int, length: int, made: int) -> AxisField:
    return field.of_all(length)


def _bins(field: AxisField, given: Mapping[str, Any], axis: int, length: int, made: int) -> AxisField:
    return through_bins(field, length, made)


def _padding(field: AxisField, given: Mapping[str, Any], axis: int, length: int, made: int) -> AxisField:
    """Unit i reads unit i - before; of a mirrored margin of m units, up to 2 m units further inside."""
    before, after = given["padding"][axis - 2] if len(given["padding"]) >= 2 - axis else (0, 0)
    mirrored = 0 if given["mode"] == "constant" else 2 * max(before, after)
    return field.through(Fraction(1), Fraction(-before - mirrored), Fraction(-before + mirrored))


def _nearest(field: AxisField, given: Mapping[str, Any], axis: int, length: int, made: int) -> AxisField:
    """Unit i reads unit floor(i step), up to (q - 1) / q before i step = i p / q."""
    step = _step(given, axis, length, made)
    return field.through(step, Fraction(1 - step.denominator, step.denominator), Fraction(0))


def _bilinear(field: AxisField, given: Mapping[str, Any], axis: int, length: int, made: int) -> AxisField:
    """Unit i reads the neighbours of (i + 1/2) step - 1/2, or of i (L - 1) / (M - 1) with aligned corners."""
    if given["align_corners"]:
        step = Fraction(length - 1, max(made - 1, 1))
        return field.through(step, Fraction(-1), Fraction(1))
    step = _step(given, axis, length, made)
    centre = (step - 1) / 2
    return field.through(step, centre - 1, centre + 1)


def _step(given: Mapping[str, Any], axis: int, length: int, made: int) -> Fraction:
    scales = given["scale_factors"]
    scale = None if scales is None else scales[axis]
    return Fraction(length, made) if scale is None else 1 / Fraction(scale)


def unchanged(field: AxisField, given: Mapping[str, Any], axis: int, length: int, made: int) -> AxisField:
    """Unit i reads unit i."""
    return field


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(("Conv2d", "DepthwiseConv2d", "LocallyConnected2d", "MaxPool2d", "AvgPool2d"), _window),
    "ConvTranspose2d": _transposed,
    **dict.fromkeys(("AdaptiveMaxPool2d", "AdaptiveAvgPool2d"), _bins),
    "Pad": _padding,
    "InterpolateNearest": _nearest,
    "InterpolateBilinear": _bilinear,
}
# Functions whose unit at a place reads the places of the same number, if rows and columns stay as many.
PLACE_BY_PLACE = frozenset(
    {
        *("ReLU", "ReLU6", "LeakyReLU", "Sigmoid", "Tanh", "Hardsigmoid", "Hardswish", "SiLU", "GELU"),
        *("BatchNormTraining", "BatchNormInference", "LocalResponseNorm", "Dropout"),
        *("Add", "Subtract", "Multiply", "Divide", "Power", "Maximum", "Minimum", "Where", "Clip"),
        *("Negative", "Absolute", "Exponential", "Logarithm", "SquareRoot", "Sine", "Cosine"),
        *("Cast", "Transfer", "Clone", "Boundary", "Reshape", "Concat", "Expand"),
    }
)


def rule_for(record: OperationRecord) -> Rule:
    """Return what becomes of a field in an operation; what is not known to be local sees everything."""
    rule = RULES.get(record.function)
    if rule is not None:
        return rule
    return unchanged if _is_place_by_place(record) else _everything


def _is_place_by_place(record: OperationRecord) -> bool:
    if record.function == "Permute":  # of channels, not of rows and columns
        order = record.arguments["order"]
        return tuple(order[-2:]) == (len(order) - 2, len(order) - 1)
    given, made = record.inputs[0].shape, record.outputs[0].shape
    if record.function == "Reshape":  # rows and columns stay what they are only together
        return given[-2:] == made[-2:]
    if record.function == "Slice":  # unless it may run backwards, or axes come or go
        return len(given) == len(made) and not any("-" in str(part) for part in record.arguments["key"])
    return record.function in PLACE_BY_PLACE
