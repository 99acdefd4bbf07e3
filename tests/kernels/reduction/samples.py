"""Samples of the reductions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.kernels.elementwise.samples import Make, eighths, normal, numbers, positive, special, truths
from tests.kernels.sample import Draw, Sample


def length(shape: tuple[int, ...], axes: Any) -> int:
    """The number of elements that meet in one result."""
    if axes is None or not shape:
        return max(int(np.prod(shape)), 1)
    return max(int(np.prod([shape[axis] for axis in np.atleast_1d(axes)])), 1)


def few(draw: Draw, shape: tuple[int, ...]) -> np.ndarray:
    """Small factors with zeros among them."""
    return np.asarray(draw.integers(-1, 4, *shape) / 2, draw.dtype)


def reduce(operation: str, label: str, make: Make, shape: tuple[int, ...], axes: Any, keep: bool) -> Sample:
    return Sample(
        operation, label, lambda draw: (make(draw, shape), axes, keep), reduction_length=length(shape, axes)
    )


def product_backward(label: str, make: Make, shape: tuple[int, ...], axes: tuple[int, ...]) -> Sample:
    kept = tuple(1 if i in axes else n for i, n in enumerate(shape))
    return Sample(
        "reduce_product_backward",
        label,
        lambda draw: (draw.normal(*kept), make(draw, shape), axes),
        reduction_length=length(shape, axes),
    )


def cumulative(label: str, make: Make, shape: tuple[int, ...], axis: int, reverse: bool) -> Sample:
    return Sample(
        "cumulative_sum",
        label,
        lambda draw: (make(draw, shape), axis, reverse),
        reduction_length=length(shape, axis),
    )


# label: shape, axes, keepdims
PLACES: dict[str, tuple[tuple[int, ...], Any, bool]] = {
    "all": ((3, 4), None, False),
    "all-kept": ((2, 3, 2), None, True),
    "first": ((3, 4), 0, False),
    "last-kept": ((2, 1, 5), -1, True),
    "two": ((2, 3, 4), (0, -1), False),
    "two-swapped-kept": ((2, 3, 4), (2, 1), True),
    "no-axes": ((2, 3), (), False),
    "scalar": ((), None, False),
    "scalar-axis": ((), -1, True),
    "empty-kept-axis": ((0, 3), 1, False),
}
EMPTY: dict[str, tuple[tuple[int, ...], Any, bool]] = {
    "nothing": ((0, 3), 0, False),
    "nothing-at-all": ((2, 0), None, True),
}
# operation: how x is drawn, and whether it has a value for no elements
KINDS: dict[str, tuple[dict[str, Make], bool]] = {
    "reduce_sum": ({"": normal, "int": numbers, "bool": truths, "special": special}, True),
    "reduce_product": ({"": positive, "int": numbers, "bool": truths, "zeros": few}, True),
    "reduce_maximum": ({"": eighths, "int": numbers, "bool": truths, "special": special}, False),
    "reduce_minimum": ({"": eighths, "int": numbers, "bool": truths, "special": special}, False),
    "reduce_any": ({"": truths}, True),
    "reduce_all": ({"": truths}, True),
}
ARG_KINDS: dict[str, Make] = {"": eighths, "int": numbers, "special": special}

SAMPLES = [
    *(
        reduce(operation, f"{place}-{kind}".rstrip("-"), make, *arguments)
        for operation, (makes, has_empty) in KINDS.items()
        for kind, make in makes.items()
        for place, arguments in (PLACES | (EMPTY if has_empty else {})).items()
        if not kind or place in ("all", "two-swapped-kept", "nothing")
    ),
    *(
        reduce(operation, f"{place}-{kind}".rstrip("-"), make, *arguments)
        for operation in ("argmax", "argmin")
        for kind, make in ARG_KINDS.items()
        for place, arguments in PLACES.items()
        if not isinstance(arguments[1], tuple)
    ),
    product_backward("all", positive, (3, 2), (0, 1)),
    product_backward("first", positive, (3, 4), (0,)),
    product_backward("outer-two", few, (3, 2, 3), (0, 2)),
    product_backward("zeros", few, (4, 5), (1,)),
    product_backward("one-element", normal, (3, 1), (1,)),
    product_backward("scalar", normal, (), ()),
    product_backward("nothing", normal, (0, 3), (0,)),
    cumulative("first", normal, (4, 3), 0, False),
    cumulative("last-reverse", normal, (2, 3, 4), -1, True),
    cumulative("middle", normal, (2, 3, 4), 1, False),
    cumulative("int-reverse", numbers, (5, 2), 0, True),
    cumulative("bool", truths, (6,), 0, False),
    cumulative("scalar", normal, (), 0, True),
    cumulative("empty", normal, (0, 3), 0, True),
]


@st.composite
def _drawn(draw: st.DrawFn) -> Sample:
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    axes = tuple(draw(st.sets(st.integers(0, len(shape) - 1))))
    axis, flag = draw(st.integers(-len(shape), len(shape) - 1)), draw(st.booleans())
    kind = draw(st.sampled_from(["reduce", "arg", "product", "cumulative"]))
    if kind == "arg":
        operation = draw(st.sampled_from(["argmax", "argmin"]))
        return reduce(operation, "drawn", draw(st.sampled_from(list(ARG_KINDS.values()))), shape, axis, flag)
    if kind == "product":
        return product_backward("drawn", few, shape, axes)
    if kind == "cumulative":
        return cumulative("drawn", normal, shape, axis, flag)
    operation = draw(st.sampled_from(sorted(KINDS)))
    return reduce(operation, "drawn", KINDS[operation][0][""], shape, axes, flag)


STRATEGY = _drawn()


def _reduce(name: str) -> Callable[..., np.ndarray]:
    """torch's reduction of that name, one axis after the other from the last."""

    def call(x: np.ndarray, axes: Any, keepdims: bool) -> np.ndarray:
        import torch

        from tests.torch_bridge import to_torch

        result, rank = to_torch(x), x.ndim
        given = range(rank) if axes is None else np.atleast_1d(np.array(axes, int)) % max(rank, 1)
        for axis in sorted(given, reverse=True):
            result = getattr(torch, name)(result, dim=int(axis), keepdim=keepdims)
        widened = x.dtype.kind in "iub" and name in ("sum", "prod")
        return result.to(torch.int64).numpy() if widened else result.numpy()

    return call


