"""The gradient checker, judged by planted mistakes: wrong backwards must be reported, right ones pass."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidnn.autograd import Function
from minidnn.gradcheck import GradcheckError, gradcheck, gradcheck_report
from minidnn.tensor import Tensor, apply, apply_many

MODES = ("full", "fast")
Array = np.ndarray


def leaf(*shape: int, seed: int = 1) -> Tensor:
    return Tensor(np.random.default_rng(seed).normal(size=shape), requires_grad=True)


class Given(Function):
    """A Function put together from a forward and a backward."""

    def __init__(self, forward: Callable[..., Any], backward: Callable[..., Any]) -> None:
        self.compute = forward
        self.differentiate = backward

    def forward(self, *arrays: Array) -> Any:
        self.arrays = arrays
        return self.compute(*arrays)

    def backward(self, *grad_outputs: Array | None) -> Any:
        return self.differentiate(*grad_outputs, *self.arrays)


def function(forward: Callable[..., Any], backward: Callable[..., Any]) -> Callable[..., Tensor]:
    return lambda *tensors: apply(Given(forward, backward), *tensors)


# ---- a convolution with mistakes to choose from ------------------------------------------------


class Convolution(Function):
    """x (H, W) padded by one, w (KH, KW), stride (SH, SW); `mistake` names what backward gets wrong."""

    def __init__(self, stride: tuple[int, int], mistake: str = "") -> None:
        self.stride = stride
        self.mistake = mistake

    def _visits(self, shape: tuple[int, ...]) -> list[tuple[int, int, slice, slice]]:
        """Every output position with the window it looks at."""
        (sh, sw), (kh, kw) = self.stride, self.w.shape
        return [
            (i, j, slice(i * sh, i * sh + kh), slice(j * sw, j * sw + kw))
            for i, j in itertools.product(range(shape[0]), range(shape[1]))
        ]

    def forward(self, x: Array, w: Array) -> Array:
        self.padded, self.w = np.pad(x, 1), w
        shape = tuple((self.padded.shape[a] - w.shape[a]) // self.stride[a] + 1 for a in (0, 1))
        y = np.zeros(shape)
        for i, j, rows, columns in self._visits(shape):
            y[i, j] = (self.padded[rows, columns] * w).sum()
        return y

    def backward(self, grad_output: Array) -> tuple[Array, Array]:
        dx, dw = np.zeros_like(self.padded), np.zeros_like(self.w)
        for i, j, rows, columns in self._visits(grad_output.shape):
            dw += grad_output[i, j] * self.padded[rows, columns]
            if self.mistake == "swapped stride":
                sh, sw = self.stride[::-1]
                rows, columns = slice(i * sh, i * sh + 3), slice(j * sw, j * sw + 3)
            target = dx[rows, columns]
            target += (grad_output[i, j] * self.w)[: target.shape[0], : target.shape[1]]
        if self.mistake == "transposed kernel axes":
            dw = dw.T
        if self.mistake == "off by one at the border":
            dx[:, -2] = 0
        return dx[1:-1, 1:-1], dw


def convolve(mistake: str = "") -> Callable[..., Tensor]:
    return lambda x, weight: apply(Convolution((2, 1), mistake), x, weight)


def one_element(g: Array, x: Array) -> Array:
    gradient = g * np.cos(x)
    gradient[1, 2] *= 1.01
    return gradient


def when_both_arrive(g: Array | None, h: Array | None, x: Array) -> Array:
    first = 0 if g is None else g * np.cos(x)
    second = 0 if h is None else h * 3 * x**2
    return first + second * (1 if g is None else 0.5)


# name: (function, inputs, part of the message)
WRONG: dict[str, tuple[Callable[..., Any], tuple[Tensor, ...], str]] = {
    "missing factor": (function(np.square, lambda g, x: g * x), (leaf(3, 4),), "input 0"),
    "sign": (function(np.cos, lambda g, x: g * np.sin(x)), (leaf(3, 4),), "input 0"),
    "ignores the upstream": (
        function(np.square, lambda g, x: 2 * x),
        (leaf(3, 4),),
        "not linear in the upstream",
    ),
    "ignores the upstream's sign": (
        function(np.square, lambda g, x: 2 * x * np.abs(g)),
        (leaf(3, 4),),
        "not linear in the upstream",
    ),
    "broadcast sum over the wrong axis": (
        function(np.add, lambda g, x, b: (g, g.sum(1))),
        (leaf(4, 4), leaf(4)),
        "input 1",
    ),
    "broadcast without the sum": (
        function(np.add, lambda g, x, b: (g, g[0])),
        (leaf(3, 4), leaf(4)),
        "input 1",
    ),
    "transposed kernel axes": (
        convolve("transposed kernel axes"),
        (leaf(7, 5), leaf(3, 3)),
        "input 1 (weight)",
    ),
    "swapped stride": (convolve("swapped stride"), (leaf(7, 5), leaf(3, 3)), "input 0 (x)"),
    "off by one at the border": (
        convolve("off by one at the border"),
        (leaf(7, 5), leaf(3, 3)),
        "input 0 (x)",
    ),
    "wrong for one element": (function(np.sin, one_element), (leaf(3, 4),), "index [1, 2] of shape (3, 4)"),
    "no gradient at all": (function(np.sin, lambda g, x: None), (leaf(3, 4),), "backward gives 0 "),
    "detached": (lambda x: Tensor(np.sin(x.data)), (leaf(3, 4),), "backward gives 0 "),
    "not a number": (function(np.sin, lambda g, x: g * np.nan), (leaf(3, 4),), "backward gives nan "),
    "second output": (
        lambda x: apply_many(
            Given(
                lambda x: (np.sin(x), x**3),
                lambda g, h, x: (0 if g is None else g * np.cos(x)) + (0 if h is None else h * x**2),
            ),
            x,
        ),
        (leaf(3, 4),),
        "input 0 (x)",
    ),
    "only when both outputs are used": (
        lambda x: apply_many(Given(lambda x: (np.sin(x), x**3), when_both_arrive), x),
        (leaf(3, 4),),
        "for a random upstream gradient",
    ),
    "scalar": (function(np.exp, lambda g, x: g), (leaf(),), "index () of shape ()"),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("mistake", WRONG)
def test_a_planted_mistake_is_reported(mistake: str, mode: str) -> None:
    wrong, inputs, part = WRONG[mistake]
    with pytest.raises(GradcheckError) as failure:
        gradcheck(wrong, inputs, mode=mode)
    assert part in str(failure.value)
    assert gradcheck(wrong, inputs, mode=mode, raise_exception=False) is False


@pytest.mark.parametrize("method", ["central", "complex"])
def test_complex_steps_report_mistakes_too(method: str) -> None:
    assert gradcheck(function(np.exp, lambda g, x: g * np.exp(x)), leaf(3, 2), method=method)
    with pytest.raises(GradcheckError, match=r"(central differences|complex steps) give"):
        gradcheck(function(np.exp, lambda g, x: g * np.exp(x) * 1.001), leaf(3, 2), method=method)


def test_complex_steps_are_exact() -> None:
    right = function(np.exp, lambda g, x: g * np.exp(x))
    report = gradcheck_report(right, leaf(3, 2), method="complex", atol=1e-13, rtol=1e-13)
    assert report.passed


def test_the_message_names_input_index_and_values() -> None:
    x = Tensor(np.array([[0.5, -1.0], [2.0, 3.0]]), requires_grad=True)
    wrong = function(lambda x: 3 * x, lambda g, x: g * np.array([[3.0, 3.0], [3.0, 4.0]]))
    report = gradcheck_report(wrong, (x,))
    assert re.fullmatch(
        r"the gradient of input 0 is wrong at index \[1, 1\] of shape \(2, 2\): backward gives 4 "
        r"for output 0 at \[1, 1\], central differences give (3|2\.9{8}\d+|3\.0{7}\d+) "
        r"\(relative error 0\.332\)",
        report.message,
    )
    assert (report.worst_input, report.worst_index, report.analytic) == (0, (1, 1), 4.0)
    assert report.numeric == pytest.approx(3.0)
    assert report.worst_error == pytest.approx(1 / 3.01)


@pytest.mark.parametrize("mode", MODES)
def test_a_right_convolution_passes(mode: str) -> None:
    report = gradcheck_report(convolve(), (leaf(7, 5), leaf(3, 3)), mode=mode)
    assert report.passed
    assert report.worst_error < 1e-8
    assert report.redraws == 0


# ---- kinks -------------------------------------------------------------------------------------


def first_maximum(g: Array, x: Array) -> Array:
    gradient = np.zeros_like(x)
    gradient[np.arange(len(x)), x.argmax(1)] = g
    return gradient


KINKED: dict[str, tuple[Callable[..., Any], Array]] = {
    "relu at 0": (function(lambda x: np.maximum(x, 0), lambda g, x: g * (x > 0)), np.zeros((3, 2))),
    "abs, some at 0": (function(np.abs, lambda g, x: g * np.sign(x)), np.array([0.0, 1.0, -2.0, 0.0])),
    "max of equal elements": (function(lambda x: x.max(1), first_maximum), np.ones((2, 3))),
    "max of a broadcast row": (function(lambda x: x.max(1), first_maximum), np.broadcast_to(0.5, (2, 3))),
    "floor at an integer": (function(np.floor, lambda g, x: 0 * g), np.array([1.0, 2.5])),
    "relu squared at 0": (
        function(lambda x: np.maximum(x, 0) ** 2, lambda g, x: 2 * g * np.maximum(x, 0)),
        np.zeros((3, 2)),
    ),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", KINKED)
def test_at_a_kink_another_point_is_drawn(name: str, mode: str) -> None:
    right, values = KINKED[name]
    report = gradcheck_report(right, Tensor(values, requires_grad=True), mode=mode)
    assert report.passed, report.message
    assert report.worst_error < 1e-7
    assert report.redraws > 0 or name == "relu squared at 0"


@pytest.mark.parametrize("mode", MODES)
def test_a_mistake_is_found_although_the_input_is_at_a_kink(mode: str) -> None:
    wrong = function(lambda x: np.maximum(x, 0), lambda g, x: g * (x >= -1))
    with pytest.raises(GradcheckError, match="gradient of input 0 is wrong"):
        gradcheck(wrong, Tensor(np.zeros((3, 2)), requires_grad=True), mode=mode)


@pytest.mark.parametrize("mode", MODES)
def test_a_function_without_a_smooth_point_is_reported(mode: str) -> None:
    rough = function(lambda x: np.abs(x - np.round(x * 1e9) / 1e9) * 1e9, lambda g, x: g)
    with pytest.raises(
        GradcheckError, match=r"no smooth point was found .*input 0 .* from the left and .* right"
    ):
        gradcheck(rough, leaf(2), mode=mode)


# ---- the inputs --------------------------------------------------------------------------------

LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "contiguous": lambda x: x,
    "transposed": lambda x: np.ascontiguousarray(x.T).T,
    "reversed and sliced": lambda x: np.repeat(x, 2, axis=1)[::-1, ::2],
    "stride 0": lambda x: np.broadcast_to(x[0], x.shape),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout_is_checked_element_by_element_and_left_alone(layout: str, mode: str) -> None:
    array = LAYOUTS[layout](leaf(4, 3).data)
    before, x = array.copy(), Tensor(array, requires_grad=True)
    right = function(lambda x, y: x**2 * y, lambda g, x, y: (2 * g * x * y, g * x**2))
    assert gradcheck(right, (x, leaf(4, 3, seed=2)), mode=mode)
    assert np.array_equal(array, before)
    assert x.data is array
    assert x.grad is None


def test_inputs_that_share_memory_are_perturbed_one_by_one() -> None:
    array = leaf(3, 3).data
    x, transposed = Tensor(array, requires_grad=True), Tensor(array.T, requires_grad=True)
    product = function(np.multiply, lambda g, x, y: (g * y, g * x))
    assert gradcheck(product, (x, transposed))
    assert gradcheck(product, (x, x))


def test_inputs_that_do_not_require_grad_are_passed_on() -> None:
    indices = np.array([2, 0])
    seen: list[Any] = []

    def take(x: Tensor, chosen: Tensor, kept: Array, flag: bool) -> Tensor:
        seen.append((chosen.dtype, kept.dtype, flag))

        def scatter(g: Array, x: Array) -> Array:
            gradient = np.zeros_like(x)
            gradient[chosen.data] = g
            return gradient

        return function(lambda x: x[chosen.data], scatter)(x)

    assert gradcheck(take, (leaf(3, 2), Tensor(indices), np.ones(2, np.float32), True))
    assert set(seen) == {(np.dtype(np.int64), np.dtype(np.float32), True)}


def test_constants_become_complex_with_the_inputs() -> None:
    seen = set()

    def multiply(x: Array, y: Array) -> Array:
        seen.add((x.dtype.kind, y.dtype.kind))
        return x * y

    product = function(multiply, lambda g, x, y: (g * y, None))
    assert gradcheck(product, (leaf(3), Tensor(np.ones(3))), method="complex")
    assert seen == {("f", "f"), ("c", "c")}


def test_integer_outputs_are_skipped_and_nested_ones_are_found() -> None:
    def both(x: Tensor) -> Any:
        sine = function(np.sin, lambda g, x: g * np.cos(x))(x)
        return [sine, (Tensor(x.data.argmax(0)), function(np.exp, lambda g, x: g * np.exp(x))(x))]

    assert gradcheck(both, leaf(3, 2))


@pytest.mark.parametrize("mode", MODES)
def test_empty_inputs_pass(mode: str) -> None:
    report = gradcheck_report(function(np.sin, lambda g, x: g * np.cos(x)), leaf(0, 3), mode=mode)
    assert report.passed
    assert report.worst_error == 0


@pytest.mark.parametrize("mode", MODES)
def test_no_output_means_no_gradient(mode: str) -> None:
    add = function(np.add, lambda g, x, bias: (g, g.sum(0)))
    wrong = function(np.add, lambda g, x, bias: (g, g.sum(0) + 1))
    assert gradcheck(add, (leaf(0, 3), leaf(3)), mode=mode)
    with pytest.raises(GradcheckError, match=r"gradient of input 1 .* backward gives 1"):
        gradcheck(wrong, (leaf(0, 3), leaf(3)), mode=mode)


# ---- functions that misbehave ------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_changing_an_input_in_place_is_noticed(mode: str) -> None:
    def double(x: Array) -> Array:
        x *= 2
        return x.copy()

    with pytest.raises(GradcheckError, match="function changed input 0 in place"):
        gradcheck(function(double, lambda g, x: 2 * g), leaf(3), mode=mode)


@pytest.mark.parametrize("mode", MODES)
def test_changing_the_upstream_in_place_is_noticed(mode: str) -> None:
    def halve(g: Array, x: Array) -> Array:
        g *= 0.5
        return g

    with pytest.raises(GradcheckError, match="backward changed its upstream gradient in place"):
        gradcheck(function(lambda x: 0.5 * x, halve), leaf(3), mode=mode)


@pytest.mark.parametrize("mode", MODES)
def test_a_random_function_is_noticed(mode: str) -> None:
    random = np.random.default_rng(0)
    noisy = function(lambda x: x * random.normal(), lambda g, x: g)
    with pytest.raises(GradcheckError, match="different values when called twice"):
        gradcheck(noisy, leaf(3), mode=mode)


@pytest.mark.parametrize("mode", MODES)
def test_a_backward_that_changes_from_call_to_call_is_noticed(mode: str) -> None:
    calls = itertools.count(1)
    with pytest.raises(GradcheckError, match="when called again with the same upstream, after"):
        gradcheck(function(np.sin, lambda g, x: g * np.cos(x) * next(calls)), leaf(3), mode=mode)


def test_a_value_that_is_not_finite_is_noticed() -> None:
    with pytest.raises(GradcheckError, match="not finite at the given inputs"):
        gradcheck(function(lambda x: x * np.inf, lambda g, x: g), leaf(3))


# ---- bad arguments -----------------------------------------------------------------------------


def test_bad_arguments() -> None:
    sine = function(np.sin, lambda g, x: g * np.cos(x))
    with pytest.raises(TypeError, match="input 0 must be float64, got float32"):
        gradcheck(sine, Tensor(np.ones(3, np.float32), requires_grad=True))
    with pytest.raises(TypeError, match="must return float64 from float64 inputs, got float32"):
        gradcheck(function(lambda x: x.astype(np.float32), lambda g, x: g), leaf(3))
    with pytest.raises(TypeError, match="must return a Tensor or a tuple of Tensors, got ndarray"):
        gradcheck(lambda x: x.data, leaf(3))
    with pytest.raises(ValueError, match="at least one Tensor that requires grad"):
        gradcheck(sine, (Tensor(np.ones(3)),))
    with pytest.raises(ValueError, match="mode must be one of full, fast, got 'slow'"):
        gradcheck(sine, leaf(3), mode="slow")
    with pytest.raises(ValueError, match="method must be one of central, complex, got 'forward'"):
        gradcheck(sine, leaf(3), method="forward")
    with pytest.raises(ValueError, match="seeds must hold at least one integer"):
        gradcheck(sine, leaf(3), seeds=())
    with pytest.raises(ValueError, match="seeds must be at least 0, got -1"):
        gradcheck(sine, leaf(3), seeds=(-1,))
    with pytest.raises(ValueError, match="atol must be at least"):
        gradcheck(sine, leaf(3), atol=0)
    with pytest.raises(TypeError, match="method='central' is needed: function does not accept complex128"):
        gradcheck(function(lambda x: x.astype("f8"), lambda g, x: g), leaf(3), method="complex")


# ---- random smooth functions -------------------------------------------------------------------

SHAPES: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "sin": (np.sin, np.cos),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "exp": (np.exp, np.exp),
    "cube": (lambda z: z**3, lambda z: 3 * z**2),
    "reciprocal": (lambda z: 1 / (2 + z**2), lambda z: -2 * z / (2 + z**2) ** 2),
}


@settings(max_examples=40)
@given(
    shape=st.sampled_from(sorted(SHAPES)),
    mode=st.sampled_from(MODES),
    method=st.sampled_from(["central", "complex"]),
    sizes=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    seed=st.integers(0, 10_000),
    scale=st.floats(0.1, 3.0),
)
def test_random_smooth_functions(
    shape: str, mode: str, method: str, sizes: tuple[int, int], seed: int, scale: float
) -> None:
    """y = A phi(x): passes as it is, and fails when one entry of A is wrong in backward."""
    phi, slope = SHAPES[shape]
    random = np.random.default_rng(seed)
    matrix = random.choice((-1, 1), sizes) * random.uniform(0.5, 1.5, sizes)
    x = Tensor(random.uniform(-scale, scale, sizes[1]), requires_grad=True)

    def product(used: Array) -> Callable[..., Tensor]:
        return function(
            lambda x: (matrix * phi(x)).sum(1), lambda g, x: (used * g[:, None]).sum(0) * slope(x)
        )

    assert gradcheck(product(matrix), x, mode=mode, method=method)
    broken = matrix.copy()
    row, column = random.integers(sizes[0]), random.integers(sizes[1])
    broken[row, column] *= 1.5
    if abs(slope(x.data)[column]) > 0.05:
        report = gradcheck_report(product(broken), x, mode=mode, method=method)
        assert not report.passed
        assert report.worst_index == (column,)
