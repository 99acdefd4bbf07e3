"""Derivatives of a function from its values alone, for `minidnn.gradcheck`.

Along a direction d, with h the step:

    central   (f(x - 2hd) - 8 f(x - hd) + 8 f(x + hd) - f(x + 2hd)) / 12h        error O(h^4) + O(eps |f| / h)
    complex   Im f(x + ihd) / h                       error O(h^2) without a subtraction: h may be 1e-30
    kinks     the least-squares quadratic through the five values leaves as residual their third and fourth
              difference: O(h^3) where f is smooth but O(h) at a kink (the fourth difference over 2h is the
              disagreement of the slopes from the left and from the right)

A kink somewhere within the five points is met with a smaller step; one that stays is at the point itself.

Sources: Fornberg, "Generation of finite difference formulas on arbitrarily spaced grids", Math. Comp. 51
(1988), table 1 (the five-point formula); Squire and Trapp, "Using complex variables to estimate derivatives
of real functions", SIAM Review 40 (1998) (the complex step).
"""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from kernels.array import Array
from minidnn.modes import no_grad
from minidnn.tensor import Tensor

EPSILON = float(np.finfo(np.float64).eps)
# The fourth root of eps: the five-point formula's optimum is the fifth root, but small steps meet fewer
# kinks, and the error stays near 1e-11. A suspected kink is looked at with the smaller ones.
STEPS = (EPSILON**0.25, EPSILON**0.25 / 8, EPSILON**0.25 / 64)
COMPLEX_STEP = 1e-30


class KinkError(Exception):
    """The function is not smooth at this point, along this direction.

    Attributes:
        left, right: the slopes on both sides, of the output element where they disagree most.
    """

    def __init__(self, left: float, right: float) -> None:
        super().__init__(f"the slopes from the left and from the right are {left:.6g} and {right:.6g}")
        self.left = left
        self.right = right


class NotAnalyticError(TypeError):
    """A complex step was asked for, but the function does not take complex numbers or drops part of them."""


class Subject:
    """A function with its inputs: which of them are differentiated, and how it is called.

    A point is a list of arrays, one for each differentiated input.

    Raises:
        ValueError: no input is a Tensor that requires grad.
        TypeError: one that does is not float64.
    """

    def __init__(
        self, function: Callable[..., Any], inputs: tuple[Any, ...], names: Sequence[str] = ()
    ) -> None:
        self.function = function
        self.inputs = inputs
        self.names = names or _parameter_names(function)
        self.evaluations = 0
        self.checked = [
            position
            for position, value in enumerate(inputs)
            if isinstance(value, Tensor) and value.requires_grad
        ]
        if not self.checked:
            raise ValueError("inputs must hold at least one Tensor that requires grad")
        for position in self.checked:
            if inputs[position].dtype != np.float64:
                raise TypeError(f"{self.name(position)} must be float64, got {inputs[position].dtype}")

    def name(self, position: int) -> str:
        """`input 1 (weight)`: the position, and the name where it is known."""
        known = position < len(self.names)
        return f"input {position} ({self.names[position]})" if known else f"input {position}"

    def start(self) -> list[Array]:
        """Copies of the differentiated inputs, with their strides, each in memory of its own."""
        return [same_layout(self.inputs[position].data) for position in self.checked]

    def call(self, point: Sequence[Array], requires_grad: bool = False) -> tuple[list[Tensor], list[Tensor]]:
        """Call the function with tensors around the point's arrays; return those and the floating outputs."""
        leaves = [Tensor(array, requires_grad) for array in point]
        places = dict(zip(self.checked, leaves, strict=True))
        dtype = point[0].dtype
        arguments = [
            places[position] if position in places else _constant(value, dtype)
            for position, value in enumerate(self.inputs)
        ]
        return leaves, [tensor for tensor in _tensors(self.function(*arguments)) if tensor.dtype.kind in "fc"]

    def evaluate(self, point: Sequence[Array]) -> Array:
        """All floating outputs at the point, in one row, without recording."""
        self.evaluations += 1
        with no_grad():
            outputs = self.call(point)[1]
        return row([output.data for output in outputs])

    def along(self, point: Sequence[Array], which: int, direction: Array) -> Callable[[complex], Array]:
        """The function on a line through the point: t -> f(x + t d), d a direction of array `which`."""

        def values_at(t: complex) -> Array:
            dtype = np.complex128 if isinstance(t, complex) else np.float64
            moved = [array.astype(dtype) for array in point]
            moved[which] += t * direction
            return self.evaluate(moved)

        return values_at


def row(arrays: Sequence[Array]) -> Array:
    """A copy of all elements, one array after the other."""
    return np.concatenate([np.zeros(0), *(array.reshape(-1) for array in arrays)])


