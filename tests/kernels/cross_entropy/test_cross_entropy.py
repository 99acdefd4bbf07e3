"""The contracts of cross-entropy: bad input, ignored samples, saturation and complex arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kernels
from kernels.cross_entropy import (
    cross_entropy_backward,
    cross_entropy_forward,
    soft_cross_entropy_backward_input,
    soft_cross_entropy_backward_target,
    soft_cross_entropy_forward,
)
from kernels.registry import contract

VERSIONS = ["loops", "vectorized"]
X = np.ones((2, 3))
LABELS = np.array([0, 2])
INTEGER = {
    "x": X,
    "target": LABELS,
    "weight": None,
    "ignore_index": -100,
    "label_smoothing": 0.0,
    "reduction": "mean",
}
SOFT = {"x": X, "target": X / 3, "weight": None, "label_smoothing": 0.0, "reduction": "mean"}
BAD_ALWAYS: list[tuple[type[Exception], dict[str, Any], str]] = [
    (TypeError, {"x": X.astype(int)}, "x must have dtype float32 or float64 or complex128, got int64"),
    (TypeError, {"x": [[1.0]]}, "x must be an array, got list"),
    (ValueError, {"weight": np.ones(2)}, r"weight must have shape \(3,\), got \(2,\)"),
    (TypeError, {"weight": np.ones(3, np.float32)}, "weight has dtype float32 but x has float64"),
    (ValueError, {"reduction": "avg"}, 'reduction must be "none", "mean" or "sum", got \'avg\''),
    (ValueError, {"label_smoothing": 1.5}, "label_smoothing must be at most 1, got 1.5"),
    (ValueError, {"label_smoothing": -0.1}, "label_smoothing must be at least 0, got -0.1"),
    (TypeError, {"label_smoothing": "0"}, "label_smoothing must be a number, got '0'"),
]
BAD_LABELS = [
    *BAD_ALWAYS,
    (ValueError, {"x": np.array(1.0)}, r"x must have shape \(C,\) or \(N, C, ...\), got shape \(\)"),
    (ValueError, {"x": np.ones((2, 0))}, r"x must have at least one class, got shape \(2, 0\)"),
    (TypeError, {"target": LABELS.astype(np.int32)}, "target must be an int64 array, got int32"),
    (TypeError, {"target": np.array([0, np.nan])}, "target must be an int64 array, got float64"),
    (TypeError, {"target": [0, 1]}, "target must be an int64 array, got list"),
    (ValueError, {"target": np.array([0, 1, 2])}, r"target must have shape \(2,\), got \(3,\)"),
    (ValueError, {"target": np.array([0, 3])}, r"in \[0, 3\) or be ignore_index -100, got 3"),
    (ValueError, {"target": np.array([-1, 0])}, r"in \[0, 3\) or be ignore_index -100, got -1"),
    (TypeError, {"ignore_index": 0.5}, "ignore_index must be an integer, got 0.5"),
]
BAD_SOFT = [
    *BAD_ALWAYS,
    (TypeError, {"target": np.ones((2, 3), np.float32)}, "target has dtype float32 but x has float64"),
    (ValueError, {"target": np.ones((2, 2))}, r"target must have shape \(2, 3\), got \(2, 2\)"),
    (ValueError, {"target": np.full((2, 3), np.nan)}, "target must not hold NaN, got at least one"),
]


@pytest.mark.parametrize(("error", "changed", "message"), BAD_LABELS)
def test_bad_labels(error: type[Exception], changed: dict[str, Any], message: str) -> None:
    arguments = (INTEGER | changed).values()
    with pytest.raises(error, match=message):
        cross_entropy_forward(*arguments)
    with pytest.raises(error, match=message):
        cross_entropy_backward(np.array(1.0), *arguments)


@pytest.mark.parametrize(("error", "changed", "message"), BAD_SOFT)
def test_bad_probabilities(error: type[Exception], changed: dict[str, Any], message: str) -> None:
    arguments = SOFT | changed
    with pytest.raises(error, match=message):
        soft_cross_entropy_forward(*arguments.values())
    with pytest.raises(error, match=message):
        soft_cross_entropy_backward_input(np.array(1.0), *arguments.values())
    if "target" not in changed:
        del arguments["target"]
        with pytest.raises(error, match=message):
            soft_cross_entropy_backward_target(np.array(1.0), *arguments.values())


def test_bad_gradients() -> None:
    with pytest.raises(ValueError, match=r"grad_output must have shape \(\), got \(2,\)"):
        cross_entropy_backward(np.ones(2), *INTEGER.values())
    with pytest.raises(ValueError, match=r"grad_output must have shape \(2,\), got \(\)"):
        cross_entropy_backward(np.array(1.0), *(INTEGER | {"reduction": "none"}).values())
    with pytest.raises(TypeError, match="grad_output has dtype float32 but x has float64"):
        soft_cross_entropy_backward_input(np.float32(1), *SOFT.values())


@pytest.mark.parametrize("version", VERSIONS)
def test_ignored_samples_do_not_count_whatever_they_hold(version: str) -> None:
    x = np.array([[1.0, 2.0], [np.nan, np.inf]])
    arguments = (x, np.array([0, 7]), None, 7, 0.5)
    with kernels.use(cross_entropy_forward=version, cross_entropy_backward=version):
        losses = cross_entropy_forward(*arguments, "none")
        assert losses[1] == 0
        assert cross_entropy_forward(*arguments, "mean") == losses[0]
        assert np.array_equal(cross_entropy_backward(np.ones(2), *arguments, "none")[1], [0, 0])
        nothing_left = (x, np.array([7, 7]), None, 7, 0.0, "mean")
        assert np.isnan(cross_entropy_forward(*nothing_left))
        assert not cross_entropy_backward(np.array(1.0), *nothing_left).any()


@pytest.mark.parametrize("version", VERSIONS)
def test_float32_keeps_the_digits_of_a_small_gradient(version: str) -> None:
    """p - 1 is taken before rounding: with a lead of 12 it is about 6e-6."""
    x = np.array([[12.0, 0.0]], np.float32)
    with kernels.use(cross_entropy_backward=version):
        dx = cross_entropy_backward(np.float32(1), x, np.array([0]), None, -100, 0.0, "mean")
    q = 1 / (1 + np.exp(12.0))
    assert dx == pytest.approx(np.array([[-q, q]]), rel=1e-6)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["cross_entropy", "soft_cross_entropy"])
def test_complex_step_gives_the_derivative(name: str, version: str) -> None:
    rng = np.random.default_rng(0)
    x, direction, target = rng.uniform(size=(3, 4, 3))
    rest: tuple[Any, ...] = (None, 0.25, "mean")
    wanted: Any = target
    if name == "cross_entropy":
        wanted, rest = np.array([0, 2, 1, 1]), (None, -100, 0.25, "mean")
    backward = f"{name}_backward" + ("" if name == "cross_entropy" else "_input")
    with kernels.use(backend="reference", **{f"{name}_forward": version, backward: version}):
        complex_target = wanted if wanted.dtype == np.int64 else wanted.astype(complex)
        stepped = contract(f"{name}_forward")(x + 1e-30j * direction, complex_target, *rest)
        dx = contract(backward)(np.array(1.0), x, wanted, *rest)
    assert stepped.imag / 1e-30 == pytest.approx((dx * direction).sum(), rel=1e-12)
