"""Samples of the elementwise kernels: one table of operations, run over the same odd shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.kernels.sample import Draw, Sample

# shapes of two operands, and what is odd about them
PAIRS = {
    "same": ((3, 4), (3, 4)),
    "stretched": ((2, 1, 4), (3, 1)),
    "scalar": ((3, 2), ()),
    "both-scalar": ((), ()),
    "empty": ((0, 3), (1,)),
    "outer": ((5, 1), (1, 2)),
    "alternating": ((2, 1, 3, 1, 2), (1, 3, 1, 2, 1)),
}
SHAPES = {"plain": (3, 4), "scalar": (), "empty": (2, 0), "single": (1, 1, 1), "deep": (2, 1, 3, 2)}

Make = Callable[[Draw, tuple[int, ...]], np.ndarray]


def normal(draw: Draw, shape: tuple[int, ...]) -> np.ndarray:
    return draw.normal(*shape)


def positive(draw: Draw, shape: tuple[int, ...]) -> np.ndarray:
    return draw.uniform(*shape, low=0.25, high=3.0)


def eighths(draw: Draw, shape: tuple[int, ...]) -> np.ndarray:
    """Few values, so that two of them are often equal; exact, so that a quotient's floor is no close call."""
    return np.asarray(draw.integers(-12, 13, *shape) / 8, draw.dtype)


def divisor(draw: Draw, shape: tuple[int, ...]) -> np.ndarray:
    """Exact powers of two of either sign."""
    signs = 2 * draw.integers(0, 2, *shape) - 1
    return np.asarray(signs * 2.0 ** draw.integers(-2, 3, *shape), draw.dtype)


