"""Gradient checks: is what `backward` returns the derivative of what `forward` computes?

For a function f with Jacobian J = df/dx, backward must return J^T v for every upstream gradient v. J itself
is known from f's values alone (see `minidnn.numeric_derivative`): by central differences, which notice kinks,
or by complex steps. At a kink another point nearby is drawn; tolerances never grow.

The `full` mode compares every entry of J: numerically one column per input element, by backward one row per
output element. The `fast` mode compares the numbers v^T J d for random v and d, and where they disagree
halves d until one element is left. Both send random upstream gradients, require backward to be linear in
them, and to give the same bits when called twice.

The checker computes with NumPy rather than with kernels: it judges the kernels.

Source: Griewank and Walther, "Evaluating derivatives" (2nd edition, SIAM 2008), chapter 3: J d and v^T J are
what forward and reverse differentiation compute, and v^T J d is the number on which they must agree.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kernels.array import Array, check_integer, check_number
from minidnn import autograd
from minidnn.numeric_derivative import (
    EPSILON,
    KinkError,
    Subject,
    central_derivative,
    complex_derivative,
    points_around,
    random_direction,
    row,
    same_layout,
)
from minidnn.tensor import Tensor

MODES = ("full", "fast")
METHODS = ("central", "complex")
REDRAWS = 12


class GradcheckError(ValueError):
    """A gradient is wrong, or could not be checked; the message says where."""


@dataclass(frozen=True)
class GradcheckReport:
    """What a check found.

    Attributes:
        passed: whether every comparison held.
        message: one sentence on the failure, empty if there was none.
        worst_error: the largest |analytic - numeric| / (|numeric| + atol / rtol); at most rtol exactly where
            |analytic - numeric| <= atol + rtol |numeric|.
        worst_input: position of the input it occurred at (None if nothing was compared).
        worst_index: index in that input (None for a sum along a random direction).
        analytic, numeric: the two values there (where no smooth point was found: the slopes on both sides).
        evaluations: how often the function was called for its values.
        redraws: how often another point was drawn because of a kink.
    """

    passed: bool
    message: str
    worst_error: float
    worst_input: int | None
    worst_index: tuple[int, ...] | None
    analytic: float
    numeric: float
    evaluations: int
    redraws: int


def gradcheck(
    function: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    *,
    mode: str = "full",
    method: str = "central",
    seeds: Sequence[int] = (0, 1, 2),
    atol: float = 1e-6,
    rtol: float = 1e-4,
    raise_exception: bool = True,
) -> bool:
    """Return whether backward agrees with numeric derivatives: |analytic - numeric| <= atol + rtol |numeric|.

        x = minidnn.tensor(values, dtype="float64", requires_grad=True)
        minidnn.gradcheck(functional.gelu, (x,))

    The inputs are never modified, and each is perturbed on its own even where several share memory. A
    function that changes such an input in place, gives different values when called twice, or whose backward
    is not linear in the upstream gradient fails.

    Args:
        function: called with `inputs`, returns a Tensor or a (nested) tuple of them; floating ones count.
        inputs: what the function is called with: float64 Tensors that require grad are checked, one by one,
            anything else is passed on. Any memory layout.
        mode: "full" compares every entry of the Jacobian, "fast" random projections of it.
        method: "central" differences, which notice kinks, or "complex" steps, exact to rounding but only for
            functions whose kernels accept complex128.
        seeds: of the random upstream gradients and directions; each seed is one more comparison.
        atol: absolute tolerance.
        rtol: relative tolerance.
        raise_exception: raise on a failure instead of returning False.

    Raises:
        GradcheckError: a wrong gradient; the sentence names the input, the worst index and both values.
        ValueError: no input requires grad, or an unknown mode or method.
        TypeError: an input or output that is not float64; a function that does not accept complex numbers
            although method="complex" asks for them (the method never changes silently).
    """
    report = gradcheck_report(function, inputs, mode=mode, method=method, seeds=seeds, atol=atol, rtol=rtol)
    if raise_exception and not report.passed:
        raise GradcheckError(report.message)
    return report.passed


def gradcheck_report(
    function: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    *,
    mode: str = "full",
    method: str = "central",
    seeds: Sequence[int] = (0, 1, 2),
    atol: float = 1e-6,
    rtol: float = 1e-4,
    names: Sequence[str] = (),
) -> GradcheckReport:
    """Check as `gradcheck` does, and return what was found instead of raising on a wrong gradient.

    Args:
        function, inputs, mode, method, seeds, atol, rtol: as for `gradcheck`.
        names: what to call the inputs in messages; by default as the function's parameters.

    Raises:
        ValueError, TypeError: as `gradcheck`, for arguments that cannot be checked.
    """
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    numbers = tuple(check_integer("seeds", seed, minimum=0) for seed in seeds)
    if not numbers:
        raise ValueError("seeds must hold at least one integer, got none")
    settings = Settings(
        method, numbers, check_number("atol", atol, minimum=EPSILON), check_number("rtol", rtol, EPSILON)
    )
    subject = Subject(function, (inputs,) if isinstance(inputs, Tensor) else tuple(inputs), names)
    finding, redraws = _check_smooth_point(subject, settings, mode)
    return GradcheckReport(
        passed=not finding.message,
        message=finding.message,
        worst_error=finding.error,
        worst_input=finding.input,
        worst_index=finding.index,
        analytic=finding.analytic,
        numeric=finding.numeric,
        evaluations=subject.evaluations,
        redraws=redraws,
    )


@dataclass(frozen=True)
class Settings:
    """How to check; see `gradcheck`."""

    method: str
    seeds: tuple[int, ...]
    atol: float
    rtol: float


@dataclass(frozen=True)
class Finding:
    """The largest error so far and where it is; with a message, a failure."""

    error: float = 0.0
    input: int | None = None
    index: tuple[int, ...] | None = None
    analytic: float = 0.0
    numeric: float = 0.0
    message: str = ""


class FailedCheckError(Exception):
    """Ends a check with its finding; `at_kink` says that another point may do better."""

    def __init__(self, finding: Finding, at_kink: bool = False) -> None:
        super().__init__(finding.message)
        self.finding = finding
        self.at_kink = at_kink


def _check_smooth_point(subject: Subject, settings: Settings, mode: str) -> tuple[Finding, int]:
    """Check at the first point without kinks; return what was found and how many points were left."""
    random = np.random.default_rng([3, *settings.seeds])
    finding = Finding()
    for redraws, point in points_around(subject.start(), random, REDRAWS):
        try:
            check = Check(subject, point, settings)
            return (check.full() if mode == "full" else check.fast()), redraws
        except FailedCheckError as failure:
            finding = failure.finding
            if not failure.at_kink:
                return finding, redraws
    return finding, REDRAWS


class Check:
    """The comparison of backward with numeric derivatives at one point.

    Args:
        subject: the function and its inputs.
        point: values for the inputs to check.
        settings: method, seeds and tolerances.

    Raises:
        FailedCheckError: the function changes an input, is not deterministic, or is not finite here.
        TypeError: an output that is not float64.
    """

    def __init__(self, subject: Subject, point: list[Array], settings: Settings) -> None:
        self.subject = subject
        self.point = point
        self.settings = settings
        before, again = [array.copy() for array in point], [same_layout(array) for array in point]
        self.leaves, self.outputs = subject.call(point, requires_grad=True)
        for output in self.outputs:
            if output.dtype != np.float64:
                raise TypeError(f"function must return float64 from float64 inputs, got {output.dtype}")
        self.values = row([output.data for output in self.outputs])
        repeated = subject.evaluate(again)
        for position, *arrays, given in zip(subject.checked, point, again, before, strict=True):
            if not all(_same_bits(array, given) for array in arrays):
                raise _failed(f"function changed {subject.name(position)} in place; it may only read it")
        if not _same_bits(self.values, repeated):
            raise _failed("function gave different values when called twice with the same inputs")
        if not np.isfinite(self.values).all():
            raise _failed("function gave a value that is not finite at the given inputs")

    def full(self) -> Finding:
        """Compare every entry of the Jacobian, and its products with random upstream gradients."""
        upstreams, gradients = self._random_gradients()
        jacobian = [self._jacobian(which) for which in range(len(self.point))]
        worst = Finding()
        for number, (name, gradient) in enumerate(self._backward_rows()):
            worst = self._worse(worst, gradient, [columns[number] for columns in jacobian], name)
        for upstream, gradient in zip(upstreams, gradients, strict=True):
            products = [(upstream[:, None] * columns).sum(0) for columns in jacobian]
            worst = self._worse(worst, gradient, products, "a random upstream gradient")
        return worst

    def fast(self) -> Finding:
        """Compare v^T J d for a random upstream gradient v and, per input, a random direction d."""
        worst = Finding()
        for seed, upstream, gradients in zip(self.settings.seeds, *self._random_gradients(), strict=False):
            random = np.random.default_rng([1, seed])
            directions = [random_direction(array, random) for array in self.point]
            findings = [
                self._project(which, direction, upstream, gradients[which])
                for which, direction in enumerate(directions)
            ]
            for which, finding in enumerate(findings):
                if finding.error > self.settings.rtol:
                    raise self._localised(which, directions[which], upstream, gradients[which])
            worst = max([worst, *findings], key=lambda finding: finding.error)
        return worst

    # ---- by backward ---------------------------------------------------------------------------

    def _gradients(self, upstream: Array) -> list[Array]:
        """What backward returns for every checked input, flat; `upstream` is a row over all outputs."""
        for leaf in self.leaves:
            leaf.grad = None
        given, roots, first = upstream.copy(), [], 0
        for output in self.outputs:
            part = upstream[first : first + output.data.size]
            first += output.data.size
            # A part that is zero is not sent: that output receives None, as outputs do that go unused.
            if output.requires_grad and (part.any() or not part.size):
                roots.append((output._gradient_edge(), part.reshape(output.shape)))
        autograd.backward(roots, retain_graph=True)
        if not _same_bits(upstream, given):
            raise _failed("backward changed its upstream gradient in place; it may only read it")
        return [
            np.zeros(leaf.data.size) if leaf.grad is None else leaf.grad.data.reshape(-1).copy()
            for leaf in self.leaves
        ]

    def _random_gradients(self) -> tuple[list[Array], list[list[Array]]]:
        """A random upstream gradient per seed (two at least), and what backward returns for each."""
        seeds = self.settings.seeds
        seeds = seeds if len(seeds) > 1 else (*seeds, seeds[0] + 1)
        upstreams = [np.random.default_rng([0, seed]).normal(size=self.values.size) for seed in seeds]
        gradients = [self._gradients(upstream) for upstream in upstreams]
        self._check_repeatable(upstreams, gradients)
        self._check_linear(upstreams, gradients)
        return upstreams, gradients

    def _check_repeatable(self, upstreams: list[Array], gradients: list[list[Array]]) -> None:
        for which, repeated in enumerate(self._gradients(upstreams[0])):
            if not _same_bits(repeated, gradients[0][which]):
                finding = self._worst_element(which, repeated, gradients[0][which])
                raise self._wrong(finding, "when called again with the same upstream, after")

    def _check_linear(self, upstreams: list[Array], gradients: list[list[Array]]) -> None:
        """A gradient that ignores the upstream, or bends with it, is found here."""
        combined = self._gradients(-1.5 * upstreams[0] + 0.75 * upstreams[1])
        for which, (first, second) in enumerate(zip(*gradients[:2], strict=True)):
            expected = -1.5 * first + 0.75 * second
            scale = float(np.max(np.abs(first) + np.abs(second), initial=0.0))
            if np.any(np.abs(combined[which] - expected) > 1e-9 * scale):
                finding = self._worst_element(which, combined[which], expected)
                raise self._wrong(
                    finding, "for a sum of two upstreams, not linear in the upstream: its parts sum up to"
                )

    def _backward_rows(self) -> Iterator[tuple[str, list[Array]]]:
        """The Jacobian's rows by backward: one output element after the other receives a random number."""
        random = np.random.default_rng([2, *self.settings.seeds])
        number = 0
        for position, output in enumerate(self.outputs):
            for index in np.ndindex(output.shape):
                upstream = np.zeros(self.values.size)
                upstream[number] = factor = random.choice((-1.0, 1.0)) * random.uniform(0.5, 2.0)
                gradients = [gradient / factor for gradient in self._gradients(upstream)]
                yield f"output {position} at {_plain(index)}", gradients
                number += 1

    # ---- by numbers ----------------------------------------------------------------------------

    def _jacobian(self, which: int) -> Array:
        """df/dx for one input, one column per element: (outputs, elements)."""
        array = self.point[which]
        columns = np.zeros((self.values.size, array.size))
        for element, index in enumerate(np.ndindex(array.shape)):
            direction = np.zeros(array.shape)
            direction[index] = max(1.0, abs(float(array[index])))
            columns[:, element] = self._derivative(which, direction) / direction[index]
        return columns

    def _derivative(self, which: int, direction: Array) -> Array:
        values_at = self.subject.along(self.point, which, direction)
        if self.settings.method == "complex":
            return complex_derivative(values_at)
        try:
            return central_derivative(values_at, self.values, self.settings.atol, self.settings.rtol)
        except KinkError as kink:
            position, index = self.subject.checked[which], _only_index(direction)
            where = "along a random direction" if index is None else f"at index {_plain(index)}"
            message = (
                f"no smooth point was found near the inputs ({REDRAWS} were tried): the slopes in "
                f"{self.subject.name(position)} {where} are {kink.left:.6g} from the left "
                f"and {kink.right:.6g} from the right"
            )
            finding = Finding(math.inf, position, index, kink.left, kink.right, message)
            raise FailedCheckError(finding, at_kink=True) from None

    def _project(self, which: int, direction: Array, upstream: Array, gradient: Array) -> Finding:
        """v^T J d by backward and by numbers; with a single element in d, of the gradient there."""
        index = _only_index(direction)
        scale = 1.0 if index is None else float(direction[index])
        numeric = float((upstream * self._derivative(which, direction)).sum()) / scale
        analytic = float((gradient * direction.reshape(-1)).sum()) / scale
        error = float(self._errors(np.asarray(analytic), np.asarray(numeric)))
        return Finding(error, self.subject.checked[which], index, analytic, numeric)

    def _localised(self, which: int, direction: Array, upstream: Array, gradient: Array) -> FailedCheckError:
        """Halve a direction along which the values disagree, keeping the worse half, down to one element."""
        elements = np.arange(direction.size)
        finding = Finding()
        while finding.index is None:
            findings = []
            halves = np.array_split(elements, 2) if elements.size > 1 else [elements]
            for half in halves:
                part = np.zeros(direction.size)
                part[half] = direction.reshape(-1)[half]
                findings.append(self._project(which, part.reshape(direction.shape), upstream, gradient))
            gaps = [abs(found.analytic - found.numeric) for found in findings]
            worse = int(np.argmax(np.nan_to_num(gaps, nan=np.inf)))
            elements, finding = halves[worse], findings[worse]
        return self._wrong(finding, f"for a random upstream gradient, {self._source} give")

    # ---- judging -------------------------------------------------------------------------------

    def _errors(self, analytic: Array, numeric: Array) -> Array:
        """|analytic - numeric| / (|numeric| + atol / rtol); infinite where one of them is not finite."""
        with np.errstate(invalid="ignore"):
            errors = np.abs(analytic - numeric) / (np.abs(numeric) + self.settings.atol / self.settings.rtol)
        return np.where(np.isfinite(errors), errors, np.inf)

    def _worst_element(self, which: int, analytic: Array, numeric: Array) -> Finding:
        """Where two flat gradients of one input differ most."""
        errors = self._errors(analytic, numeric)
        if not errors.size:
            return Finding()
        element = int(np.argmax(errors))
        index = np.unravel_index(element, self.point[which].shape)
        return Finding(
            float(errors[element]),
            self.subject.checked[which],
            tuple(int(i) for i in index),
            float(analytic[element]),
            float(numeric[element]),
        )

    def _worse(self, worst: Finding, analytic: list[Array], numeric: list[Array], upstream: str) -> Finding:
        """The worse of `worst` and the largest error of all inputs; raises if that is too large."""
        for which in range(len(self.point)):
            finding = self._worst_element(which, analytic[which], numeric[which])
            worst = max(worst, finding, key=lambda item: item.error)
        if worst.error > self.settings.rtol:
            raise self._wrong(worst, f"for {upstream}, {self._source} give")
        return worst

    @property
    def _source(self) -> str:
        return "central differences" if self.settings.method == "central" else "complex steps"

    def _wrong(self, finding: Finding, comparison: str) -> FailedCheckError:
        """The failure's sentence: input, index, backward's value, what it was compared with."""
        position = finding.input or 0
        message = (
            f"the gradient of {self.subject.name(position)} is wrong at index {_plain(finding.index)} "
            f"of shape {self.subject.inputs[position].shape}: "
            f"backward gives {finding.analytic + 0.0:.9g} {comparison} "
            f"{finding.numeric + 0.0:.9g} (relative error {finding.error:.3g})"
        )
        return FailedCheckError(replace(finding, message=message))


def _failed(message: str) -> FailedCheckError:
    return FailedCheckError(Finding(error=math.inf, message=message))


def _only_index(direction: Array) -> tuple[int, ...] | None:
    """The place of a direction's only nonzero element (None if there are several)."""
    places = np.argwhere(direction)
    return tuple(int(i) for i in places[0]) if len(places) == 1 else None


def _plain(index: tuple[int, ...] | None) -> str:
    return "()" if not index else f"[{', '.join(map(str, index))}]"


def _same_bits(a: Array, b: Array) -> bool:
    return np.array_equal(a, b, equal_nan=True)
