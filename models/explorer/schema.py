"""What the page shows, as plain data: dataclasses that become one compact JSON.

Fields that are None or empty are left out of the JSON. Numbers that are not finite become texts, for JSON has
none of them.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from kernels.array import Array


@dataclass(frozen=True)
class Numbers:
    """An array's exact elements.

    Attributes:
        dtype: "f4" (float32), "f8" (float64), "i4" (int32) or "u1" (uint8); all little-endian.
        shape: of the array.
        data: the elements in row-major order, in base64.
    """

    dtype: str
    shape: tuple[int, ...]
    data: str

    @staticmethod
    def of(array: Array, dtype: str | None = None) -> Numbers:
        """Take an array: floats keep their type, whole numbers become int32 unless `dtype` says otherwise."""
        kind = dtype or (f"f{array.dtype.itemsize}" if array.dtype.kind == "f" else "i4")
        elements = np.ascontiguousarray(array, dtype=np.dtype(kind).newbyteorder("<"))
        return Numbers(kind, array.shape, base64.b64encode(elements.tobytes()).decode("ascii"))


@dataclass(frozen=True)
class Sprite:
    """Several planes in one picture, row by row.

    Attributes:
        source: the picture as a data URI.
        width, height: of one plane in the picture.
        columns: planes in a row.
        names: what each plane is, in order.
        caption: what is shown, and how values become brightness.
        more: how many planes were left out.
    """

    source: str
    width: int
    height: int
    columns: int
    names: tuple[str, ...]
    caption: str
    more: int = 0


@dataclass(frozen=True)
class Histogram:
    """How an array's values are spread.

    Attributes:
        title: which array.
        counts: of the bins, from the smallest value to the largest.
        low, high: where the bins begin and end.
        mean, deviation: of all values.
        zeros: the share of values that are zero.
    """

    title: str
    counts: tuple[int, ...]
    low: float
    high: float
    mean: float
    deviation: float
    zeros: float


@dataclass(frozen=True)
class Call:
    """A kernel that ran.

    Attributes:
        operation, backend, version: its row in the registry's table.
        direction: "forward" or "backward".
        seconds: how long.
    """

    operation: str
    backend: str
    version: str
    direction: str
    seconds: float


@dataclass(frozen=True)
class Place:
    """A line of a source file: its path relative to the project, and the line's number."""

    file: str
    line: int


@dataclass(frozen=True)
class Operation:
    """One step of the network.

    Attributes:
        index: its place in the order of execution.
        module: dotted path of the module that ran it; "" for the model itself.
        function: the class of the Function.
        label: what the graph calls it: the layer's name, or the class of a Function that no layer holds.
        description: how the module was constructed.
        parents: indices of the operations whose outputs it read.
        arguments: stride, padding, ...
        input_shapes, output_shapes: of the arrays; weights are no inputs.
        weights: shapes of the parameters it read, by their names.
        parameters: how many numbers those are.
        multiply_adds, bytes_moved: what it costs.
        forward_seconds, backward_seconds: how long it took.
        backward_position: as how many-th its backward ran.
        forward_source, backward_source: where its code begins.
        calls: the kernels that ran.
        cost: how the multiply-adds come about, in symbols and numbers.
        pictures: feature maps, filters, gradients.
        histograms: of activation, weights and gradients.
        inspector: how its numbers can be inspected, see `inspectors`.
        field: its units' receptive fields, see `fields`.
    """

    index: int
    module: str
    function: str
    label: str
    description: str
    parents: tuple[int, ...]
    arguments: Mapping[str, Any]
    input_shapes: tuple[tuple[int, ...], ...]
    output_shapes: tuple[tuple[int, ...], ...]
    weights: Mapping[str, tuple[int, ...]]
    parameters: int
    multiply_adds: int
    bytes_moved: int
    forward_seconds: float
    backward_seconds: float
    backward_position: int | None
    forward_source: Place | None
    backward_source: Place | None
    calls: tuple[Call, ...]
    cost: str
    pictures: tuple[Sprite, ...] = ()
    histograms: tuple[Histogram, ...] = ()
    inspector: Mapping[str, Any] | None = None
    field: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Block:
    """A module's run: operations that follow each other, folded or shown.

    Attributes:
        name: the last part of its path; the class for the model itself.
        path: dotted.
        kind: the module's class.
        description: how it was constructed.
        parts: blocks and indices of operations, in order of execution.
    """

    name: str
    path: str
    kind: str
    description: str
    parts: tuple[Block | int, ...]


@dataclass(frozen=True)
class VersionText:
    """A rung of a ladder.

    Attributes:
        backend, name, idea: the row in the registry's table.
        parts: which of the page's texts are its source, the entry first.
    """

    backend: str
    name: str
    idea: str
    parts: tuple[int, ...]


@dataclass(frozen=True)
class Ladder:
    """A kernel operation: its contract and its versions, from the one that reads best to the fastest."""

    operation: str
    contract: str
    versions: tuple[VersionText, ...]


@dataclass(frozen=True)
class Text:
    """A piece of source code: its path relative to the project, the line where it begins, and the lines."""

    file: str
    line: int
    text: str


@dataclass(frozen=True)
class About:
    """What is known of a kind of operation.

    Attributes:
        docstring: what the Function says of itself, in forward and backward.
        formula: of the layer; empty where there is no explanation of it.
        paper: where it comes from.
        explanation: under which name `minidnn explain` works out an example.
    """

    docstring: str
    formula: str = ""
    paper: str = ""
    explanation: str = ""


@dataclass(frozen=True)
class Page:
    """All that the page shows.

    Attributes:
        model: the model's name.
        summary: what its builder says of it.
        subject: what was traced: image, weights, mode.
        picture: the image.
        answers: the most probable classes, with their probabilities.
        operations: in order of execution.
        about: what is known of each class of Function.
        tree: the modules.
        ladders: by operation of the kernels.
        texts: source code, each piece once.
        flow: gradient norms along the depth, as curves.
        comparisons: the same of other networks, see `flow`.
        regions: ROI pooling on one of the network's maps, see `regions`.
        live: whether the page is served by the program, which answers for any pixel.
    """

    model: str
    summary: str
    subject: tuple[str, ...]
    picture: Sprite | None
    answers: tuple[tuple[str, float], ...]
    operations: tuple[Operation, ...]
    about: Mapping[str, About]
    tree: Block
    ladders: Mapping[str, Ladder]
    texts: tuple[Text, ...]
    flow: tuple[Mapping[str, Any], ...] = ()
    comparisons: tuple[Mapping[str, Any], ...] = ()
    regions: Mapping[str, Any] | None = None
    live: bool = False


def to_json(value: Any) -> str:
    """Return dataclasses, mappings and sequences of plain values as compact JSON."""
    return json.dumps(_plain(value), separators=(",", ":"), allow_nan=False)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        pairs = ((field.name, getattr(value, field.name)) for field in fields(value))
        return {name: _plain(content) for name, content in pairs if not _is_missing(content)}
    if isinstance(value, Mapping):
        return {str(key): _plain(content) for key, content in value.items()}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, Sequence):
        return [_plain(content) for content in value]
    if isinstance(value, float):
        # Nine digits tell every float32 from its neighbours.
        return float(f"{value:.9g}") if math.isfinite(value) else str(value)
    if isinstance(value, bool | int):
        return value
    return str(value)


def _is_missing(content: Any) -> bool:
    return content is None or (isinstance(content, tuple | str | Mapping) and not content)