def numbers(draw: Draw, shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(draw.integers(-5, 6, *shape))


def counts(draw: Draw, shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(draw.integers(1, 5, *shape))


def truths(draw: Draw, shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(draw.integers(0, 2, *shape) == 1)


def special(draw: Draw, shape: tuple[int, ...]) -> np.ndarray:
    """NaN, infinities, both zeros and ordinary numbers."""
    values = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.5, -2.0, 0.5])
    return np.asarray(values[draw.integers(0, len(values), *shape)], draw.dtype)


# operation: how its two operands are drawn
BINARY: dict[str, list[tuple[str, Make, Make]]] = {
    "add": [("", normal, normal), ("int", numbers, numbers), ("bool", truths, truths)],
    "subtract": [("", normal, normal), ("int", numbers, numbers)],
    "multiply": [("", normal, normal), ("int", numbers, numbers), ("bool", truths, truths)],
    "divide": [("", normal, positive), ("special", special, special)],
    "floor_divide": [("", eighths, divisor), ("int", numbers, counts), ("special", special, special)],
    "remainder": [("", eighths, divisor), ("int", numbers, counts)],
    "power": [("", positive, normal), ("int", numbers, counts), ("special", special, special)],
    "maximum": [("", eighths, eighths), ("int", numbers, numbers), ("special", special, special)],
    "minimum": [("", eighths, eighths), ("int", numbers, numbers), ("special", special, special)],
}
UNARY: dict[str, list[tuple[str, Make]]] = {
    "negative": [("", normal), ("int", numbers)],
    "absolute": [("", normal), ("int", numbers), ("special", special)],
    "sign": [("", eighths), ("int", numbers), ("special", special)],
    "exponential": [("", normal), ("special", special)],
    "logarithm": [("", positive), ("special", special)],
    "square_root": [("", positive), ("special", special)],
    "sine": [("", normal), ("special", special)],
    "cosine": [("", normal), ("special", special)],
    "floor": [("", normal), ("special", special)],
    "round_half_even": [("", normal), ("halves", eighths), ("special", special)],
    "is_nan": [("", special), ("int", numbers), ("bool", truths)],
    "is_finite": [("", special), ("int", numbers), ("bool", truths)],
    "copy": [("", normal), ("int", numbers), ("bool", truths)],
}


def binary(operation: str, label: str, make_a: Make, make_b: Make, pair: tuple[Any, Any]) -> Sample:
    return Sample(operation, label, lambda draw: (make_a(draw, pair[0]), make_b(draw, pair[1])))


def unary(operation: str, label: str, make: Make, shape: tuple[int, ...]) -> Sample:
    return Sample(operation, label, lambda draw: (make(draw, shape),))


def clip(label: str, make: Make, shape: tuple[int, ...], low: Any, high: Any) -> Sample:
    return Sample("clip", label, lambda draw: (make(draw, shape), low, high))


def where(label: str, make: Make, *shapes: tuple[int, ...]) -> Sample:
    condition, a, b = shapes
    return Sample("where", label, lambda draw: (truths(draw, condition), make(draw, a), make(draw, b)))


def cast(label: str, make: Make, dtype: Any) -> Sample:
    """To `dtype`, or to the drawn dtype where None stands."""
    return Sample("cast", label, lambda draw: (make(draw, (3, 4)), np.dtype(dtype or draw.dtype)))


SAMPLES = [
    *(
        binary(operation, f"{shapes}-{kind}".rstrip("-"), a, b, PAIRS[shapes])
        for operation, kinds in BINARY.items()
        for kind, a, b in kinds
        for shapes in (PAIRS if not kind else ["stretched"])
    ),
    *(
        unary(operation, f"{shape}-{kind}".rstrip("-"), make, SHAPES[shape])
        for operation, kinds in UNARY.items()
        for kind, make in kinds
        for shape in (SHAPES if not kind else ["deep"])
    ),
    Sample("power", "squared", lambda draw: (draw.normal(3, 2), np.array(2, draw.dtype))),
    # In float32 the quotients without their remainders come out just below the whole numbers that they are.
    Sample(
        "floor_divide",
        "rounded",
        lambda draw: ((np.arange(73, 80) / 8).astype(draw.dtype), np.array(0.7, draw.dtype)),
    ),
    clip("both", normal, (3, 4), -0.5, 0.75),
    clip("low-only", eighths, (2, 5), 0.25, None),
    clip("high-only", eighths, (2, 5), None, 0.25),
    clip("open", normal, (2, 2), None, None),
    clip("crossed", normal, (4,), 0.5, -0.5),
    clip("special", special, (4, 5), -1.0, 1.0),
    clip("int", numbers, (4, 5), -2, 10**30),
    clip("scalar", normal, (), -0.1, 0.1),
    where("same", normal, (3, 2), (3, 2), (3, 2)),
    where("stretched", special, (2, 1, 1), (3, 1), (4,)),
    where("scalar-choice", numbers, (3, 2), (), (3, 2)),
    where("scalar", normal, (), (), ()),
    where("bool", truths, (3,), (3,), ()),
    where("empty", normal, (0, 1), (3,), ()),
    cast("from-int", numbers, None),
    cast("from-bool", truths, None),
    cast("to-int", normal, np.int64),
    cast("to-int8", eighths, np.int8),
    cast("to-bool", eighths, np.bool_),
    cast("same", normal, None),
]


@st.composite
def broadcast_pairs(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Two shapes that broadcast: lengths stretched to 1, leading axes left out."""
    shape = draw(st.lists(st.integers(0, 3), max_size=4))

    def partner() -> tuple[int, ...]:
        lengths = [1 if draw(st.booleans()) else length for length in shape]
        return tuple(lengths[draw(st.integers(0, len(lengths))) :])

    return partner(), partner()


@st.composite
def _drawn(draw: st.DrawFn) -> Sample:
    pair = draw(broadcast_pairs())
    if draw(st.booleans()):
        operation = draw(st.sampled_from(sorted(BINARY)))
        _, make_a, make_b = draw(st.sampled_from(BINARY[operation]))
        return binary(operation, "drawn", make_a, make_b, pair)
    operation = draw(st.sampled_from(sorted(UNARY)))
    return unary(operation, "drawn", draw(st.sampled_from(UNARY[operation]))[1], pair[0])


STRATEGY = _drawn()


def torch_call(name: str) -> Callable[..., np.ndarray]:
    """torch's function of that name on NumPy arguments."""

    def call(*arguments: Any) -> np.ndarray:
        import torch

        from tests.torch_bridge import to_torch

        given = [to_torch(value) if isinstance(value, np.ndarray) else value for value in arguments]
        return getattr(torch, name)(*given).numpy()

    return call


def _cast(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    import torch

    from tests.torch_bridge import to_torch

    return to_torch(x).to(getattr(torch, dtype.name)).numpy()


def _clip(x: np.ndarray, low: Any, high: Any) -> np.ndarray:
    if low is None and high is None:
        return x.copy()  # torch wants at least one bound
    if x.dtype == np.int64 and high is not None:
        high = min(high, 2**63 - 1)
    return torch_call("clamp")(x, low, high)


ORACLES = {
    **{name: torch_call(name) for name in BINARY if name != "power"},
    **{name: torch_call(name) for name in ("negative", "absolute", "sign", "sqrt", "floor")},
    "power": torch_call("pow"),
    "exponential": torch_call("exp"),
    "logarithm": torch_call("log"),
    "square_root": torch_call("sqrt"),
    "sine": torch_call("sin"),
    "cosine": torch_call("cos"),
    "round_half_even": torch_call("round"),
    "is_nan": torch_call("isnan"),
    "is_finite": torch_call("isfinite"),
    "copy": torch_call("clone"),
    "where": torch_call("where"),
    "clip": _clip,
    "cast": _cast,
}