def _arg(name: str) -> Callable[..., np.ndarray]:
    def call(x: np.ndarray, axis: int | None, keepdims: bool) -> np.ndarray:
        import torch

        from tests.torch_bridge import to_torch

        return getattr(torch, name)(to_torch(x), dim=axis, keepdim=keepdims).numpy()

    return call


def _product_backward(grad_output: np.ndarray, x: np.ndarray, axes: tuple[int, ...]) -> Any:
    import torch

    from tests.torch_bridge import gradients

    def product(tensor: torch.Tensor) -> torch.Tensor:
        for axis in axes:
            tensor = tensor.prod(dim=axis, keepdim=True)
        return tensor * 1

    return gradients(product, (x,), grad_output)[0]


def _cumulative(x: np.ndarray, axis: int, reverse: bool) -> np.ndarray:
    from tests.torch_bridge import to_torch

    tensor = to_torch(x)
    if x.ndim and reverse:
        return tensor.flip(axis).cumsum(axis).flip(axis).numpy()
    return tensor.cumsum(axis).numpy()


ORACLES = {
    "reduce_sum": _reduce("sum"),
    "reduce_product": _reduce("prod"),
    "reduce_maximum": _reduce("amax"),
    "reduce_minimum": _reduce("amin"),
    "reduce_any": _reduce("any"),
    "reduce_all": _reduce("all"),
    "argmax": _arg("argmax"),
    "argmin": _arg("argmin"),
    "reduce_product_backward": _product_backward,
    "cumulative_sum": _cumulative,
}
