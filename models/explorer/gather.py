"""From a model and an image to all that the page shows: one trace, forward and backward."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np

from kernels.array import Array
from minidnn import tracing
from minidnn.tensor import Tensor
from minidnn.tracing import ArrayRecord, KernelCall, ModuleRecord, OperationRecord, SourceLine, Trace
from models.explorer.about import about, cost_formula
from models.explorer.blocks import block_tree
from models.explorer.fields import Field, fields
from models.explorer.flow import comparisons, flow
from models.explorer.inspectors import inspector
from models.explorer.pictures import mosaic
from models.explorer.regions import region_example
from models.explorer.schema import Call, Histogram, Operation, Page, Place, Sprite
from models.explorer.sources import Library
from models.explorer.subject import Subject

TOP = 5
# Of the arrays that one operation's inspector embeds: all operations together share SHARED bytes.
SMALLEST_SHARE, LARGEST_SHARE, SHARED = 24_000, 400_000, 3_000_000


class Detail(NamedTuple):
    """How many planes a picture shows, and how large, so that the page of a deep network stays small."""

    planes: int
    gradients: int
    filters: int
    side: int


FEW, MANY = Detail(32, 32, 64, 56), Detail(9, 6, 24, 40)
MANY_OPERATIONS = 60


def trace_subject(subject: Subject) -> Trace:
    """Run the network forward and backward on its image, and keep every array.

    Backward starts at the winning score, so that gradients say what would raise it.
    """
    return tracing.trace(subject.network, subject.x, keep_arrays=True, loss=winning_score)


def winning_score(output: Any) -> Tensor:
    """Return the largest of a classifier's scores; of one with auxiliary heads the sum of every head's."""
    heads = output if isinstance(output, tuple | list) else (output,)
    total: Tensor = reduce(add, [head.max() for head in heads if head is not None])
    return total


def gather(subject: Subject, trace: Trace, live: bool = False) -> Page:
    """Return what the page shows.

    Args:
        subject: what was traced.
        trace: of it, by `trace_subject`.
        live: whether the page will be served, so that it may ask for more.
    """
    records = trace.operations
    detail = FEW if len(records) <= MANY_OPERATIONS else MANY
    share = min(LARGEST_SHARE, max(SMALLEST_SHARE, SHARED // max(len(records), 1)))
    modules = {module.path: module for module in trace.modules}
    seen = fields(subject, trace)
    operations = tuple(
        _operation(record, modules[record.module], detail, share, seen.get(record.index))
        for record in records
    )
    library = Library()
    names = dict.fromkeys(call.operation for record in records for call in record.kernels)
    ladders = {name: library.ladder(name) for name in names}
    picture = subject.picture
    planes = picture[None] if picture.ndim == 2 else picture.transpose(2, 0, 1)[None]
    return Page(
        model=subject.name,
        summary=subject.summary,
        subject=subject.notes,
        picture=mosaic(planes, ("image",), "The image as the network sees it.", 1, side=224),
        answers=_answers(trace),
        operations=operations,
        about={function: about(function) for function in dict.fromkeys(one.function for one in records)},
        tree=block_tree(subject.name, trace),
        ladders=ladders,
        texts=tuple(library.texts),
        flow=flow(trace),
        comparisons=comparisons(),
        regions=region_example(trace, picture.shape[:2]),
        live=live,
    )


def _operation(
    record: OperationRecord,
    module: ModuleRecord,
    detail: Detail,
    share: int,
    field: Field | None,
) -> Operation:
    weights = {array.name: array.shape for array in record.inputs if array.name is not None}
    return Operation(
        index=record.index,
        module=record.module,
        function=record.function,
        label=record.function if module.children or not record.module else record.module.rpartition(".")[2],
        description="" if module.children else module.description,
        parents=record.parents,
        arguments=record.arguments,
        input_shapes=tuple(array.shape for array in record.inputs if array.name is None),
        output_shapes=tuple(array.shape for array in record.outputs),
        weights=weights,
        parameters=record.parameter_count,
        multiply_adds=record.multiply_adds,
        bytes_moved=record.bytes_moved,
        forward_seconds=record.forward_seconds,
        backward_seconds=record.backward_seconds or 0.0,
        backward_position=record.backward_position,
        forward_source=_place(record.forward_source),
        backward_source=_place(record.backward_source),
        calls=tuple(map(_call, record.kernels)),
        cost=cost_formula(record),
        pictures=tuple(_pictures(record, detail)),
        histograms=tuple(_histograms(record)),
        inspector=inspector(record, share),
        field=field,
    )


def _place(source: SourceLine) -> Place:
    return Place(source.file, source.line)


def _call(call: KernelCall) -> Call:
    return Call(call.operation, call.backend, call.version, call.direction, call.seconds)


# ---- pictures --------------------------------------------------------------------------------------


def _pictures(record: OperationRecord, detail: Detail) -> Iterator[Sprite]:
    arrays = record.arrays
    if arrays is None:
        return
    output = arrays.outputs[0]
    if _has_planes(output):
        yield _maps(
            output,
            "Output, each channel from black (smallest) to white (largest).",
            detail.planes,
            detail.side,
        )
    gradient = arrays.gradients[0] if arrays.gradients else None
    if gradient is not None and _has_planes(gradient):
        caption = "Gradient that arrived at the output: grey is zero, white positive, black negative."
        yield _maps(gradient, caption, detail.gradients, detail.side, signed=True)
    for place, given in enumerate(record.inputs):
        if given.name is None or given.role != "weight":
            continue
        pair = arrays.inputs[place], arrays.input_gradients[place] if arrays.input_gradients else None
        for array, what in zip(pair, ("Filters", "Their gradients"), strict=True):
            if array is not None:
                yield from _filters(array, what, detail)


def _has_planes(array: Array) -> bool:
    return array.dtype.kind == "f" and array.ndim >= 2 and array[0].size > 1


def _maps(array: Array, caption: str, most: int, side: int, signed: bool = False) -> Sprite:
    """The channels of (1, C, H, W), or all numbers of (1, F) in one plane."""
    planes = (
        array[0]
        if array.ndim == 4 and array[0, 0].size > 1
        else array[0].reshape(1, *_near_square(array[0].size))
    )
    names = (
        [f"channel {index}" for index in range(min(len(planes), most))] if len(planes) > 1 else ["all values"]
    )
    return mosaic(planes, names, caption, most, signed, side)


def _near_square(size: int) -> tuple[int, int]:
    """Height and width of a plane of `size` numbers, no wider than 64 where that divides them."""
    height = next(height for height in range(max(int(size**0.5), 1), 0, -1) if size % height == 0)
    return height, size // height


def _filters(weight: Array, what: str, detail: Detail) -> Iterator[Sprite]:
    """Filters of (O, C, KH, KW): as colours where they see three channels, else their first channel's."""
    scale = "grey is zero, white positive, black negative."
    if weight.ndim == 2:
        yield mosaic(weight[None], ["matrix"], f"{what}: a row per output; {scale}", 1, True, 2 * detail.side)
    elif weight.ndim == 4 and weight[0, 0].size > 1:
        colours = weight.shape[1] == 3
        planes = weight if colours else weight[:, 0]
        seen = "of all three colours" if colours else "of the first input channel"
        names = [f"filter {index}" for index in range(min(len(planes), detail.filters))]
        yield mosaic(planes, names, f"{what} {seen}: {scale}", detail.filters, True, detail.side)