def _parameter_names(function: Callable[..., Any]) -> list[str]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # some built-in functions have no signature
        return []
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def _constant(value: Any, dtype: np.dtype[Any]) -> Any:
    """A copy of an input that is not checked (the function may write to it); complex where the point is."""
    if not isinstance(value, Tensor | np.ndarray):
        return value
    array = value.data if isinstance(value, Tensor) else value
    copied = array.astype(dtype) if array.dtype == np.float64 else array.copy()
    return Tensor(copied) if isinstance(value, Tensor) else copied


def _tensors(result: Any) -> list[Tensor]:
    if isinstance(result, Tensor):
        return [result]
    if isinstance(result, tuple | list):
        return [tensor for item in result for tensor in _tensors(item)]
    raise TypeError(f"function must return a Tensor or a tuple of Tensors, got {type(result).__name__}")


# ---- derivatives -------------------------------------------------------------------------------


def central_derivative(values_at: Callable[[float], Array], base: Array, atol: float, rtol: float) -> Array:
    """The derivative of values_at(t) at t = 0, where it is `base`; one number per element.

    The residual of the quadratic may reach a hundredth of the tolerance; so does the derivative's error then.

    Raises:
        KinkError: there is a kink at t = 0.
    """
    for step in STEPS:
        values = np.stack([base if k == 0 else values_at(k * step) for k in (-2, -1, 0, 1, 2)])
        slope: Array = (values[0] - 8 * values[1] + 8 * values[3] - values[4]) / (12 * step)
        residual = _not_quadratic(values) / step
        noise = 32 * EPSILON * float(np.max(np.abs(values), initial=0.0)) / step
        allowed = 0.01 * (atol + rtol * np.abs(slope)) + noise
        if (residual <= allowed).all():
            return slope
    v = values[:, int(np.argmax(residual - allowed))]
    raise KinkError((3 * v[2] - 4 * v[1] + v[0]) / (2 * step), (4 * v[3] - 3 * v[2] - v[4]) / (2 * step))


def _not_quadratic(values: Array) -> Array:
    """How far five equidistant values are from their least-squares quadratic (Euclidean norm, per column)."""
    third = (values[4] - 2 * values[3] + 2 * values[1] - values[0]) / math.sqrt(10)
    fourth = (values[0] - 4 * values[1] + 6 * values[2] - 4 * values[3] + values[4]) / math.sqrt(70)
    residual: Array = np.hypot(third, fourth)
    return residual


def complex_derivative(values_at: Callable[[complex], Array]) -> Array:
    """The derivative of values_at(t) at t = 0 by one evaluation at a tiny imaginary t.

    Raises:
        NotAnalyticError: the function does not take complex numbers, or loses the imaginary part.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            values = values_at(1j * COMPLEX_STEP)
    except (TypeError, np.exceptions.ComplexWarning) as error:
        raise NotAnalyticError(
            f"method='central' is needed: function does not accept complex128 ({error})"
        ) from error
    if values.size and values.dtype != np.complex128:
        raise NotAnalyticError("method='central' is needed: function drops the imaginary part of complex128")
    derivative: Array = values.imag / COMPLEX_STEP
    return derivative


# ---- points ------------------------------------------------------------------------------------


def points_around(
    start: list[Array], random: np.random.Generator, redraws: int
) -> Iterator[tuple[int, list[Array]]]:
    """Yield (0, the point itself), then numbered points around it, farther off after each miss."""
    yield 0, start
    radius = 0.01
    for number in range(1, redraws + 1):
        yield number, [_moved(array, radius * random_direction(array, random)) for array in start]
        radius *= 1.3


def random_direction(array: Array, random: np.random.Generator) -> Array:
    """A random direction in which no element stands still: |d| in [0.5, 1] max(1, |x|), either sign."""
    sizes = random.uniform(0.5, 1.0, array.shape) * np.maximum(1.0, np.abs(array))
    return np.where(random.random(array.shape) < 0.5, -sizes, sizes)


def _moved(array: Array, offset: Array) -> Array:
    """`array + offset` in the array's memory layout, if that layout can hold it (stride 0 cannot)."""
    values: Array = array + offset
    moved = same_layout(array)
    moved[...] = values
    return moved if np.array_equal(moved, values) else values


def same_layout(array: Array) -> Array:
    """A copy with the strides of `array`, also negative and zero ones, in memory of its own."""
    if array.size == 0:
        return array.copy()
    low, high = np.lib.array_utils.byte_bounds(array)
    memory = np.zeros(high - low, np.uint8)
    offset = array.__array_interface__["data"][0] - low
    copied: Array = np.ndarray(array.shape, array.dtype, memory.data, offset, array.strides)
    copied[...] = array
    return copied
