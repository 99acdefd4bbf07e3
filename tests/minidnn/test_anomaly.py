"""anomaly_mode: the first operation that gives NaN or an infinity is named, with the line that called it."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest

from minidnn.autograd import Function
from minidnn.modes import anomaly_mode, no_grad
from minidnn.tensor import Tensor, apply, apply_many

Array = np.ndarray


class Log(Function):
    """y = log x, dx = dy / x."""

    def forward(self, x: Array) -> Array:
        self.x = x
        with np.errstate(all="ignore"):
            return np.log(x)

    def backward(self, grad_output: Array) -> Array:
        return grad_output / self.x


class Root(Function):
    """y = sqrt x, dx = dy / 2y: infinite at 0, where y is finite."""

    def forward(self, x: Array) -> Array:
        self.y = np.sqrt(x)
        return self.y

    def backward(self, grad_output: Array) -> Array:
        with np.errstate(all="ignore"):
            return grad_output / (2 * self.y)


class Both(Function):
    """(x, x / 0 where x > 0): only the second output is infinite."""

    def forward(self, x: Array) -> tuple[Array, Array]:
        return x.copy(), np.where(x > 0, np.inf, 0.0)


class Add(Function):
    def forward(self, x: Array, y: Array) -> Array:
        return x + y

    def backward(self, grad_output: Array) -> tuple[Array, Array]:
        return grad_output, grad_output


def tensor(*values: float) -> Tensor:
    return Tensor(np.array(values), requires_grad=True)


def line() -> int:
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


def here(offset: int = 0) -> str:
    """A pattern for the calling line (moved by `offset`), as messages show it."""
    frame = inspect.stack()[1]
    return re.escape(f"it was called at {frame.filename}:{frame.lineno + offset} in {frame.function}")


def test_the_operation_whose_output_is_infinite_is_named_with_its_line() -> None:
    x = tensor(1.0, 0.0)
    with anomaly_mode():
        y = apply(Root(), x)
        expected = r"^Log produced -inf \(shape \(2,\), flat index 1\) in its output; " + here(+2)
        with pytest.raises(ValueError, match=expected):
            apply(Log(), y)


def test_nan_is_named() -> None:
    with anomaly_mode(), pytest.raises(ValueError, match=r"Log produced nan \(shape \(3,\), flat index 2\)"):
        apply(Log(), tensor(1.0, 2.0, -1.0))


def test_the_operation_whose_gradient_is_infinite_is_named_with_the_line_of_its_forward() -> None:
    with anomaly_mode():
        expected = r"^Root produced inf \(.*index 1\) in the gradient of its input 0; " + here(+1)
        y = apply(Root(), tensor(1.0, 0.0))
        z = apply(Add(), y, y)
        with pytest.raises(ValueError, match=expected):
            z.backward(np.ones(2))


def test_the_first_of_several_operations_is_named() -> None:
    with anomaly_mode(), pytest.raises(ValueError, match=r"^Log produced"):
        apply(Root(), apply(Log(), apply(Root(), tensor(0.0))))


def test_an_input_that_held_nan_is_the_inputs_fault() -> None:
    expected = (
        r"^Add produced nan \(shape \(2,\), flat index 0\) in its output, "
        r"but its input 1 already held nan \(shape \(2,\), flat index 0\); "
    )
    with anomaly_mode(), pytest.raises(ValueError, match=expected):
        apply(Add(), tensor(1.0, 2.0), tensor(np.nan, 2.0))


def test_an_upstream_gradient_that_held_nan_is_not_the_operations_fault() -> None:
    expected = r"^Add produced nan .* but its upstream gradient of output 0 already held nan \(.*index 1\); "
    with anomaly_mode():
        y = apply(Add(), tensor(1.0, 2.0), tensor(3.0, 4.0))
        with pytest.raises(ValueError, match=expected):
            y.backward(np.array([1.0, np.nan]))


def test_an_infinite_input_that_no_operation_spreads_is_left_alone() -> None:
    class Ignore(Add):
        def forward(self, x: Array, y: Array) -> Array:
            return x.copy()

    with anomaly_mode():
        assert apply(Ignore(), tensor(1.0), tensor(np.inf)).data.tolist() == [1.0]


def test_every_output_is_read() -> None:
    with (
        anomaly_mode(),
        pytest.raises(ValueError, match=r"^Both produced inf \(shape \(2,\), flat index 1\)"),
    ):
        apply_many(Both(), tensor(-1.0, 1.0))


def test_unrecorded_operations_and_graphs_made_outside_are_checked_too() -> None:
    with (
        anomaly_mode(),
        no_grad(),
        pytest.raises(ValueError, match=rf"seen at {re.escape(__file__)}:\d+ in "),
    ):
        apply(Log(), tensor(0.0))
    y = apply(Root(), tensor(0.0))
    with (
        anomaly_mode(),
        pytest.raises(ValueError, match=rf"^Root produced inf .*; seen at {re.escape(__file__)}"),
    ):
        y.backward(np.ones(1))


def test_nothing_is_read_outside_the_mode() -> None:
    assert apply(Log(), tensor(0.0)).data.tolist() == [-np.inf]
    with anomaly_mode():
        pass
    y = apply(Root(), tensor(0.0))
    y.backward(np.ones(1))


def test_empty_and_integer_arrays_are_no_anomaly() -> None:
    class Count(Add):
        def forward(self, x: Array, y: Array) -> Array:
            return np.array(x.size)

    with anomaly_mode():
        assert apply(Count(), tensor(), tensor()).data == 0
        assert apply(Add(), tensor(), tensor()).shape == (0,)


def test_it_works_as_a_decorator() -> None:
    @anomaly_mode()
    def compute() -> Tensor:
        return apply(Log(), tensor(0.0))

    with pytest.raises(ValueError, match="Log produced -inf"):
        compute()
