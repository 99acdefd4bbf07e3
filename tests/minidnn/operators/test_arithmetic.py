"""Arithmetic of tensors: against PyTorch, against differences, dtypes, refusals, changes in place."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import minidnn
from minidnn import Tensor
from tests.kernels.elementwise.samples import broadcast_pairs
from tests.minidnn.operators.table import (
    OperatorCase,
    check_against_torch,
    check_gradients,
    few,
    on,
    positive,
)

SHAPES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "same": ((3, 4), (3, 4)),
    "stretched": ((2, 1, 4), (3, 1)),
    "single": ((1, 3), (2, 3)),
    "scalar": ((3, 2), ()),
    "both-scalar": ((), ()),
    "empty": ((0, 3), (1, 3)),
    "leading": ((1, 1, 2), (2,)),
}
BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "power": operator.pow,
    "maximum": lambda a, b: a.maximum(b),
    "minimum": lambda a, b: a.minimum(b),
}
MASK = [[True, False, True], [False, False, True]]


def masked(call: Callable[..., Any], *shapes: tuple[int, ...]) -> Callable[..., Any]:
    def inputs(draw: Any) -> list[np.ndarray]:
        return [np.array(MASK), *(draw.normal(*shape) for shape in shapes)]

    return lambda label: OperatorCase(label, call, inputs)


CASES = [
    *(
        positive(f"{name}-{label}", call, *shapes)
        for name, call in BINARY.items()
        for label, shapes in SHAPES.items()
    ),
    positive("remainder", lambda a, b: (a * 4) % b, (3, 4), (4,)),
    positive("floor-divide", lambda a, b: a + (a.detach() * 4) // b.detach() + b * 0, (3, 4), (4,)),
    few("power-of-zeros-and-negatives", lambda a, b: a**b, (40,), (40,)),
    few("power-of-a-scalar-exponent", lambda a: a**3 + a**0 + a**2, (40,)),
    positive("power-to-a-number", lambda a: a**-1.5 + 2.5**a, (3, 2)),
    few("maximum-ties", lambda a, b: a.maximum(b), (40,), (40,)),
    few("minimum-ties", lambda a, b: a.minimum(b), (5, 8), (8,)),
    positive("numbers-on-both-sides", lambda a: (1 - a) * 3 + 2 / a - a / 4 + (5 + a) - 1, (3, 4)),
    positive("whole-number-divides", lambda a: 7 % (a.detach() * 0 + 4) + a, (3,)),
    on("negative", lambda a: -a, (3, 4)),
    on("positive", lambda a: +a * 2, (3, 4)),
    on("absolute", abs, (3, 4)),
    few("absolute-of-zeros", lambda a: a.abs(), (30,)),
    on("exponential", lambda a: a.exp(), (3, 4)),
    positive("logarithm", lambda a: a.log(), (3, 4)),
    positive("square-root", lambda a: a.sqrt(), (3, 4)),
    few("square-root-of-zeros-and-negatives", lambda a: a.sqrt(), (30,)),
    few("logarithm-of-zeros-and-negatives", lambda a: a.log(), (30,)),
    on("sine-and-cosine", lambda a: a.sin() * a.cos(), (3, 4)),
    on("square", lambda a: a.square(), (3, 4)),
    few("steps", lambda a: a.sign() * a + a.floor() + a.round(), (30,)),
    on("clamp", lambda a: a.clamp(-0.5, 0.75), (4, 5)),
    on("clamp-low", lambda a: a.clamp(min=0.1), (4, 5)),
    on("clamp-high", lambda a: a.clip(max=0.1), (4, 5)),
    few("clamp-at-its-bounds", lambda a: a.clamp(-0.5, 0.5), (40,)),
    on("clamp-crossed", lambda a: a.clamp(0.5, -0.5), (5,)),
    on("named", lambda a, b: a.add(b, alpha=3).sub(b, alpha=0.5).mul(b).div(3).neg().pow(2), (3, 4), (4,)),
    positive("named-integers", lambda a: (a * 5).remainder(2) + a.add(3, alpha=2).sub(1, alpha=2), (3,)),
    masked(lambda mask, a, b: a.where(mask, b), (2, 3), (3,))("where"),
    masked(lambda mask, a: a.where(mask, a * 2), ())("where-scalar"),
    masked(lambda mask, a: a.masked_fill(mask, 7.5), (2, 3))("masked-fill"),
    *(
        on(f"matmul-{label}", operator.matmul, *shapes)
        for label, shapes in {
            "matrices": ((2, 3), (3, 4)),
            "vectors": ((3,), (3,)),
            "row": ((3,), (3, 4)),
            "column": ((2, 3), (3,)),
            "row-stack": ((3,), (2, 3, 4)),
            "stack-column": ((5, 2, 3), (3,)),
            "stack-matrix": ((5, 2, 3), (3, 4)),
            "matrix-stack": ((2, 3), (5, 3, 4)),
            "stacks": ((5, 2, 3), (5, 3, 4)),
            "stretched": ((2, 1, 2, 3), (4, 3, 2)),
            "stretched-both": ((2, 1, 2, 3), (1, 4, 3, 2)),
            "one-row": ((1, 3), (3, 1)),
            "no-rows": ((0, 3), (3, 2)),
            "no-inner": ((2, 0), (0, 3)),
            "no-inner-stack": ((2, 2, 0), (0, 3)),
            "no-stack": ((0, 2, 3), (3, 4)),
        }.items()
    ),
    on("matmul-named", lambda a, b: a.matmul(b), (2, 3), (3, 2)),
    on("clone", lambda a: a.clone() * a, (3, 2)),
    on("cast", lambda a: a.to("float64" if isinstance(a, Tensor) else a.dtype).to(a.dtype) * 2, (3, 2)),
    on("same-tensor-twice", lambda a: a * a + a / (a * a + 1), (3, 2)),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_against_torch(case: OperatorCase) -> None:
    check_against_torch(case)


@pytest.mark.parametrize("case", [case for case in CASES if case.smooth], ids=str)
def test_gradients(case: OperatorCase) -> None:
    check_gradients(case)


@settings(max_examples=60)
@given(pair=broadcast_pairs())
def test_drawn_broadcasts(pair: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    for name, call in BINARY.items():
        check_against_torch(positive(name, call, *pair))


def test_floor_division_is_constant_between_its_steps() -> None:
    """PyTorch has no derivative for it; here it is 0, as that of floor."""
    a, b = (Tensor(np.array(values), requires_grad=True) for values in ([5.5, -3.25], [2.0, 1.5]))
    (a // b).sum().backward()
    assert a.grad is not None
    assert b.grad is not None
    assert a.grad.tolist() == b.grad.tolist() == [0.0, 0.0]


COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}


@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons(name: str) -> None:
    a, b = np.array([1.0, 2.0, 3.0, np.nan]), np.array([[2.0], [np.nan]])
    expected = [
        [getattr(operator, name)(float(x), float(y)) for x in a] for y in b[:, 0]
    ]  # Python's own comparison
    assert COMPARISONS[name](Tensor(a), Tensor(b)).tolist() == expected
    assert getattr(Tensor(a), name)(b).tolist() == expected
    first = COMPARISONS[name](Tensor(a, requires_grad=True), 2)
    assert first.tolist() == expected[0]
    assert first.dtype == np.bool_
    assert not first.requires_grad


def test_logic() -> None:
    a, b = Tensor([True, True, False, False]), Tensor([True, False, True, False])
    assert (a & b).tolist() == [True, False, False, False]
    assert (a | b).tolist() == [True, True, True, False]
    assert (a ^ b).tolist() == [False, True, True, False]
    assert (~a).tolist() == a.logical_not().tolist() == [False, False, True, True]
    assert (True & a).tolist() == a.tolist()
    assert (False | a).tolist() == a.tolist()
    assert (True ^ a).tolist() == (~a).tolist()
    with pytest.raises(TypeError, match="must have one of the dtypes bool, got float32"):
        Tensor([1.0]) & Tensor([1.0])


def test_tests_of_single_elements() -> None:
    x = Tensor([1.0, float("nan"), float("inf")])
    assert x.isnan().tolist() == [False, True, False]
    assert x.isfinite().tolist() == [True, False, False]
    assert 1.0 in x
    assert 2.0 not in x


def test_equality_with_what_is_no_number_is_identity() -> None:
    x = Tensor([1.0])
    assert (x == None) is False  # noqa: E711 - the operator is what is tested
    assert (x != "text") is True
    assert len({x, x}) == 1


@pytest.mark.parametrize(
    ("a", "b", "dtype"),
    [
        (Tensor([1.0]), 2, "float32"),
        (Tensor(np.ones(1)), 2.5, "float64"),
        (Tensor([1.0]), np.float64(2), "float32"),
        (Tensor([1.0]), np.int64(2), "float32"),
        (Tensor([1]), 2.5, "float32"),
        (Tensor([1]), True, "int64"),
        (Tensor([True]), 2, "int64"),
        (Tensor([True]), 2.5, "float32"),
        (Tensor([True]), True, "bool"),
        (Tensor([1]), Tensor(np.ones(1)), "float64"),
        (Tensor([True]), Tensor([1.0]), "float32"),
        (Tensor(np.ones(1, np.int32)), Tensor([1]), "int64"),
        (Tensor(np.ones(1, np.uint8)), Tensor(np.ones(1, np.int8)), "int16"),
        (Tensor([True]), Tensor(np.ones(1, np.uint8)), "uint8"),
        (Tensor(np.ones(1, np.uint8)), 3, "uint8"),
        (Tensor(np.ones(1)), [1.0], "float64"),
        (Tensor([1]), [1.5], "float32"),
        (Tensor([1.0]), np.array([1]), "float32"),
        (Tensor([1.0]), [[1, 2]], "float32"),
    ],
)
def test_dtypes_meet(a: Tensor, b: Any, dtype: str) -> None:
    for result in (a + b, b + a, a * b, a.maximum(b)):
        assert result.dtype == dtype
    assert (a / b).dtype == (dtype if dtype.startswith("float") else "float32")
    assert (a == b).dtype == np.bool_


def test_integers() -> None:
    a, b = Tensor([7, -7, 7, -7]), Tensor([2, 2, -2, -2])
    assert (a // b).tolist() == a.floor_divide(b).tolist() == [3, -4, -4, 3]
    assert (a % b).tolist() == [1, 1, -1, -1]
    assert (a / b).tolist() == [3.5, -3.5, -3.5, 3.5]
    assert (9 // b).tolist() == [4, 4, -5, -5]
    assert (a**2).tolist() == [49] * 4
    assert (2 ** Tensor([3])).tolist() == [8]
    assert a.floor().tolist() == a.round().tolist() == a.tolist()
    assert a.clamp(-1, 1).tolist() == [1, -1, 1, -1]
    assert a.clamp(max=0.5).dtype == np.float32
    assert Tensor([4]).sqrt().tolist() == [2.0]
    assert (Tensor([1, 2]) @ Tensor([3, 4])).item() == 11


def test_arrays_and_lists_on_either_side() -> None:
    x = Tensor([1.0, 2.0])
    assert isinstance(np.ones(2, np.float32) + x, Tensor)
    assert (np.ones((3, 2), np.float32) @ x).tolist() == [3.0, 3.0, 3.0]
    assert ([1.0, 2.0] - x).tolist() == [0.0, 0.0]
    assert (np.float32(3) * x).tolist() == [3.0, 6.0]
    assert x.add([1.0, 1.0], alpha=2).tolist() == [3.0, 4.0]


ONE, HALF = Tensor(np.ones((2, 3))), Tensor(np.ones((2, 3), np.float32))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: ONE + HALF,
            TypeError,
            "operands have dtypes float64 and float32, but need one and the same",
        ),
        (lambda: HALF @ np.ones((3, 2)), TypeError, "operands have dtypes float32 and float64"),
        (lambda: ONE.where(ONE > 0, HALF), TypeError, "operands have dtypes float64 and float32"),
        (lambda: ONE + Tensor(np.ones(2)), ValueError, "a (2, 3) and b (2,) do not broadcast"),
        (lambda: ONE + "text", TypeError, "an operand must be a number, an array or a tensor, got "),
        (lambda: ONE + None, TypeError, "an operand must be a number, an array or a tensor, got None"),
        (lambda: ONE * 1j, TypeError, "the complex number 1j cannot meet a tensor of dtype float64"),
        (lambda: Tensor(np.ones(1, np.uint8)) + 300, ValueError, "300 is beyond the range of dtype uint8"),
        (lambda: Tensor(np.ones(1, np.uint8)) > -1, ValueError, "-1 is beyond the range of dtype uint8"),
        (lambda: Tensor([2]) ** -1, ValueError, "b holds a negative exponent"),
        (lambda: Tensor([2]) // 0, ValueError, "b holds a 0"),
        (lambda: ONE @ ONE, ValueError, "a (2, 3) has 3 columns but b (2, 3) has 2 rows"),
        (lambda: Tensor(np.ones((4, 2, 3))) @ ONE, ValueError, "a (4, 2, 3) has 3 columns but b (2, 3)"),
        (lambda: ONE @ 2.0, ValueError, "b must have at least 1 dimension, got a scalar"),
        (lambda: 2.0 @ ONE, ValueError, "a must have at least 1 dimension, got a scalar"),
        (lambda: ONE.clamp(), ValueError, "clamp needs min or max, got None for both"),
        (lambda: ONE.clamp("low"), TypeError, "min must be a real number or None, got 'low'"),
        (lambda: ONE.masked_fill(ONE, 1), TypeError, "condition must have one of the dtypes bool"),
        (lambda: -Tensor([True]), TypeError, "got bool"),
    ],
)
def test_bad_input(call: Callable[[], Any], error: type, message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


IN_PLACE: dict[str, Callable[[Any, Any], Any]] = {
    "+=": operator.iadd,
    "-=": operator.isub,
    "*=": operator.imul,
    "/=": operator.itruediv,
    "**=": operator.ipow,
    "add_": lambda a, b: a.add_(b, alpha=2),
    "sub_": lambda a, b: a.sub_(b, alpha=2),
    "mul_": lambda a, b: a.mul_(b),
    "div_": lambda a, b: a.div_(b),
    "pow_": lambda a, b: a.pow_(b),
    "neg_": lambda a, b: a.neg_(),
    "abs_": lambda a, b: a.abs_(),
    "exp_": lambda a, b: a.exp_(),
    "log_": lambda a, b: a.log_(),
    "sqrt_": lambda a, b: a.sqrt_(),
    "clamp_": lambda a, b: a.clamp_(0.5, 1.0),
    "masked_fill_": lambda a, b: a.masked_fill_(a > 1, 0.25),
    "zero_": lambda a, b: a.zero_(),
    "fill_": lambda a, b: a.fill_(3),
    "copy_": lambda a, b: a.copy_(b),
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_changes_in_place_against_torch(name: str) -> None:
    """The gradient flows through the change, and the memory is the old one."""

    def call(a: Any, b: Any) -> Any:
        changed = a * 1 + 0
        result = IN_PLACE[name](changed, b)
        assert result is changed
        return result

    check_against_torch(positive(name, call, (3, 4), (4,)))
    x = Tensor(np.ones((2, 2)))
    memory = x.data
    IN_PLACE[name](x, 2.0)
    assert x.data is memory


def test_integer_changes_in_place() -> None:
    x = Tensor([7, 8])
    x //= 2
    assert x.tolist() == [3, 4]
    x %= 2
    assert x.tolist() == [1, 0]
    mask = Tensor([True, False])
    mask &= True
    mask |= Tensor([False, True])
    mask ^= Tensor([True, False])
    assert mask.tolist() == [False, True]


def test_changes_in_place_are_refused_where_they_would_break_something() -> None:
    leaf = Tensor(np.ones(3), requires_grad=True)
    with pytest.raises(ValueError, match="a leaf that requires grad cannot be changed in place"):
        leaf.add_(1)
    with minidnn.no_grad():
        leaf.add_(1)
    assert leaf.tolist() == [2.0, 2.0, 2.0]
    with pytest.raises(ValueError, match="must keep shape"):
        Tensor(np.ones(3)).add_(np.ones((2, 3)))
    with pytest.raises(TypeError, match="must keep dtype int64, it has float32"):
        Tensor([1]).add_(0.5)
    squared = (computed := leaf * 2) * computed
    computed.mul_(3)
    with pytest.raises(ValueError, match="was changed in place"):
        squared.sum().backward()


def test_what_backward_does_not_need_may_change() -> None:
    x = Tensor(np.ones(3), requires_grad=True)
    factor = Tensor(np.full(3, 2.0))
    y = x * factor
    x_before = y + 1
    y.add_(5)  # neither addition nor multiplication by a constant remembers its result
    x_before.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [2.0, 2.0, 2.0]


def test_overflowing_numbers_are_infinite_silently() -> None:
    assert (Tensor([1.0]) + 1e300).tolist() == [float("inf")]
    assert (Tensor([1.0]) * -(10**60)).tolist() == [float("-inf")]