def _histograms(record: OperationRecord) -> Iterator[Histogram]:
    groups: Sequence[tuple[str, Sequence[ArrayRecord | None]]] = (
        ("output", record.outputs[:1]),
        ("gradient of the output", record.gradients[:1]),
    )
    for title, arrays in groups:
        yield from _histogram(title, arrays[0] if arrays else None)
    for array in record.parameters.values():
        yield from _histogram(array.role, array)
    for name, gradient in record.parameter_gradients.items():
        yield from _histogram(f"gradient of {name.rpartition('.')[2]}", gradient)


def _histogram(title: str, array: ArrayRecord | None) -> Iterator[Histogram]:
    found = None if array is None else array.statistics
    if found is None or array is None or array.size < 2:
        return
    yield Histogram(
        title,
        found.counts,
        found.minimum,
        found.maximum,
        found.mean,
        found.standard_deviation,
        found.zeros / array.size,
    )


# ---- the whole network -----------------------------------------------------------------------------


def _answers(trace: Trace) -> tuple[tuple[str, float], ...]:
    """The most probable classes of a classifier's scores (1, classes)."""
    scores = _scores(trace.output)
    if scores is None or scores.ndim != 2 or not np.isfinite(scores).all():
        return ()
    shifted = np.exp(scores[0].astype(np.float64) - scores[0].max())
    probabilities = shifted / shifted.sum()
    best = np.argsort(-probabilities, kind="stable")[:TOP]
    return tuple((f"class {index}", float(probabilities[index])) for index in best)


def _scores(output: Any) -> Array | None:
    """The first array in what a model returned: its main scores."""
    while isinstance(output, tuple | list) and output:
        output = output[0]
    if isinstance(output, Tensor):
        output = output.numpy()
    return output if isinstance(output, np.ndarray) else None
