"""Samples of indexing, in all its forms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from kernels.indexing import taken_shape
from tests.kernels.elementwise.samples import Make, eighths, normal, numbers, special, truths
from tests.kernels.sample import Draw, Sample

# For every axis of x the shape of its index array, or None for the whole axis.
Shapes = tuple[tuple[int, ...] | None, ...]


def draw_indices(draw: Draw, shape: Sequence[int], shapes: Shapes, unique: bool = False) -> tuple[Any, ...]:
    """Indices from both ends; `unique` ones name no element twice (one array only)."""

    def index(length: int, wanted: tuple[int, ...]) -> np.ndarray:
        if unique:
            return draw.generator.permutation(length)[: int(np.prod(wanted))].reshape(wanted)
        return np.asarray(draw.integers(-length, length, *wanted))

    return tuple(
        None if wanted is None else index(length, wanted)
        for length, wanted in zip(shape, shapes, strict=False)
    )


def index_samples(
    label: str, shape: tuple[int, ...], shapes: Shapes, make: Make = normal, unique: bool = False
) -> list[Sample]:
    def forward(draw: Draw) -> tuple[Any, ...]:
        return make(draw, shape), draw_indices(draw, shape, shapes)

    def backward(draw: Draw) -> tuple[Any, ...]:
        indices = draw_indices(draw, shape, shapes)
        return make(draw, taken_shape(indices, shape)), indices, shape

    def assign(draw: Draw) -> tuple[Any, ...]:
        indices = draw_indices(draw, shape, shapes, unique)
        return make(draw, shape), indices, make(draw, taken_shape(indices, shape))

    count = int(np.prod([n for wanted in shapes for n in wanted or ()]))
    both = [
        Sample("index_forward", label, forward),
        Sample("index_backward", label, backward, reduction_length=max(count, 1)),
    ]
    return [*both, Sample("index_assign", label, assign)] if unique else both


def slice_samples(
    label: str, shape: tuple[int, ...], key: tuple[Any, ...], make: Make = normal
) -> list[Sample]:
    view = np.broadcast_to(0, shape)[key].shape
    return [
        Sample("slice_backward", label, lambda draw: (make(draw, view), key, shape)),
        Sample("slice_assign", label, lambda draw: (make(draw, shape), key, make(draw, view))),
        Sample("slice_assign", f"{label}-scalar", lambda draw: (make(draw, shape), key, make(draw, ()))),
    ]


def gather_samples(
    label: str, shape: tuple[int, ...], index: tuple[int, ...], axis: int, make: Make = normal
) -> list[Sample]:
    length = shape[axis] if shape else 1

    def forward(draw: Draw) -> tuple[Any, ...]:
        return make(draw, shape), np.asarray(draw.integers(0, length, *index)), axis

    def backward(draw: Draw) -> tuple[Any, ...]:
        return make(draw, index), np.asarray(draw.integers(0, length, *index)), axis, shape

    return [
        Sample("gather_forward", label, forward),
        Sample("gather_backward", label, backward, reduction_length=index[axis] if index else 1),
    ]


def nonzero(label: str, make: Make, shape: tuple[int, ...]) -> Sample:
    return Sample("nonzero", label, lambda draw: (make(draw, shape),), stride_zero=False)


SAMPLES = [
    *index_samples("first", (5, 3), ((4,),), unique=True),
    *index_samples("last", (2, 5), (None, (3,)), unique=True),
    *index_samples("grid", (5, 2), ((2, 2),), unique=True),
    *index_samples("many-times", (3, 2), ((9,),)),
    *index_samples("one", (4, 3), ((),), unique=True),
    *index_samples("pairs", (3, 4), ((5,), (5,))),
    *index_samples("outer", (3, 4), ((2, 1), (3,))),
    *index_samples("neighbours", (2, 3, 4, 2), (None, (3,), (2, 1))),
    *index_samples("apart", (3, 2, 4), ((3,), None, (3,))),
    *index_samples("apart-in-the-middle", (2, 3, 2, 4), (None, (2,), None, (3, 1))),
    *index_samples("none-taken", (3, 2), ((0,),), unique=True),
    *index_samples("int", (4, 2), ((3,),), numbers, unique=True),
    *slice_samples("row", (3, 4), (1,)),
    *slice_samples("element", (3, 4), (-1, 2)),
    *slice_samples("steps", (5, 4), (slice(None, None, 2), slice(3, None, -2))),
    *slice_samples("new-axis", (3, 4), (None, Ellipsis, slice(1, 3), None)),
    *slice_samples("nothing", (3, 4), (slice(2, 1),)),
    *slice_samples("everything", (2, 3), ()),
    *slice_samples("scalar", (), (Ellipsis,)),
    *slice_samples("int", (3, 4), (slice(1, None),), numbers),
    Sample(
        "slice_assign",
        "leading-ones",
        lambda draw: (draw.normal(3, 4), (slice(None), 0), draw.normal(1, 1, 3)),
    ),
    Sample(
        "slice_assign",
        "stretched",
        lambda draw: (draw.normal(3, 4), (slice(1, None),), draw.normal(2, 1)),
    ),
    Sample(
        "index_assign",
        "leading-ones",
        lambda draw: (draw.normal(3, 4), (np.array([2, 0]),), draw.normal(1, 2, 1)),
    ),
    *gather_samples("middle", (3, 4, 2), (3, 5, 2), 1),
    *gather_samples("last", (3, 4), (3, 1), -1),
    *gather_samples("shorter", (3, 4, 3), (2, 6, 1), 1),
    *gather_samples("none", (3, 4), (3, 0), 1),
    *gather_samples("scalar", (), (), 0),
    *gather_samples("int", (3, 4), (6, 2), 0, numbers),
    nonzero("bool", truths, (3, 4)),
    nonzero("float", eighths, (3, 2, 4)),
    nonzero("special", special, (20,)),
    nonzero("int", numbers, (5, 3)),
    nonzero("several-chunks", eighths, (3, 50)),
    nonzero("scalar", truths, ()),
    nonzero("empty", normal, (0, 3)),
]


@st.composite
def _drawn(draw: st.DrawFn) -> Sample:
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    axis = draw(st.integers(0, len(shape) - 1))
    kind = draw(st.sampled_from(["index", "slice", "gather"]))
    if kind == "gather":
        cut = [draw(st.integers(0, n)) for n in shape]
        cut[axis] = draw(st.integers(0, 5))
        return draw(st.sampled_from(gather_samples("drawn", shape, tuple(cut), axis)))
    if kind == "slice":
        bound, step = st.integers(-5, 5) | st.none(), st.integers(-3, 3).filter(bool)
        key = [
            draw(st.integers(-n, n - 1) | st.builds(slice, bound, bound, step) | st.just(slice(None)))
            for n in shape
        ]
        key.insert(draw(st.integers(0, len(key))), draw(st.sampled_from([None, Ellipsis])))
        return draw(st.sampled_from(slice_samples("drawn", shape, tuple(key))))
    shapes = [draw(st.sampled_from([None, (), (3,), (1,), (2, 1), (2, 3)])) for _ in shape]
    shapes[axis] = (2, 1)
    return draw(st.sampled_from(index_samples("drawn", shape, tuple(shapes))))


STRATEGY = _drawn()


def _torch_key(indices: tuple[Any, ...]) -> tuple[Any, ...]:
    from tests.torch_bridge import to_torch

    return tuple(slice(None) if index is None else to_torch(index) for index in indices)


def _pull(take: Callable[[Any], Any]) -> Callable[[np.ndarray, Sequence[int]], np.ndarray]:
    """The gradient of `take` at an x of the given shape (in float64 also for integers)."""

    def backward(grad_output: np.ndarray, shape: Sequence[int]) -> np.ndarray:
        from tests.torch_bridge import gradients

        gradient = gradients(take, (np.zeros(tuple(shape)),), grad_output.astype(np.float64))[0]
        assert gradient is not None
        return gradient.astype(grad_output.dtype)

    return backward


def _index_forward(x: np.ndarray, indices: tuple[Any, ...]) -> np.ndarray:
    from tests.torch_bridge import to_torch

    return to_torch(x)[_torch_key(indices)].numpy()


def _index_assign(x: np.ndarray, indices: tuple[Any, ...], values: np.ndarray) -> np.ndarray:
    from tests.torch_bridge import to_torch

    tensor = to_torch(x)
    tensor[_torch_key(indices)] = to_torch(values)
    return tensor.numpy()


def _positive_steps(key: tuple[Any, ...], shape: Sequence[int]) -> Any:
    """torch has no negative steps: the places the key names, as flat indices."""
    import torch

    places = np.arange(int(np.prod(shape))).reshape(tuple(shape))[key]
    return torch.from_numpy(np.array(places, order="C"))


def _slice_backward(grad_output: np.ndarray, key: tuple[Any, ...], shape: Sequence[int]) -> np.ndarray:
    places = _positive_steps(key, shape)
    return _pull(lambda x: x.reshape(-1)[places])(grad_output, shape)


def _slice_assign(x: np.ndarray, key: tuple[Any, ...], values: np.ndarray) -> np.ndarray:
    from tests.torch_bridge import to_torch

    tensor, places = to_torch(x), _positive_steps(key, x.shape)
    extra = max(values.ndim - places.ndim, 0)
    tensor.reshape(-1)[places] = to_torch(values.reshape(values.shape[extra:]))
    return tensor.numpy()


def _gather(x: np.ndarray, index: np.ndarray, axis: int) -> np.ndarray:
    from tests.torch_bridge import to_torch

    return to_torch(x).gather(axis, to_torch(index)).numpy()


def _gather_backward(grad_output: np.ndarray, index: np.ndarray, axis: int, shape: Sequence[int]) -> Any:
    from tests.torch_bridge import to_torch

    return _pull(lambda x: x.gather(axis, to_torch(index)))(grad_output, shape)


def _nonzero(x: np.ndarray) -> np.ndarray:
    from tests.torch_bridge import to_torch

    return to_torch(x).nonzero().numpy()


ORACLES = {
    "index_forward": _index_forward,
    "index_backward": lambda dy, indices, shape: _pull(lambda x: x[_torch_key(indices)])(dy, shape),
    "index_assign": _index_assign,
    "slice_backward": _slice_backward,
    "slice_assign": _slice_assign,
    "gather_forward": _gather,
    "gather_backward": _gather_backward,
    "nonzero": _nonzero,
}
